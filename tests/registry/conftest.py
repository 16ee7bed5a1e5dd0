"""A scripted server, a client that asks it, and retries that do not wait."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache

import pytest
import stamina
import uvloop

from exporter.registry import Errand, RegistryClient, open_client
from tests.integrity.virtual_time import VirtualTimeLoop
from tests.parts.certificates import Authority
from tests.registry.scripted import ScriptedServer, serve

Loop = Callable[[], asyncio.AbstractEventLoop]
# What depends on how a loop reports trouble is tested on the loop of the program, too.
_ON_EVERY_LOOP = {
    "test_credentials_helpers.py",
    "test_transport_cancellation.py",
    "test_transport_failures.py",
    "test_transport_tls.py",
}
_IN_VIRTUAL_TIME = {"test_auth.py", "test_auth_realms.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Loop]:
    if item.path.name in _IN_VIRTUAL_TIME:
        return {"virtual time": VirtualTimeLoop}
    loops: dict[str, Loop] = {"asyncio": asyncio.new_event_loop}
    if item.path.name in _ON_EVERY_LOOP:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


_trusting_the_system = cache(ssl.create_default_context)


@pytest.fixture(autouse=True)
def one_tls_context(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the system's certificates once, since that takes longer than most tests, but for those of TLS."""
    if request.path.name != "test_transport_tls.py":
        monkeypatch.setattr(ssl, "create_default_context", _trusting_the_system)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """As many attempts as ever, but no waiting between them, and no word about them."""
    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks(())
    with stamina.set_testing(testing=True, attempts=100, cap=True):
        yield
    stamina.instrumentation.set_on_retry_hooks(hooks)


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


@pytest.fixture
def refusing() -> Iterator[str]:
    """An address whose port is taken, but where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def never_connecting() -> Iterator[str]:
    """An address whose queue of connections is full, so that no other can be made, nor is refused."""
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield f"127.0.0.1:{full.getsockname()[1]}"


@pytest.fixture
async def tls_server(authority: Authority) -> AsyncIterator[ScriptedServer]:
    """A server that speaks TLS, for 127.0.0.1."""
    async with serve(authority.issue("127.0.0.1").server_context()) as scripted:
        yield scripted
