"""Secrets: who gets them, and that no error shows them."""

import base64
import traceback
from collections.abc import AsyncIterator

import pytest

from exporter.oci import Digest
from exporter.registry import Credentials, Errand, RegistryError, open_client
from tests.registry.failure import error_of
from tests.registry.scripted import Reply, ScriptedServer, Then, json_reply, reply, serve

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
BLOB = f"GET /v2/app/blobs/{DIGEST}"
SECRET = "s3cr3t"


@pytest.fixture
async def store() -> AsyncIterator[ScriptedServer]:
    """Another origin."""
    async with serve() as scripted:
        yield scripted


@pytest.mark.parametrize(
    ("credentials", "pair"),
    [
        (Credentials("ann", "hunter2"), b"ann:hunter2"),
        (Credentials("änn", "p\u00e4ß:w\u00f6rd\U0001f40b"), "änn:päß:wörd\U0001f40b".encode()),
        (Credentials("", ""), b":"),
        (Credentials("x" * 300, "y" * 300), b"x" * 300 + b":" + b"y" * 300),
    ],
    ids=["ascii", "utf-8", "empty", "long"],
)
async def test_credentials_are_sent_as_basic_in_utf_8(
    credentials: Credentials, pair: bytes, server: ScriptedServer, errand: Errand
):
    """RFC 7617: with every request to the registry's own origin, in one line."""
    server.answer("GET /v2/", reply(200))
    server.answer("GET /v2/_catalog?n=1000", json_reply({"repositories": []}, Link='<?n=2>; rel="prev"'))
    async with open_client(server.url, credentials=credentials) as client:
        await client.ping(errand)
        await client.catalog(errand)
    assert [request.headers["authorization"] for request in server.requests] == [
        f"Basic {base64.b64encode(pair).decode()}"
    ] * 2


async def test_nobody_is_told_who_asks_without_credentials(server: ScriptedServer, errand: Errand):
    """Nothing of the machine's own, such as its netrc, is used."""
    server.answer("GET /v2/", reply(200))
    async with open_client(server.url) as client:
        await client.ping(errand)
    assert "authorization" not in server.requests[0].headers


async def test_cookies_are_not_kept(server: ScriptedServer, errand: Errand):
    """Requests are independent of each other."""
    server.answer("GET /v2/", reply(200, headers={"Set-Cookie": f"session={SECRET}; Path=/"}), reply(200))
    async with open_client(server.url) as client:
        await client.ping(errand)
        await client.ping(errand)
    assert ["cookie" in request.headers for request in server.requests] == [False, False]


def test_password_is_in_no_repr():
    """So that it is in no log line and no traceback."""
    shown = repr(Credentials("ann", SECRET))
    assert (SECRET in shown, "ann" in shown) == (False, True)


CUT = reply(206, b"", {"Content-Range": "bytes 6-6/7"}, length=1, then=Then.CLOSE)


@pytest.mark.parametrize(
    "answer",
    [
        reply(403, f"<Error>{SECRET}</Error>".encode()),
        reply(404, b'{"errors":[{"code":"%s","message":"%s"}]}' % (SECRET.encode(), SECRET.encode())),
        reply(500, headers={"X-Secret": SECRET}),
        reply(204),
        reply(206, b"x", {"Content-Range": SECRET}),
        reply(200, b"x", {"Content-Encoding": SECRET}),
        reply(307),
        reply(307, headers={"Location": f"http://[{SECRET}"}),
        reply(307, headers={"Location": f"ftp://store.example/?{SECRET}"}),
        CUT,
        Reply(b"", Then.RESET),
        Reply(f"{SECRET}\r\n\r\n".encode(), Then.STALL),
        Reply(b"", Then.STALL),
    ],
    ids=range(13),
)
async def test_error_after_a_redirect_shows_no_query_and_no_password(
    answer: Reply, server: ScriptedServer, store: ScriptedServer, errand: Errand
):
    """A signed query opens the store to whoever reads the log; of the answer only known words are shown."""
    query = f"/data?X-Amz-Signature={SECRET}"
    server.always(
        BLOB, reply(307, headers={"Location": store.url.replace("//", f"//user:{SECRET}@") + query})
    )
    store.always(f"GET {query}", answer)
    credentials = Credentials("ann", SECRET)
    async with open_client(server.url, timeout=0.2, credentials=credentials) as client:
        error = await error_of(client.last_byte("app", DIGEST, 7, errand))
    assert store.lines[0] == f"GET {query}"
    assert_clean(error)


async def test_redirect_to_where_nobody_listens_shows_no_query(
    server: ScriptedServer, refusing: str, errand: Errand
):
    """The traceback with its causes is clean, too."""
    server.always(BLOB, reply(307, headers={"Location": f"http://{refusing}/?sig={SECRET}"}))
    async with open_client(server.url, credentials=Credentials("ann", SECRET)) as client:
        error = await error_of(client.last_byte("app", DIGEST, 7, errand))
    assert_clean(error)
    assert SECRET not in "".join(traceback.format_exception(error))


async def test_endless_redirects_show_no_query(server: ScriptedServer, errand: Errand):
    """Nor does the link of a page."""
    server.answer(BLOB, *[reply(307, headers={"Location": f"?sig={SECRET}"})])
    server.always(f"{BLOB}?sig={SECRET}", reply(307, headers={"Location": f"?sig={SECRET}"}))
    link = f'</v2/_catalog?token={SECRET}>; rel="next"'
    server.answer("GET /v2/_catalog?n=1000", json_reply({"repositories": []}, Link=link))
    server.answer(f"GET /v2/_catalog?token={SECRET}", reply(403))
    async with open_client(server.url) as client:
        assert_clean(await error_of(client.last_byte("app", DIGEST, 7, errand)))
        assert_clean(await error_of(client.catalog(errand)))


def assert_clean(error: RegistryError) -> None:
    shown = [str(error), repr(error), repr(vars(error)), repr(error.args)]
    assert [SECRET in text for text in shown] == [False] * 4
