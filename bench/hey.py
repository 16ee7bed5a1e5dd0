"""The registry's own limit: what `hey` gets out of it, asking for one thing again and again."""

import re
import subprocess
from collections.abc import Mapping
from typing import Final

from bench.shape import Request, RequestKind, Shape
from exporter.oci.media_types import ACCEPT
from sample.process import ProcessError
from tests.parts.programs import find_program

_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_ANSWERS: Final = re.compile(r"\[(\d+)\]\s+\d+ responses")
_PARTIAL: Final = "206"
_OK: Final = "200"
# The listings are a handful of requests, so they are reckoned as tags.
_MEASURED: Final = (RequestKind.TAG, RequestKind.MANIFEST, RequestKind.LINK, RequestKind.LAST_BYTE)


class NoRate(Exception):  # noqa: N818 - says what is the matter
    """What `hey` measured is of no use."""


def measure_rates(url: str, shape: Shape, connections: int, requests: int) -> dict[RequestKind, float]:
    """Measure how many requests of each kind the registry answers in a second."""
    examples = {request.kind: request for request in _example_requests(shape)}
    return {kind: _rate(url, examples[kind], connections, requests) for kind in _MEASURED}


def limit(floor: Mapping[RequestKind, int], rates: Mapping[RequestKind, float]) -> float:
    """Reckon how many requests a second the registry would answer to a walk, at these rates."""
    seconds = sum(count / rates.get(kind, rates[RequestKind.TAG]) for kind, count in floor.items())
    return sum(floor.values()) / seconds


def _example_requests(shape: Shape) -> list[Request]:
    requests = list(Shape(1, shape.tags, shape.platforms).requests())
    blob = next(request for request in requests if request.kind is RequestKind.LAST_BYTE)
    return [*requests, Request(RequestKind.LINK, blob.path)]


def _rate(url: str, request: Request, connections: int, requests: int) -> float:
    what = ["-m", request.method, "-A", ACCEPT]
    if request.position is not None:
        what += ["-H", f"Range: bytes={request.position}-{request.position}"]
    workers = min(connections, requests)
    count = ["-n", str(requests), "-c", str(workers), "-disable-compression"]
    command = [str(find_program("hey")), *count, *what, url + request.path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProcessError(f"hey ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return parse_rate(done.stdout, _PARTIAL if request.position is not None else _OK)


def parse_rate(output: str, status: str) -> float:
    """Read the rate off what `hey` prints.

    Raises:
        NoRate: not every answer had this status.
    """
    rate, statuses = _RATE.search(output), _ANSWERS.findall(output)
    if rate is None or statuses != [status] or "Error distribution" in output:
        raise NoRate(f"hey was not answered {status} throughout:\n{output[-2000:]}")
    return float(rate[1])
