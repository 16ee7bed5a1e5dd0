"""Reading an image whole: by the program, in a process of its own, and by `curl` and `sha256sum`.

    python -m bench.whole IMAGE

verifies the image with `verify --full` and writes what that took as JSON.
"""

import io
import json
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.large import LargeImage
from bench.measuring import Measured, cpu_seconds, peak_memory
from sample.process import ProcessError

_CHECKOUT: Final = Path(__file__).resolve().parents[1]


def verify_whole(image: LargeImage) -> Measured:
    """Run the program; its time is that of the whole process, from its start to its end."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.whole", image.image],
        cwd=_CHECKOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise ProcessError(f"verify ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return Measured(**{**json.loads(done.stdout), "seconds": seconds})


def curl_whole(image: LargeImage) -> float:
    """Pipe the layer from `curl` into `sha256sum`; return the seconds that takes."""
    started = time.perf_counter()
    done = subprocess.run(
        ["sh", "-c", 'curl --silent --show-error --fail "$0" | sha256sum', image.layer_url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.stdout.split()[:1] != [image.digest.removeprefix("sha256:")]:
        raise ProcessError(f"curl and sha256sum say {done.stdout.strip()} {done.stderr.strip()[-2000:]}")
    return seconds


def main(image: str) -> int:
    """Verify in this process; return the exit status."""
    from exporter.cli import main as run  # noqa: PLC0415 - so that its loading is measured, too

    sys.argv = ["verify", "verify", "--full", "--quiet", "--output=json", image]
    printed = io.StringIO()
    with redirect_stdout(printed):
        status = run()
    [report] = json.loads(printed.getvalue())["registries"]
    answers = {"any": report["requests"] + sum(report["extra_requests"].values())}
    print(json.dumps(asdict(Measured(answers, 0.0, cpu_seconds(), peak_memory()))))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
