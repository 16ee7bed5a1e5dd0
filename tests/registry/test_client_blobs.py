"""Blobs, asked of a server: their length, and their last byte."""

import httpx
import pytest

from exporter.oci import Digest
from exporter.registry import (
    AnswerError,
    BlobHead,
    Errand,
    LastByte,
    ProtocolError,
    RegistryClient,
    TimedOutError,
    TruncatedBodyError,
    open_client,
)
from exporter.registry.transport import USER_AGENT
from tests.registry.failure import failure
from tests.registry.scripted import Reply, ScriptedServer, Then, error_reply, reply

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
PATH = f"/v2/team/app/blobs/{DIGEST}"
HEAD = f"HEAD {PATH}"
GET = f"GET {PATH}"


def ranged(content_range: str, body: bytes = b"x", then: Then = Then.KEEP, length: int = 1) -> Reply:
    """Answer with a part, as most registries do."""
    return reply(206, body, {"Content-Range": content_range}, length=length, then=then)


async def test_head_of_a_blob_tells_its_length(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """As far as it is announced."""
    server.answer(HEAD, reply(200, length=2**40), Reply(b"HTTP/1.1 200 OK\r\n\r\n", Then.CLOSE))
    heads = [await client.head_blob("team/app", DIGEST, errand) for _ in range(2)]
    assert heads == [BlobHead(2**40), BlobHead(None)]


async def test_blob_requests_have_our_headers_alone(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """No `Accept`; one byte by its place, since not every server knows suffix ranges."""
    server.answer(HEAD, reply(200))
    server.answer(GET, ranged("bytes 99-99/100"))
    await client.head_blob("team/app", DIGEST, errand)
    await client.last_byte("team/app", DIGEST, 100, errand)
    common = {
        "host": server.url.removeprefix("http://"),
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
    }
    assert [request.headers for request in server.requests] == [common, common | {"range": "bytes=99-99"}]


@pytest.mark.parametrize(
    ("answer", "last_byte"),
    [
        (ranged("bytes 99-99/100"), LastByte(ranged=True, total=100, received=1)),
        (ranged("bytes  99-99/100"), LastByte(ranged=True, total=100, received=1)),
        (ranged("bytes 99-99/*"), LastByte(ranged=True, total=None, received=1)),
        (ranged("bytes 99-99/120"), LastByte(ranged=True, total=120, received=1)),
        # A server that cuts the range to what it has tells by its total that it has something else.
        (ranged("bytes 49-49/50"), LastByte(ranged=True, total=50, received=1)),
        (ranged("bytes 99-99/100", b"", length=0), LastByte(ranged=True, total=100, received=0)),
        (ranged("bytes 99-101/102", b"xyz", length=3), LastByte(ranged=True, total=102, received=1)),
    ],
)
async def test_partial_answer_tells_total_and_bytes(
    answer: Reply, last_byte: LastByte, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Right or wrong is for the caller to judge; more than one byte is not read."""
    server.answer(GET, answer)
    assert await client.last_byte("team/app", DIGEST, 100, errand) == last_byte


async def test_unending_part_is_cut_after_a_byte(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """And its connection closed."""
    endless = b"HTTP/1.1 206 OK\r\nContent-Range: bytes 99-99/100\r\n\r\n" + b"x" * 100_000
    server.answer(GET, Reply(endless, Then.STALL))
    assert await client.last_byte("team/app", DIGEST, 100, errand) == LastByte(
        ranged=True, total=100, received=1
    )
    await server.all_closed()


async def test_byte_is_enough_without_the_end_of_its_body(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Nothing more is waited for."""
    head = b"HTTP/1.1 206 OK\r\nContent-Range: bytes 99-99/100\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answer(GET, Reply(head + b"1\r\nx\r\n", Then.STALL))
    assert await client.last_byte("team/app", DIGEST, 100, errand) == LastByte(
        ranged=True, total=100, received=1
    )


async def test_server_that_ignores_ranges_is_not_read(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Its whole blob could be gigabytes: the connection is closed at once."""
    server.answer(GET, reply(200, b"x" * 100_000, length=2**40, then=Then.STALL))
    assert await client.last_byte("team/app", DIGEST, 2**40, errand) == LastByte(
        ranged=False, total=2**40, received=0
    )
    await server.all_closed()


async def test_last_byte_leaves_the_connection_usable(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """One connection for all blobs, one after the other."""
    server.answer(GET, *[ranged("bytes 99-99/100")] * 3)
    for _ in range(3):
        await client.last_byte("team/app", DIGEST, 100, errand)
    assert server.connections == 1


@pytest.mark.parametrize("size", [0, 1])
async def test_empty_blob_is_fetched_whole_and_one_of_a_byte_by_its_range(
    size: int, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """There is no last byte of nothing; the first is the last of one."""
    server.answer(GET, reply(200, b"x" * size))
    answer = await client.last_byte("team/app", DIGEST, size, errand)
    asked = server.requests[0].headers.get("range")
    assert (answer, asked) == (
        LastByte(ranged=False, total=size, received=0),
        None if size == 0 else "bytes=0-0",
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(206, b"x"), "answered 206 without a proper Content-Range"),
        (ranged(""), "answered 206 without a proper Content-Range"),
        (ranged("99-99/100"), "answered 206 without a proper Content-Range"),
        (ranged("bytes */100"), "answered 206 without a proper Content-Range"),
        (ranged("bytes 99-99"), "answered 206 without a proper Content-Range"),
        (ranged("bytes -1/100"), "answered 206 without a proper Content-Range"),
        (ranged(f"bytes 99-99/{'9' * 20}"), "answered 206 without a proper Content-Range"),
        (ranged("bytes 99-99/100 "), None),
        (ranged("bytes 0-0/100"), "answered with another range than asked for"),
        (ranged("bytes 98-99/100", b"xy", length=2), "answered with another range than asked for"),
        (ranged("bytes 0-0/*"), "answered with another range than asked for"),
        (reply(204), "answered 204"),
        (reply(304), "answered 304"),
        (
            reply(206, b"x", {"Content-Range": "bytes 99-99/100", "Content-Encoding": "gzip"}),
            "answered encoded although identity was asked for",
        ),
        (
            reply(200, b"x", {"Content-Encoding": "gzip"}),
            "answered encoded although identity was asked for",
        ),
    ],
)
async def test_answer_that_proves_nothing_is_a_protocol_error(
    answer: Reply, message: str | None, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Whole white space around a header apart, which is no part of it."""
    server.answer(GET, answer)
    if message is None:
        assert (await client.last_byte("team/app", DIGEST, 100, errand)).total == 100
    else:
        assert await failure(client.last_byte("team/app", DIGEST, 100, errand)) == (
            ProtocolError,
            f"{GET} {message}",
        )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(416, b"", {"Content-Range": "bytes */50"}), "answered 416"),
        (error_reply(404, "BLOB_UNKNOWN"), "answered 404 BLOB_UNKNOWN"),
        (reply(404, b"<html>not here</html>"), "answered 404"),
        (reply(405), "answered 405"),
    ],
)
async def test_refused_range_tells_its_status(
    answer: Reply, message: str, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """416 is what distribution says of a blob that is shorter than it should be."""
    server.answer(GET, answer)
    assert await failure(client.last_byte("team/app", DIGEST, 100, errand)) == (
        AnswerError,
        f"{GET} {message}",
    )


@pytest.mark.parametrize("then", [Then.CLOSE, Then.RESET])
async def test_part_without_its_byte_is_truncated_when_asked_again(
    then: Then, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """What distribution does when the data is gone and its cache knows the blob: asked twice, no more."""
    server.answer(GET, *[ranged("bytes 99-99/100", b"", then)] * 2)
    assert await failure(client.last_byte("team/app", DIGEST, 100, errand)) == (
        TruncatedBodyError,
        f"{GET} answered 206, but the body ended after 0 bytes",
    )


async def test_part_without_its_byte_may_come_when_asked_again(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """A connection that was cut by accident is no truncated blob."""
    server.answer(GET, ranged("bytes 99-99/100", b"", Then.CLOSE), ranged("bytes 99-99/100"))
    assert await client.last_byte("team/app", DIGEST, 100, errand) == LastByte(
        ranged=True, total=100, received=1
    )


async def test_part_whose_byte_does_not_come_in_time_is_a_timeout(server: ScriptedServer, errand: Errand):
    """Not truncated: it may still come."""
    server.always(GET, ranged("bytes 99-99/100", b"", Then.STALL))
    async with open_client(server.url, timeout=0.05) as client:
        assert await failure(client.last_byte("team/app", DIGEST, 100, errand)) == (
            TimedOutError,
            f"{GET} was not answered within 0.05 s",
        )


async def test_head_without_a_proper_length_is_a_protocol_error(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Never compared with anything."""
    lengths = ["-1", "1.5", "x", "", "9" * 30]
    server.answer(HEAD, *[reply(200, headers={"Content-Length": length}) for length in lengths])
    outcomes = [await failure(client.head_blob("team/app", DIGEST, errand)) for _ in lengths]
    assert outcomes == [(ProtocolError, f"{HEAD} was answered with what is not HTTP")] * 5


@pytest.mark.parametrize("length", ["-1", "1.5", "x", "", " 7", "9" * 30, "\u0667"])
async def test_length_that_the_transport_let_pass_is_no_number_either(length: str, errand: Errand):
    """Whether a transport looks at it is its own affair."""
    headers = [(b"Content-Length", length.encode())]
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, headers=headers))
    client = RegistryClient("http://registry.example", transport)
    assert await failure(client.head_blob("team/app", DIGEST, errand)) == (
        ProtocolError,
        f"{HEAD} answered with a Content-Length that is no number",
    )


async def test_wrong_total_counts_before_a_byte_that_does_not_come(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Headers are judged before the body; a right total leaves the body to be judged."""
    cut = ranged("bytes 99-99/200", b"", Then.CLOSE)
    server.answer(GET, cut, cut)
    assert await client.last_byte("team/app", DIGEST, 100, errand) == LastByte(
        ranged=True, total=200, received=0
    )
