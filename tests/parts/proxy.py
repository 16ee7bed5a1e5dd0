"""A forwarding proxy: tunnels for https by `CONNECT`, and absolute addresses for http."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class ForwardProxy:
    """`requests` are the heads that it got: the first line and the headers, names in small letters.

    With `refuses` it answers that status to everyone.
    """

    url: str = ""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refuses: int | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def lines(self) -> list[str]:
        """The method and the target of each request."""
        return [line.removesuffix(" HTTP/1.1") for line, _ in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._forward(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await task
        writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *others = head.decode("latin-1").rstrip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in others)}
        self.requests.append((first, headers))
        method, target, _ = first.split(" ")
        if self.refuses is not None:
            writer.write(f"HTTP/1.1 {self.refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        there, back = await asyncio.open_connection(url.hostname, url.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            path = target.removeprefix(f"{url.scheme}://{url.netloc}")
            lines = [f"{method} {path} HTTP/1.1", "Connection: close"]
            lines += [line for line in others if not line.lower().startswith(("proxy-", "connection:"))]
            back.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
    target.close()


@asynccontextmanager
async def forward() -> AsyncIterator[ForwardProxy]:
    """Serve on a loopback port of the system's choice."""
    proxy = ForwardProxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy.tasks:
            task.cancel()
        await asyncio.gather(*proxy.tasks, return_exceptions=True)
