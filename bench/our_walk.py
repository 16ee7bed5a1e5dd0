"""Our own walk, as `serve` runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from bench.endless import EndlessRegistry
from bench.measuring import Walk
from bench.shape import Shape
from exporter.integrity import Cycle, CycleOptions, Outcome, RegistryKind, Report
from exporter.metrics import RequestMetrics
from exporter.registry import RegistryClient, open_client


class UnexpectedReport(Exception):  # noqa: N818 - says what is the matter
    """A registry that is intact was not found so; the message says what was found instead."""


@asynccontextmanager
async def open_our_walk(url: str, connections: int) -> AsyncIterator[Walk]:
    """Open a walk of the registry at `url`; from one cycle to the next it remembers manifests."""
    async with open_client(url, concurrency=connections, observer=RequestMetrics()) as client:
        yield _walk(url, client, connections)


@asynccontextmanager
async def open_endless_walk(
    repositories: int, tags: int, platforms: int, connections: int
) -> AsyncIterator[Walk]:
    """Open a walk of a registry in this process, of any size."""
    url = "http://registry.invalid"
    registry: httpx.AsyncBaseTransport = EndlessRegistry(Shape(repositories, tags, platforms))
    yield _walk(url, RegistryClient(url, registry, observer=RequestMetrics()), connections)


def _walk(url: str, client: RegistryClient, connections: int) -> Walk:
    cycle = Cycle("bench", url, RegistryKind.PRIVATE, client, CycleOptions(concurrency=connections))
    last: Report | None = None

    async def walk() -> int:
        nonlocal last
        last = await cycle.run(last)
        extra = sum(last.extra_requests.values())
        found = next(last.findings(), None)
        if last.outcome is not Outcome.COMPLETE or found is not None or extra:
            raise UnexpectedReport(f"{last.outcome}, {extra} extra requests, the first finding: {found}")
        return last.requests

    return walk
