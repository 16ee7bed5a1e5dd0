"""A scripted server, a client that asks it, and retries that do not wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import stamina
import uvloop

from exporter.registry import Errand, RegistryClient, open_client
from tests.registry.scripted import ScriptedServer, serve

Loop = Callable[[], asyncio.AbstractEventLoop]
# What depends on how a loop reports trouble is tested on the loop of the program, too.
_ON_EVERY_LOOP = {"test_transport_failures.py", "test_transport_cancellation.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Loop]:
    loops: dict[str, Loop] = {"asyncio": asyncio.new_event_loop}
    if item.path.name in _ON_EVERY_LOOP:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """As many attempts as ever, but no waiting between them."""
    with stamina.set_testing(testing=True, attempts=100, cap=True):
        yield


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server with an empty script."""
    async with serve() as scripted:
        yield scripted


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[RegistryClient]:
    """A client of that server."""
    async with open_client(server.url) as opened:
        yield opened


@pytest.fixture
def errand() -> Errand:
    """Something to ask for."""
    return Errand()
