"""A TCP proxy that holds back what the server says, as a long way to it would.

    python -m bench.slow_proxy HOST PORT SECONDS

It listens on a port of loopback that the system chooses, and writes which.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

_CHUNK: Final = 65536


@asynccontextmanager
async def open_slow_proxy(host: str, port: int, delay: float) -> AsyncIterator[int]:
    """Listen on loopback for a server, whose bytes arrive `delay` seconds late; give the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            server_reader, server_writer = await asyncio.open_connection(host, port)
            await asyncio.gather(_pass_on(reader, server_writer), _hold_back(server_reader, writer, delay))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
    finally:
        writer.close()


async def _hold_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        while chunk := await reader.read(_CHUNK):
            loop.call_later(delay, writer.write, chunk)
    finally:
        loop.call_later(delay, writer.close)


async def _main(host: str, port: str, delay: str) -> None:
    async with open_slow_proxy(host, int(port), float(delay)) as own_port:
        print(f"listening on {own_port}", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(*sys.argv[1:]))
