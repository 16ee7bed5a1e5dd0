"""Certificates and a token service, and retries that do not log."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import stamina
import uvloop

from tests.parts.token_service import TokenService, serve_tokens

Loop = Callable[[], asyncio.AbstractEventLoop]
# What depends on how a loop makes connections is tested on the loop of the program, too.
_ON_EVERY_LOOP = {"test_connections.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Loop]:
    loops: dict[str, Loop] = {"asyncio": asyncio.new_event_loop}
    if item.path.name in _ON_EVERY_LOOP:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """As many attempts as ever, but no waiting between them, and no word about them."""
    stamina.instrumentation.set_on_retry_hooks(())
    with stamina.set_testing(testing=True, attempts=100, cap=True):
        yield
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TokenService]:
    """A token service, running."""
    async with serve_tokens(tmp_path_factory.mktemp("tokens")) as service:
        yield service
