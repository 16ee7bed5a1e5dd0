"""Redirects: where they may lead, what goes along, and how they end."""

from collections.abc import AsyncIterator

import httpx
import pytest

from exporter.oci import Digest
from exporter.oci.media_types import ACCEPT
from exporter.registry import (
    AnswerError,
    BlobHead,
    Credentials,
    Errand,
    LastByte,
    ManifestBody,
    ProtocolError,
    Purpose,
    RegistryClient,
    TimedOutError,
    TruncatedBodyError,
    open_client,
)
from exporter.registry.transport import USER_AGENT
from tests.registry.failure import error_of, failure
from tests.registry.scripted import Reply, ScriptedServer, Then, reply, serve

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
BLOB = f"/v2/app/blobs/{DIGEST}"
MANIFEST = f"/v2/app/manifests/{DIGEST}"
NOT_THERE = b"<Error><Code>NoSuchKey</Code></Error>"
LOGGED_IN = Credentials("ann", "hunter2")


@pytest.fixture
async def store() -> AsyncIterator[ScriptedServer]:
    """Another origin, where the registry keeps its data."""
    async with serve() as scripted:
        yield scripted


def to(target: str, status: int = 307, body: bytes = b"") -> Reply:
    """Send the client elsewhere."""
    return reply(status, body, {"Location": target})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_followed_with_the_same_method(
    status: int, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Whatever its status; a HEAD stays one."""
    server.answer(f"HEAD {BLOB}", to("/data", status))
    server.answer("HEAD /data", reply(200, length=7))
    assert await client.head_blob("app", DIGEST, errand) == BlobHead(7)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/data?x=1", "/data?x=1"),
        ("data", "/v2/app/blobs/data"),
        ("../data", "/v2/app/data"),
        ("?x=1", f"{BLOB}?x=1"),
        ("/data#part", "/data"),
        ("/da%20ta?sig=a%2Bb%3D", "/da%20ta?sig=a%2Bb%3D"),
        # Signed as it stands: no escape may be undone, done or written otherwise.
        ("/d%61ta%2f%7E?sig=%2f%2B%41+~&x=%27%3a:", "/d%61ta%2f%7E?sig=%2f%2B%41+~&x=%27%3a:"),
        ("/d%61ta%2f%7E//%2F+~:@,;=/", "/d%61ta%2f%7E//%2F+~:@,;=/"),
    ],
)
async def test_target_is_relative_to_what_was_asked(
    location: str, target: str, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """As RFC 3986 resolves it."""
    server.answer(f"GET {BLOB}", to(location))
    server.answer(f"GET {target}", reply(206, b"x", {"Content-Range": "bytes 6-6/7"}))
    assert await client.last_byte("app", DIGEST, 7, errand) == LastByte(ranged=True, total=7, received=1)


async def test_other_origin_gets_all_headers_but_the_authorization(
    server: ScriptedServer, store: ScriptedServer, errand: Errand
):
    """The same host with another port is another origin."""
    server.answer(f"GET {BLOB}", to(f"{store.url}/data"))
    store.answer("GET /data", reply(206, b"x", {"Content-Range": "bytes 6-6/7"}))
    server.answer(f"GET {MANIFEST}", to(f"{store.url}/manifest"))
    store.answer("GET /manifest", reply(200, b"{}"))
    async with open_client(server.url, credentials=LOGGED_IN) as client:
        await client.last_byte("app", DIGEST, 7, errand)
        assert await client.get_manifest("app", DIGEST, errand) == ManifestBody(None, "", b"{}")
    common = {
        "host": store.url.removeprefix("http://"),
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
    }
    assert [request.headers for request in store.requests] == [
        common | {"range": "bytes=6-6"},
        common | {"accept": ACCEPT},
    ]
    assert ["authorization" in request.headers for request in server.requests] == [True, True]


async def test_own_origin_gets_the_authorization_after_a_redirect(server: ScriptedServer, errand: Errand):
    """Also when it is named in full, or reached by way of another."""
    server.answer(f"HEAD {BLOB}", to(f"{server.url}/data"))
    server.answer("HEAD /data", reply(200, length=7))
    async with open_client(server.url, credentials=LOGGED_IN) as client:
        await client.head_blob("app", DIGEST, errand)
    first, second = (request.headers["authorization"] for request in server.requests)
    assert first == second


async def test_five_redirects_are_followed_and_counted_apart(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """They are no part of the floor."""
    server.answer(f"HEAD {BLOB}", to("/1"))
    for hop in range(1, 5):
        server.answer(f"HEAD /{hop}", to(f"/{hop + 1}"))
    server.answer("HEAD /5", reply(200, length=7))
    assert await client.head_blob("app", DIGEST, errand) == BlobHead(7)
    assert (errand.tally.walk, errand.tally.extra[Purpose.REDIRECT]) == (1, 5)


async def test_sixth_redirect_is_refused(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """It may well be a loop."""
    server.answer(f"HEAD {BLOB}", *[to(BLOB)] * 6)
    assert await failure(client.head_blob("app", DIGEST, errand)) == (
        ProtocolError,
        f"HEAD {BLOB} was redirected more than 5 times",
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(307), "was redirected to nowhere"),
        (to("http://[::1/"), "was redirected to nowhere"),
        (to("ftp://store.example/data"), "was redirected to what is no web address"),
        (to("file:///etc/passwd"), "was redirected to what is no web address"),
        (to("mailto:ann@example"), "was redirected to what is no web address"),
    ],
)
async def test_redirect_to_no_web_address_is_refused(
    answer: Reply, message: str, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """The message does not repeat it."""
    server.answer(f"GET {BLOB}", answer)
    assert await failure(client.last_byte("app", DIGEST, 7, errand)) == (
        ProtocolError,
        f"GET {BLOB} {message}",
    )


@pytest.mark.parametrize("status", [300, 304, 305, 306])
async def test_other_status_of_300_is_no_redirect(
    status: int, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Even with a location."""
    server.answer(f"HEAD {BLOB}", to("/data", status))
    assert await failure(client.head_blob("app", DIGEST, errand)) == (
        ProtocolError,
        f"HEAD {BLOB} answered {status}",
    )


def scripted(answers: dict[str, httpx.Response]) -> tuple[httpx.MockTransport, list[str]]:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answers[str(request.url)]

    return httpx.MockTransport(answer), asked


async def test_redirect_from_https_to_http_is_refused(errand: Errand):
    """Whoever listens there would see, and could forge, what is asked for; nothing is sent."""
    url = f"https://registry.example{BLOB}"
    location = {"Location": "http://registry.example/data"}
    transport, asked = scripted({url: httpx.Response(307, headers=location)})
    client = RegistryClient("https://registry.example", transport)
    assert await failure(client.head_blob("app", DIGEST, errand)) == (
        ProtocolError,
        f"HEAD {BLOB} was redirected from https to http",
    )
    assert asked == [url]


async def test_redirect_from_http_to_https_is_followed(errand: Errand):
    """That is another origin, but a better one."""
    first, second = f"http://registry.example{BLOB}", "https://registry.example/data"
    transport, asked = scripted(
        {
            first: httpx.Response(301, headers={"Location": second}),
            second: httpx.Response(200, headers={"Content-Length": "7"}),
        }
    )
    client = RegistryClient("http://registry.example", transport)
    assert await client.head_blob("app", DIGEST, errand) == BlobHead(7)
    assert asked == [first, second]


@pytest.mark.parametrize("status", [403, 404])
async def test_refusal_of_another_origin_says_so(
    status: int, server: ScriptedServer, store: ScriptedServer, client: RegistryClient, errand: Errand
):
    """S3 answers 404, or 403 where listing is forbidden, to what is lost, in a language of its own."""
    server.answer(f"GET {BLOB}", to(f"{store.url}/data"))
    store.answer("GET /data", reply(status, NOT_THERE, {"Content-Type": "application/xml"}))
    assert vars(await error_of(client.last_byte("app", DIGEST, 7, errand))) == {
        "method": "GET",
        "path": BLOB,
        "detail": f"answered {status} after a redirect",
        "status": status,
        "codes": (),
        "redirected": True,
        "retry_after": None,
    }


async def test_refusal_after_a_redirect_within_the_registry_is_its_own(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Only another origin speaks another language."""
    server.answer(f"GET {BLOB}", to("/data"))
    server.answer("GET /data", reply(404, NOT_THERE))
    error = await error_of(client.last_byte("app", DIGEST, 7, errand))
    assert isinstance(error, AnswerError)
    assert (str(error), error.redirected) == (f"GET {BLOB} answered 404", False)


async def test_body_of_a_redirect_is_not_read(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """However long it is; a short one, as Go writes it, leaves the connection usable."""
    server.answer(f"GET {MANIFEST}", to("/data", body=b'<a href="/data">Temporary Redirect</a>'))
    server.answer(
        "GET /data", Reply(to("/more").data.replace(b"Content-Length: 0", b"X: y") + b"x", Then.STALL)
    )
    server.answer("GET /more", reply(200, b"{}"))
    assert (await client.get_manifest("app", DIGEST, errand)).body == b"{}"
    assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_all_hops_have_one_deadline(server: ScriptedServer, store: ScriptedServer, errand: Errand):
    """The error names what was asked for, not where it led."""
    server.always(f"GET {BLOB}", to(f"{store.url}/data"))
    store.always("GET /data", Reply(b"", Then.STALL))
    async with open_client(server.url, timeout=0.1) as client:
        assert await failure(client.last_byte("app", DIGEST, 7, errand)) == (
            TimedOutError,
            f"GET {BLOB} was not answered within 0.1 s",
        )


async def test_retry_begins_at_the_registry(
    server: ScriptedServer, store: ScriptedServer, client: RegistryClient, errand: Errand
):
    """A signed target may have expired; both attempts and both redirects are counted."""
    server.answer(f"GET {BLOB}", to(f"{store.url}/1"), to(f"{store.url}/2"))
    cut = reply(206, b"", {"Content-Range": "bytes 6-6/7"}, length=1, then=Then.CLOSE)
    store.answer("GET /1", cut)
    store.answer("GET /2", cut)
    assert await failure(client.last_byte("app", DIGEST, 7, errand)) == (
        TruncatedBodyError,
        f"GET {BLOB} answered 206, but the body ended after 0 bytes",
    )
    extra = errand.tally.extra
    assert (errand.tally.walk, extra[Purpose.RETRY], extra[Purpose.REDIRECT]) == (1, 1, 2)
