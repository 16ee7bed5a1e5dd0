"""Cancelled at any stage of a request: no task and no connection is left behind."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import stamina

from exporter.oci import Digest
from exporter.registry import Errand, RegistryClient, open_client
from tests.registry.scripted import Reply, ScriptedServer, Then, reply, serve

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
GET = f"GET /v2/app/manifests/{DIGEST}"
BLOB = f"GET /v2/app/blobs/{DIGEST}"
OK = b"HTTP/1.1 200 OK\r\n"


def ask(client: RegistryClient) -> Awaitable[Any]:
    return client.get_manifest("app", DIGEST, Errand())


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fail when there are other tasks in the end than there were in the beginning."""
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() == before


async def cancel(asking: Awaitable[Any], reached: Callable[[], Awaitable[None]]) -> None:
    """Ask in a task, and cancel it when a stage was reached."""
    task = asyncio.ensure_future(asking)
    await reached()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "answer",
    [
        Reply(b"", Then.STALL),
        Reply(OK + b"Content-Le", Then.STALL),
        Reply(b"HTTP/1.1 100 Continue\r\n\r\n", Then.STALL),
        reply(200, b"", length=9, then=Then.STALL),
        reply(200, b"ab", length=9, then=Then.STALL),
        Reply(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", Then.STALL),
        reply(404, b'{"errors":', length=99, then=Then.STALL),
    ],
    ids=["waiting", "in headers", "continued", "before body", "in body", "in chunks", "in error"],
)
async def test_cancelled_while_an_answer_is_waited_for(answer: Reply, server: ScriptedServer):
    """Its connection is closed, since the rest of it could still come there."""
    async with open_client(server.url) as client:
        async with nothing_left():
            server.answer(GET, answer)
            await cancel(ask(client), server.was_asked)
            await server.all_closed()
        server.answer(GET, reply(200, b"{}"))
        assert (await client.get_manifest("app", DIGEST, Errand())).body == b"{}"


async def test_cancelled_while_a_body_streams_in(server: ScriptedServer):
    """More of it is on its way than was read."""
    endless = Reply(OK + b"\r\n" + b"x" * 3_000_000, Then.STALL)
    async with open_client(server.url) as client, nothing_left():
        server.answer(GET, endless)
        await cancel(ask(client), server.was_asked)
        await server.all_closed()


async def test_cancelled_after_a_redirect(server: ScriptedServer):
    """Both connections are closed, or usable."""
    async with serve() as store, open_client(server.url) as client, nothing_left():
        server.answer(GET, reply(307, headers={"Location": f"{store.url}/data"}))
        store.answer("GET /data", Reply(OK, Then.STALL))
        await cancel(ask(client), store.was_asked)
        await store.all_closed()


async def test_cancelled_while_tls_is_agreed_on(server: ScriptedServer):
    """The server has accepted, and says nothing."""
    async with open_client(server.url.replace("http:", "https:")) as client, nothing_left():
        await cancel(ask(client), server.was_connected)
        await server.all_closed()


async def test_cancelled_while_connecting(never_connecting: str):
    """No socket is left open."""

    async def started() -> None:
        """Wait until the client has made its socket, in turns of the loop: nothing tells of it."""
        for _ in range(10_000):
            if open_files() != before:
                return
            await asyncio.sleep(0)

    async with open_client(f"http://{never_connecting}") as client, nothing_left():
        before = open_files()
        await cancel(ask(client), started)
        await asyncio.sleep(0)
        assert open_files() == before


async def together(*asking: Awaitable[Any]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in asking:
            group.create_task(one)


def open_files() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all that is compared


async def test_cancelled_while_other_requests_have_all_connections(server: ScriptedServer):
    """Who waits for a connection leaves no trace; the others go on."""
    server.answer(BLOB, Reply(b"", Then.STALL))
    async with open_client(server.url, concurrency=1) as client, nothing_left():
        holder = asyncio.ensure_future(client.last_byte("app", DIGEST, 7, Errand()))
        await server.was_asked()
        await cancel(ask(client), lambda: asyncio.sleep(0))
        assert not holder.done()
        await cancel(holder, lambda: asyncio.sleep(0))
        await server.all_closed()
    assert server.lines == [BLOB]


async def test_cancelled_between_two_attempts(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch):
    """It does not ask again."""
    waiting = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def reached() -> None:
        await waiting.wait()

    monkeypatch.setattr("stamina._core._smart_sleep", sleep)
    server.answer(GET, reply(503))
    with stamina.set_testing(testing=False):
        async with open_client(server.url) as client, nothing_left():
            await cancel(ask(client), reached)
    assert server.lines == [GET]


async def test_client_that_is_closed_leaves_no_connection(server: ScriptedServer):
    """Nor a task, after many requests at once."""
    for number in range(20):
        server.answer(f"GET /v2/app/manifests/{number}", reply(200, b"{}"))
    async with nothing_left():
        async with open_client(server.url, concurrency=4) as client:
            await asyncio.gather(*[client.get_manifest("app", str(number), Errand()) for number in range(20)])
        await server.all_closed()


async def test_group_that_fails_takes_its_requests_along(server: ScriptedServer):
    """As when a cycle is stopped."""
    for number in range(8):
        server.answer(f"GET /v2/app/manifests/{number}", Reply(OK, Then.STALL))
    async with open_client(server.url) as client, nothing_left():

        async def fail() -> None:
            await server.was_asked(8)
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup):
            await together(fail(), *[client.get_manifest("app", str(one), Errand()) for one in range(8)])
        await server.all_closed()
    assert len(server.lines) == 8
