"""Scrapes of a large registry's metrics, and how long they hold up the event loop that also walks.

    python -m bench.scrapes REPOSITORIES

In a process of its own, which serves as `serve` does; curl scrapes. What was measured goes to standard output
as JSON; times are in seconds.
"""

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import uvloop

from exporter.daemon import LastReports
from exporter.integrity import Kind, Outcome, RegistryKind, Report, RepositoryReport
from exporter.metrics import ExportedRegistry, ExporterMetrics, Format
from exporter.web import create_app, start_server

_CHECKOUT: Final = Path(__file__).resolve().parents[1]
_REGISTRY: Final = ExportedRegistry("bench", "http://registry.invalid", 900)
_BEAT: Final = 0.001  # seconds


@dataclass(frozen=True, slots=True)
class Scrapes:
    """What one process measured; a lag is the longest time that the loop was late."""

    series: int
    write_seconds: float
    write_lag: float
    plain_seconds: float
    plain_lag: float
    gzip_seconds: float
    gzip_lag: float


def measure_scrapes(repositories: int) -> Scrapes:
    """Measure in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.scrapes", str(repositories)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_CHECKOUT,
        check=True,
    )
    return Scrapes(**json.loads(done.stdout))


class _Lag:
    """Asks the loop again and again to come back in a moment, and notes how late it was at worst."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._ask()
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.cancel()

    def _ask(self) -> None:
        due = self._loop.time() + _BEAT
        self._handle = self._loop.call_later(_BEAT, self._come_back, due)

    def _come_back(self, due: float) -> None:
        self.worst = max(self.worst, self._loop.time() - due)
        self._ask()


async def _measured(repositories: int) -> Scrapes:
    reports = LastReports()
    metrics = ExporterMetrics([_REGISTRY], reports, "0")
    loop = asyncio.get_running_loop()
    reports.replace(_report(repositories))
    with _Lag() as writing:
        began = loop.time()
        await metrics.refresh()
        written = loop.time() - began
    async with _serving(metrics, reports) as url:
        plain_seconds, plain_lag = await _scrape(url)
        gzip_seconds, gzip_lag = await _scrape(url, "--header", "Accept-Encoding: gzip")
    series = sum(not line.startswith(b"#") for line in (await metrics.scrape(Format.TEXT)).splitlines())
    return Scrapes(series, written, writing.worst, plain_seconds, plain_lag, gzip_seconds, gzip_lag)


@asynccontextmanager
async def _serving(metrics: ExporterMetrics, reports: LastReports) -> AsyncIterator[str]:
    server = await start_server(create_app(metrics, reports, {}, "0"), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.port}/metrics"
    finally:
        await server.close()


async def _scrape(url: str, *options: str) -> tuple[float, float]:
    """Scrape once; return how long curl says that it took, and how late the loop was meanwhile."""
    arguments = [
        "--silent",
        "--show-error",
        "--fail",
        "--output",
        "/dev/null",
        "--write-out",
        "%{time_total}",
    ]
    # To start a process holds up the loop, too: curl is there, and waits, before anything is measured.
    process = await asyncio.create_subprocess_exec(
        *("curl", "--config", "-", *arguments, *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    with _Lag() as lag:
        said, _ = await process.communicate(f'url = "{url}"'.encode())
    if process.returncode != 0:
        raise RuntimeError(f"curl ended with {process.returncode}")
    return float(said), lag.worst


def _report(repositories: int) -> Report:
    """What a cycle leaves of a registry that is intact."""
    now = datetime.now(UTC)
    names = [f"team-{number % 97}/app-{number}" for number in range(repositories)]
    return Report(
        registry=_REGISTRY.name,
        url=_REGISTRY.url,
        kind=RegistryKind.PRIVATE,
        outcome=Outcome.COMPLETE,
        catalog_accessible=True,
        started_at=now,
        finished_at=now,
        duration_seconds=1.0,
        requests=1,
        extra_requests={},
        repositories={
            name: RepositoryReport(
                name, walked=True, tags=20, checked=dict.fromkeys(Kind, 20), last_verified=now
            )
            for name in names
        },
        last_success=now,
        repositories_at_success=repositories,
    )


def main(repositories: str) -> None:
    """Measure in this process."""
    gc.freeze()  # as `serve` does
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(_measured(int(repositories)))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main(*sys.argv[1:])
