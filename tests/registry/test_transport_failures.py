"""Every way in which there is no answer, or none that can be used, over real connections."""

import asyncio

import aiohttp
import httpx
import pytest

from exporter.oci import Digest
from exporter.registry import (
    AnswerError,
    BlobHead,
    ConnectionFailedError,
    Errand,
    LastByte,
    ManifestBody,
    ProtocolError,
    RegistryClient,
    TimedOutError,
    TruncatedBodyError,
    open_client,
)
from exporter.registry.errors import ConnectTimedOutError, NotConnectedError
from tests.registry.failure import failure
from tests.registry.scripted import PATIENCE, Reply, ScriptedServer, Then, error_reply, reply

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
PATH = f"/v2/app/manifests/{DIGEST}"
GET = f"GET {PATH}"
BLOB = f"/v2/app/blobs/{DIGEST}"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSED = "failed: the connection was closed before an answer"
RESET = "failed: connection reset by peer"
NOT_HTTP = "was answered with what is not HTTP"
ENCODED = "answered encoded although identity was asked for"
SHORT = 0.05  # seconds


async def test_nobody_listens(refusing: str, errand: Errand):
    """No connection, and the system's word for why."""
    async with open_client(f"http://{refusing}") as client:
        assert await failure(client.ping(errand)) == (
            NotConnectedError,
            "GET /v2/ failed: connection refused",
        )


async def test_no_connection_in_time(never_connecting: str, errand: Errand):
    """Told apart from an answer that is late."""
    async with open_client(f"http://{never_connecting}", timeout=SHORT, catalog_timeout=10) as client:
        assert await failure(client.ping(errand)) == (
            ConnectTimedOutError,
            "GET /v2/ could not connect in time",
        )


async def test_connecting_may_take_5_seconds_of_a_longer_timeout(errand: Errand):
    """Whoever has not accepted by then will not."""
    timeouts = []

    def answer(request: httpx.Request) -> httpx.Response:
        timeouts.append(request.extensions["timeout"])
        return httpx.Response(200)

    for seconds in (60.0, 2.0):
        client = RegistryClient("http://registry.example", httpx.MockTransport(answer), timeout=seconds)
        await client.ping(errand)
    assert timeouts == [{"connect": 5.0}, {"connect": 2.0}]


async def test_no_such_host(monkeypatch: pytest.MonkeyPatch, errand: Errand):
    """Told apart from a host that is there; the name server's words are left out."""

    async def resolve(*_arguments: object, **_options: object) -> None:
        raise OSError(None, "Domain name not found")

    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", resolve)
    async with open_client("http://registry.example") as client:
        assert await failure(client.ping(errand)) == (
            NotConnectedError,
            "GET /v2/ failed: the host name could not be resolved",
        )


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Reply(b"", Then.CLOSE), ConnectionFailedError, CLOSED),
        (Reply(OK, Then.CLOSE), ConnectionFailedError, CLOSED),
        (Reply(OK + b"Content-Le", Then.CLOSE), ConnectionFailedError, CLOSED),
        (Reply(b"", Then.RESET), ConnectionFailedError, RESET),
        (Reply(OK + b"Content-Le", Then.RESET), ConnectionFailedError, RESET),
    ],
    ids=["close", "close after status", "close in headers", "reset", "reset in headers"],
)
async def test_connection_lost_before_an_answer(
    answer: Reply, kind: type[Exception], message: str, server: ScriptedServer, errand: Errand
):
    """It was there, so this is not the same as no connection."""
    server.always(GET, answer)
    async with open_client(server.url) as client:
        assert await failure(client.get_manifest("app", DIGEST, errand)) == (kind, f"{GET} {message}")


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (reply(200, b"ab", length=9, then=Then.CLOSE), 2),
        (reply(200, b"ab", length=9, then=Then.RESET), 2),
        (reply(200, b"", length=9, then=Then.CLOSE), 0),
        (Reply(CHUNKED + b"5\r\nab", Then.CLOSE), 2),
        (Reply(CHUNKED + b"2\r\nab\r\n", Then.CLOSE), 2),
        (Reply(CHUNKED + b"5\r\nab", Then.RESET), 2),
    ],
    ids=["close", "reset", "close at once", "close in chunk", "close after chunk", "reset in chunk"],
)
async def test_connection_lost_in_the_body(
    answer: Reply, got: int, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """The detail tells the status, which was good, and how far the body came."""
    server.always(GET, answer)
    assert await failure(client.get_manifest("app", DIGEST, errand)) == (
        TruncatedBodyError,
        f"{GET} answered 200, but the body ended after {got} bytes",
    )


@pytest.mark.parametrize(
    "answer",
    [
        Reply(b"", Then.STALL),
        Reply(OK + b"Content-Le", Then.STALL),
        reply(200, b"", length=9, then=Then.STALL),
        reply(200, b"ab", length=9, then=Then.STALL),
        Reply(CHUNKED + b"2\r\nab\r\n", Then.STALL),
        Reply(OK + b"\r\nab", Then.STALL),
        # The library waits for more of a body that breaks off into nonsense.
        Reply(CHUNKED + b"%x\r\n" % 2**21 + b"x" * 2**21 + b"\r\nnonsense\r\n", Then.STALL),
    ],
    ids=["silence", "in headers", "before body", "in body", "in chunks", "without length", "broken chunks"],
)
async def test_answer_that_is_not_whole_in_time(answer: Reply, server: ScriptedServer, errand: Errand):
    """One deadline for all of it; the connection is closed."""
    server.always(GET, answer)
    async with open_client(server.url, timeout=SHORT) as client:
        assert await failure(client.get_manifest("app", DIGEST, errand)) == (
            TimedOutError,
            f"{GET} was not answered within 0.05 s",
        )
        await server.all_closed()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Reply(b"SSH-2.0-OpenSSH_9.2\r\n", Then.STALL), NOT_HTTP),
        (Reply(b"<html>", Then.CLOSE), NOT_HTTP),
        (Reply(b"\x15\x03\x01\x00\x02\x02\x46", Then.CLOSE), NOT_HTTP),
        (Reply(b"HTTP/1.1 99 Low\r\n\r\n"), NOT_HTTP),
        (Reply(OK + b"no colon\r\n\r\n"), NOT_HTTP),
        (Reply(OK + b"X: a\x00b\r\n\r\n"), NOT_HTTP),
        (Reply(OK + b"X: " + b"a" * 20_000 + b"\r\n\r\n"), NOT_HTTP),
        (Reply(OK + b"X: a\r\n" * 5000 + b"\r\n"), NOT_HTTP),
        (Reply(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), NOT_HTTP),
        (Reply(CHUNKED + b"nonsense\r\n"), NOT_HTTP),
        (Reply(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Then.STALL), "answered 101"),
        (reply(201, b"{}"), "answered 201"),
        (reply(204), "answered 204"),
        (reply(206, b"{}"), "answered 206"),
        (reply(226, b"{}"), "answered 226"),
        (reply(304), "answered 304"),
        (reply(200, b"\x1f\x8b", {"Content-Encoding": "gzip"}), ENCODED),
        (reply(200, b"{}", {"Content-Encoding": "\x1b[2J"}), ENCODED),
    ],
    ids=range(18),
)
async def test_answer_against_the_protocol(
    answer: Reply, message: str, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Asked for once: it was meant so, and would come again."""
    server.answer(GET, answer)
    assert await failure(client.get_manifest("app", DIGEST, errand)) == (ProtocolError, f"{GET} {message}")


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b"{}", {"Content-Encoding": "Identity"}),
        Reply(b"HTTP/1.1 100 Continue\r\n\r\n" + reply(200, b"{}").data),
        Reply(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply(200, b"{}").data),
        Reply(b"HTTP/1.0 200 OK\r\n\r\n{}", Then.CLOSE),
        Reply(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}"),
    ],
    ids=["identity", "continue", "hints", "1.0", "no reason"],
)
async def test_unusual_answer_that_follows_the_protocol(
    answer: Reply, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Is an answer."""
    server.answer(GET, answer)
    assert await client.get_manifest("app", DIGEST, errand) == ManifestBody(None, "", b"{}")


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (error_reply(404, "MANIFEST_UNKNOWN"), ("MANIFEST_UNKNOWN",)),
        (error_reply(404, "DENIED", "NAME_UNKNOWN"), ("DENIED", "NAME_UNKNOWN")),
        (reply(404, b"<html>MANIFEST_UNKNOWN</html>", {"Content-Type": "application/json"}), ()),
        (reply(404), ()),
        (reply(404, b"\x1f\x8b", {"Content-Encoding": "gzip"}), ()),
        (reply(404, b'{"errors":', length=99, then=Then.CLOSE), ()),
        (reply(404, b'{"errors":', length=99, then=Then.RESET), ()),
        (reply(404, b'{"errors":[{"code":"DENIED"}]}', length=99, then=Then.CLOSE), ("DENIED",)),
    ],
    ids=["one", "two", "html", "none", "gzip", "cut", "reset", "cut after the document"],
)
async def test_status_of_a_refusal_stands_whatever_its_body(
    answer: Reply, codes: tuple[str, ...], server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Only its codes come from there."""
    server.answer(GET, answer)
    assert await failure(client.get_manifest("app", DIGEST, errand)) == (
        AnswerError,
        " ".join((f"{GET} answered 404", *codes)),
    )


async def test_body_of_a_refusal_is_waited_for_for_a_short_time(
    server: ScriptedServer, client: RegistryClient, errand: Errand, monkeypatch: pytest.MonkeyPatch
):
    """What came until then counts: the status is known, and there is no need of all the request's time."""
    monkeypatch.setattr("exporter.registry.bodies._ERROR_BODY_SECONDS", 0.05)
    server.answer(GET, reply(404, b'{"errors":[{"code":"DENIED"}]}', length=99, then=Then.STALL))
    assert await failure(client.get_manifest("app", DIGEST, errand)) == (
        AnswerError,
        f"{GET} answered 404 DENIED",
    )
    await server.all_closed()


async def test_body_of_a_refusal_is_read_for_64_kib(
    server: ScriptedServer, client: RegistryClient, errand: Errand, monkeypatch: pytest.MonkeyPatch
):
    """What is longer is cut there, so it has no codes; the rest is never read, nor waited for."""
    monkeypatch.setattr("exporter.registry.bodies._ERROR_BODY_SECONDS", 3600.0)
    longest = b'{"errors":[{"code":"DENIED","detail":"%s"}]}'
    longest = longest.replace(b"%s", b"x" * (64 * 1024 - len(longest) + 2))
    longer = longest.replace(b"xx", b"xxx", 1)
    endless = b"HTTP/1.1 404 Not Found\r\n\r\n" + longer
    server.answer(GET, reply(404, longest), Reply(endless, Then.STALL))
    assert [await failure(client.get_manifest("app", DIGEST, errand)) for _ in range(2)] == [
        (AnswerError, f"{GET} answered 404 DENIED"),
        (AnswerError, f"{GET} answered 404"),
    ]
    await server.all_closed()


async def test_client_asks_again_after_every_failure(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Nothing of a failed request gets into the next one's answer."""
    server.answer(
        GET,
        reply(200, b"ab", length=9, then=Then.CLOSE),
        reply(404, b"gone"),
        reply(200, b"{}", {"Content-Encoding": "gzip"}),
        reply(200, b"whole"),
    )
    outcomes: list[object] = [
        await failure(client.get_manifest("app", DIGEST, errand)),
        await failure(client.get_manifest("app", DIGEST, errand)),
        await client.get_manifest("app", DIGEST, errand),
    ]
    assert outcomes == [
        (AnswerError, f"{GET} answered 404"),
        (ProtocolError, f"{GET} {ENCODED}"),
        ManifestBody(None, "", b"whole"),
    ]


async def test_connection_is_free_after_every_answer(server: ScriptedServer, errand: Errand):
    """There is but one; only where much is left unread it is another one's place."""
    head, get = f"HEAD {BLOB}", f"GET {BLOB}"
    server.answer(head, reply(200, length=7), reply(404, length=99), reply(200, length=7))
    server.answer(
        get,
        reply(206, b"x", {"Content-Range": "bytes 6-6/7"}),
        reply(404, b"nothing"),
        reply(206, b"", {"Content-Range": "bytes 6-6/7"}),
        reply(200, b"unread!"),
        reply(307, b"unread", {"Location": "/elsewhere"}),
    )
    server.answer("GET /elsewhere", reply(206, b"x" * 100_000, {"Content-Range": "bytes 6-6/7"}))
    async with open_client(server.url, concurrency=1) as client, asyncio.timeout(PATIENCE):
        outcomes = [
            await client.head_blob("app", DIGEST, errand),
            await client.last_byte("app", DIGEST, 7, errand),
            (await failure(client.head_blob("app", DIGEST, errand)))[1],
            (await failure(client.last_byte("app", DIGEST, 7, errand)))[1],
            await client.last_byte("app", DIGEST, 7, errand),
            await client.last_byte("app", DIGEST, 7, errand),
            await client.last_byte("app", DIGEST, 7, errand),
            await client.head_blob("app", DIGEST, errand),
        ]
    assert outcomes == [
        BlobHead(7),
        LastByte(ranged=True, total=7, received=1),
        f"{head} answered 404",
        f"{get} answered 404",
        LastByte(ranged=True, total=7, received=0),
        LastByte(ranged=False, total=7, received=0),
        LastByte(ranged=True, total=7, received=1),
        BlobHead(7),
    ]
    assert server.connections == 2


async def test_many_tasks_share_the_connections_they_may_have(server: ScriptedServer, errand: Errand):
    """Never more than the concurrency; each gets its own answer."""
    for number in range(40):
        server.answer(f"GET /v2/app/manifests/{number}", reply(200, b"%d" % number))
    async with open_client(server.url, concurrency=4) as client:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(client.get_manifest("app", str(number), errand)) for number in range(40)
            ]
        assert [task.result().body for task in tasks] == [b"%d" % number for number in range(40)]
    assert server.connections == 4
