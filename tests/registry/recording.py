"""Servers that keep every request they get, whatever it was, and answer as they are told."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Recorded:
    """A request as it came: `host` is the header, with which a client says whom it believes to ask.

    `certificate` is the serial number of the one that it showed, empty where it showed none.
    """

    host: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    certificate: str = ""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    def __contains__(self, text: str) -> bool:
        return text in f"{self.target}\n{self.headers}\n{self.body!r}"


@dataclass(frozen=True)
class Say:
    """An answer; a header may come several times."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Answering = Callable[[Recorded], Say]


@dataclass
class Recorder:
    """A server; `answering` may be replaced at any time. With `one_each` a connection is for one request."""

    answering: Answering = lambda _request: Say()
    port: int = 0
    requests: list[Recorded] = field(default_factory=list)
    one_each: bool = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert len(headers) == len(request.headers), "a header came twice"
        recorded = Recorded(
            headers.get("host", ""),
            request.method,
            request.path_qs,
            headers,
            await request.read(),
            (request.get_extra_info("peercert") or {}).get("serialNumber", ""),
        )
        self.requests.append(recorded)
        say = self.answering(recorded)
        response = web.Response(status=say.status, body=say.body)
        for name, value in say.headers:
            response.headers.add(name, value)
        if self.one_each:
            response.force_close()
        return response


@asynccontextmanager
async def record(
    answering: Answering = lambda _request: Say(),
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Recorder]:
    """Serve on a loopback port of the system's choice."""
    recorder = Recorder(answering)
    runner = web.ServerRunner(web.Server(recorder.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    recorder.port = runner.addresses[0][1]
    try:
        yield recorder
    finally:
        await runner.cleanup()
