"""A cycle of a real registry, against what that registry can do and what bare aiohttp makes of it."""

from collections.abc import Sequence
from dataclasses import asdict

from bench.curl import measure_curl
from bench.hey import limit, measure_rates
from bench.measuring import Measured
from bench.options import Options
from bench.results import Goal, Result, Row, compare, milliseconds, per_second
from bench.servers import docker_registry
from bench.walks import Pair, in_json, limit_rows, request_rows, walk_both, walk_rows


def run(options: Options) -> Result:
    """Measure."""
    shape = options.shape
    rates, pairs, curls = [], [], []
    with docker_registry(shape) as registry:
        for number in range(options.runs):
            registry.restart()  # with an empty log and an empty cache
            rates.append(measure_rates(registry.url, shape, options.connections, options.hey_requests))
            pairs.append(walk_both(registry.url, options.connections, bare_first=number % 2 == 0))
            curls.append(measure_curl(registry.url, shape, options.curl_requests))
    limits = [limit(shape.floor, rate) for rate in rates]
    return Result(
        f"docker-registry, {shape}, {options.connections} connections",
        [
            *request_rows(pairs, shape),
            *walk_rows(pairs, speed=Goal(least=0.95)),
            *limit_rows(pairs, limits),
            *_curl_rows(pairs, curls),
        ],
        {
            "hey": rates,
            "limits": limits,
            "walks": in_json(pairs),
            "curl": [asdict(curl) for curl in curls],
        },
    )


def _curl_rows(pairs: Sequence[Pair], curls: Sequence[Measured]) -> list[Row]:
    name = f"one curl a request, {curls[0].requests} of them"
    warm = [pair.ours.warm for pair in pairs]
    return [
        compare(
            "speed of a warm cycle",
            (one.rate for one in warm),
            name,
            (curl.rate for curl in curls),
            written=per_second,
        ),
        compare(
            "CPU time of a request, warm",
            (one.cpu_per_request for one in warm),
            name,
            (curl.cpu_per_request for curl in curls),
            written=milliseconds,
        ),
    ]
