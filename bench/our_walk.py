"""Our own walk, as `serve` runs it."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.endless import EndlessRegistry
from bench.measuring import Answers, Walk
from bench.shape import Shape
from exporter.integrity import Cycle, CycleOptions, Outcome, RegistryKind, Report
from exporter.metrics import RequestMetrics
from exporter.registry import RegistryClient, open_client


class UnexpectedReport(Exception):  # noqa: N818 - says what is the matter
    """A registry that is intact was not found so; the message says what was found instead."""


class _Watch(RequestMetrics):
    """Counts for `serve`'s metrics as well as for us."""

    __slots__ = ("answers",)

    def __init__(self) -> None:
        super().__init__()
        self.answers: Counter[str] = Counter()

    def requested(self, method: str, code: str, seconds: float) -> None:
        super().requested(method, code, seconds)
        self.answers[f"{method} {code}"] += 1


@asynccontextmanager
async def open_our_walk(url: str, connections: int) -> AsyncIterator[Walk]:
    """Open a walk of the registry at `url`; from one cycle to the next it remembers manifests."""
    watch = _Watch()
    async with open_client(url, concurrency=connections, observer=watch) as client:
        yield _walk(url, client, watch, connections)


@asynccontextmanager
async def open_endless_walk(
    repositories: int, tags: int, platforms: int, connections: int
) -> AsyncIterator[Walk]:
    """Open a walk of a registry in this process, of any size."""
    url, watch = "http://registry.invalid", _Watch()
    registry = EndlessRegistry(Shape(repositories, tags, platforms))
    yield _walk(url, RegistryClient(url, registry, observer=watch), watch, connections)


def _walk(url: str, client: RegistryClient, watch: _Watch, connections: int) -> Walk:
    cycle = Cycle("bench", url, RegistryKind.PRIVATE, client, CycleOptions(concurrency=connections))
    last: Report | None = None

    async def walk() -> Answers:
        nonlocal last
        watch.answers.clear()
        last = await cycle.run(last)
        found = next(last.findings(), None)
        if last.outcome is not Outcome.COMPLETE or found is not None:
            raise UnexpectedReport(f"{last.outcome}, the first finding: {found}")
        extra = watch.answers.total() - last.requests
        if extra:
            raise UnexpectedReport(f"{extra} requests beside those of the walk")
        return dict(watch.answers)

    return walk
