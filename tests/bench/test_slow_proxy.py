"""The long way to a server."""

import asyncio

from bench.slow_proxy import open_slow_proxy

DELAY = 0.05
A_MILLISECOND = 0.001  # which its timers are exact to


async def test_everything_arrives_in_order_and_late():
    """What the server says comes through whole and at its time, and so does its end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, open_slow_proxy(*server.sockets[0].getsockname(), DELAY) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for line in (b"one\n", b"two\n"):
            asked_at = loop.time()
            writer.write(line)
            assert await reader.readline() == line.upper()
            assert loop.time() - asked_at >= DELAY - A_MILLISECOND
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_server_that_is_not_there_ends_the_connection():
    """As it would without a proxy."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    host, closed_port = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    async with open_slow_proxy(host, closed_port, DELAY) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
