"""A walk as a shell script does it: one curl a request, one after the other."""

import os
import resource
import subprocess
import tempfile
import time
from itertools import islice
from typing import Final

from bench.measuring import Measured, cpu_seconds
from bench.shape import Request, Shape
from exporter.oci.media_types import ACCEPT
from sample.process import ProcessError

_SCRIPT: Final = """
set -eu
while read -r line; do
    curl --silent --show-error --fail --output /dev/null --header "Accept: $ACCEPT" $line
done
"""


def measure_curl(url: str, shape: Shape, requests: int) -> Measured:
    """Ask so many of a walk's requests, drawn evenly from all of them; its memory is not measured."""
    step = max(1, sum(shape.floor.values()) // requests)
    sample = list(islice(shape.requests(), 0, None, step))[:requests]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as lines:
        lines.writelines(_line(url, request) for request in sample)
        lines.seek(0)
        cpu, started = cpu_seconds(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            ["sh", "-c", _SCRIPT],
            stdin=lines,
            env={**os.environ, "ACCEPT": ACCEPT},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise ProcessError(f"curl ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return Measured({"any": len(sample)}, seconds, cpu_seconds(resource.RUSAGE_CHILDREN) - cpu, 0)


def _line(url: str, request: Request) -> str:
    method = "--head" if request.method == "HEAD" else ""
    last_byte = "" if request.position is None else f"--range {request.position}-{request.position}"
    return f"{method} {last_byte} {url}{request.path}\n"
