"""A server that answers by a script, byte for byte.

The script is a table from a request line to replies, each for one request. A request that it does not know is
remembered and cut off; in the end the test fails for that, as it does for a reply that nobody wanted. No task
runs here: what is left of a loop's tasks after a test is the client's.
"""

import asyncio
import json
import socket
import ssl
import struct
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, cast

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
PATIENCE = 10.0  # seconds for what comes at once; only a failing test waits so long


class Then(Enum):
    """What the server does after the bytes of a reply."""

    KEEP = auto()
    CLOSE = auto()
    RESET = auto()
    STALL = auto()  # as KEEP, but says that the reply is not whole


@dataclass(frozen=True)
class Reply:
    """Bytes, and what follows them."""

    data: bytes
    then: Then = Then.KEEP


def reply(
    status: int = 200,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    length: int | None = None,
    then: Then = Then.KEEP,
) -> Reply:
    """Write an answer; `length` is announced instead of the body's own, for HEAD and for lies."""
    fields = {"Content-Length": str(len(body) if length is None else length), **(headers or {})}
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items())]
    return Reply("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body, then)


def json_reply(document: Any, status: int = 200, **headers: str) -> Reply:
    """Write an answer that is a document."""
    return reply(status, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})


def error_reply(status: int, *codes: str, **headers: str) -> Reply:
    """Write an error as the distribution specification wants it."""
    errors = [{"code": code, "message": "scripted", "detail": None} for code in codes]
    return json_reply({"errors": errors}, status, **headers)


@dataclass(frozen=True)
class Request:
    """What a client asked: `line` is the method and the target."""

    line: str
    headers: Mapping[str, str]
    connection: int


@dataclass
class ScriptedServer:
    """The script, and what was asked so far."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _script: defaultdict[str, deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    _forever: dict[str, Reply] = field(default_factory=dict)
    _open: set["_Connection"] = field(default_factory=set)
    _accepted: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, line: str, *replies: Reply) -> None:
        """Answer this request with these replies, one after the other."""
        self._script[line].extend(replies)

    def always(self, line: str, what: Reply) -> None:
        """Answer this request so, as often as it comes."""
        self._forever[line] = what

    @property
    def lines(self) -> list[str]:
        """The method and target of each request."""
        return [request.line for request in self.requests]

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return self._accepted

    @property
    def unused(self) -> dict[str, int]:
        """How many replies of each request are left."""
        return {line: len(replies) for line, replies in self._script.items() if replies}

    async def was_asked(self, times: int = 1) -> None:
        """Wait for so many requests."""
        await self._until(lambda: len(self.requests) >= times)

    async def was_connected(self) -> None:
        """Wait for the first connection."""
        await self._until(lambda: self._accepted > 0)

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        await self._until(lambda: not self._open)

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not reached():
                self._changed.clear()
                await self._changed.wait()

    def opened(self, connection: "_Connection") -> int:
        self._open.add(connection)
        self._accepted += 1
        self._changed.set()
        return self._accepted

    def closed(self, connection: "_Connection") -> None:
        self._open.discard(connection)
        self._changed.set()

    def take(self, request: Request) -> Reply:
        self.requests.append(request)
        self._changed.set()
        if self._script[request.line]:
            return self._script[request.line].popleft()
        if request.line in self._forever:
            return self._forever[request.line]
        self.unknown.append(request.line)
        return Reply(b"", Then.RESET)

    def hang_up(self) -> None:
        for connection in tuple(self._open):
            connection.transport.abort()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: ScriptedServer, greeting: bytes) -> None:
        self._server = server
        self._greeting = greeting
        self._received = b""
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._number = self._server.opened(self)
        self.transport.write(self._greeting)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head.decode("latin-1").split("\r\n"))

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.closed(self)

    def _answer(self, lines: list[str]) -> None:
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, f"{name} was sent twice"
            headers[name.lower()] = value
        what = self._server.take(Request(lines[0].removesuffix(" HTTP/1.1"), headers, self._number))
        self.transport.write(what.data)
        if what.then is Then.CLOSE:
            self.transport.close()
        elif what.then is Then.RESET:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()


@asynccontextmanager
async def serve(tls: ssl.SSLContext | None = None, *, greeting: bytes = b"") -> AsyncIterator[ScriptedServer]:
    """Serve on a loopback port of the system's choice; unknown requests and unused replies fail.

    The greeting is what a client gets before it has asked.
    """
    script = ScriptedServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(script, greeting), "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    script.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield script
    finally:
        server.close()
        script.hang_up()
        await script.all_closed()
        await server.wait_closed()
    assert (script.unknown, script.unused) == ([], {})
