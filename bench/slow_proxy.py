"""A TCP proxy that holds back what the server says, as a long way to it would.

    python -m bench.slow_proxy HOST PORT SECONDS

It listens on a port of loopback that the system chooses, and writes which.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Final

_CHUNK: Final = 65536


@asynccontextmanager
async def open_slow_proxy(host: str, port: int, delay: float) -> AsyncIterator[int]:
    """Listen on loopback for a server, whose bytes arrive `delay` seconds late; give the port."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_connect(reader, writer, host, port, delay))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _connect(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, delay: float
) -> None:
    with closing(writer), suppress(OSError):
        server_reader, server_writer = await asyncio.open_connection(host, port)
        with closing(server_writer):
            passing_on = asyncio.create_task(_pass_on(reader, server_writer))
            try:
                await _hold_back(server_reader, writer, delay)
            finally:
                passing_on.cancel()
                await asyncio.wait([passing_on])


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
        writer.write_eof()


async def _hold_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    loop = asyncio.get_running_loop()
    while chunk := await reader.read(_CHUNK):
        loop.call_later(delay, writer.write, chunk)
    await asyncio.sleep(delay)  # what is held back comes before the end


async def _main(host: str, port: str, delay: str) -> None:
    async with open_slow_proxy(host, int(port), float(delay)) as own_port:
        print(f"listening on {own_port}", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(*sys.argv[1:]))
