"""A large layer read whole and hashed: how fast, and in how much memory."""

from dataclasses import asdict
from typing import Final

from bench.large import large_image
from bench.options import Options
from bench.results import Goal, Result, compare, mebibytes
from bench.whole import curl_whole, verify_whole

_MEBIBYTE: Final = 2**20
_MEMORY: Final = 150 * _MEBIBYTE


def run(options: Options) -> Result:
    """Measure."""
    size = options.layer_mebibytes * _MEBIBYTE
    ours, curls = [], []
    with large_image(size) as image:
        for number in range(options.runs):
            if number % 2:
                ours.append(verify_whole(image))
            curls.append(curl_whole(image))
            if not number % 2:
                ours.append(verify_whole(image))
    return Result(
        f"docker-registry, an image with a layer of {options.layer_mebibytes:,} MiB",
        [
            compare(
                "speed of verify --full",
                (size / one.seconds for one in ours),
                "curl and sha256sum",
                (size / seconds for seconds in curls),
                written=lambda rate: f"{mebibytes(rate)}/s",
                goal=Goal(least=0.7),
            ),
            compare(
                "peak memory",
                (one.peak_memory for one in ours),
                "most",
                [_MEMORY] * len(ours),
                written=mebibytes,
                goal=Goal(most=1),
            ),
        ],
        {"verify": [asdict(one) for one in ours], "curl": curls},
    )
