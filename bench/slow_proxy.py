"""A TCP proxy that holds back what the server says, as a long way to it would.

    python -m bench.slow_proxy HOST PORT SECONDS

It listens on a port of loopback that the system chooses, and writes which. It takes little time
itself, since that counts as the client's.
"""

import asyncio
import math
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

import uvloop

_MILLISECONDS: Final = 1000  # what timers are exact to


@asynccontextmanager
async def open_slow_proxy(host: str, port: int, delay: float) -> AsyncIterator[int]:
    """Listen on loopback for a server, whose bytes arrive `delay` seconds late; give the port."""
    clients: set[_Client] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(clients, host, port, delay), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        connecting = [client.connecting for client in clients]
        for client in tuple(clients):
            client.close()
        await asyncio.gather(*connecting, return_exceptions=True)


class _Client(asyncio.Protocol):
    """A connection from a client, and the one to the server that belongs to it."""

    def __init__(self, clients: "set[_Client]", host: str, port: int, delay: float) -> None:
        self._clients = clients
        self._address = (host, port)
        self._delay = delay
        self._early: list[bytes] = []  # what came before there was a connection to the server
        self._server: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._clients.add(self)
        self.connecting = asyncio.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        if self._server is None:
            self._early.append(data)
        else:
            self._server.write(data)

    def eof_received(self) -> bool:
        """The server may still have something to say."""
        if self._server is not None:
            self._server.write_eof()
        return self._server is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whyever
        self._clients.discard(self)
        self.close()

    def hold_back(self, act: Callable[..., None], *arguments: Any) -> None:
        """Do something later; at most a millisecond too early or too late, on average neither."""
        loop = asyncio.get_running_loop()
        # An event loop counts in whole milliseconds, and may look at the clock less often than that. It waits
        # for half of one too long on average, which is why these are rounded down.
        seconds = time.monotonic() + self._delay - loop.time()
        loop.call_later(math.floor(seconds * _MILLISECONDS) / _MILLISECONDS, act, *arguments)

    def answer(self, data: bytes) -> None:
        """Say what the server said, later."""
        self.hold_back(self._transport.write, data)

    def close(self) -> None:
        """End both connections."""
        self.connecting.cancel()
        self._transport.close()
        if self._server is not None:
            self._server.close()

    async def _connect(self) -> None:
        try:
            self._server, _ = await asyncio.get_running_loop().create_connection(
                lambda: _Server(self), *self._address
            )
        except OSError:
            self._transport.close()
            return
        self._server.writelines(self._early)


class _Server(asyncio.Protocol):
    """A connection to the server."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.answer(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whyever
        self._client.hold_back(self._client.close)  # what is held back comes before the end


async def _main(host: str, port: str, delay: str) -> None:
    async with open_slow_proxy(host, int(port), float(delay)) as own_port:
        print(f"listening on {own_port}", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(*sys.argv[1:]))
