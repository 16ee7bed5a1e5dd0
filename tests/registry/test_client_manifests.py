"""Manifests, asked of a server."""

import pytest

from exporter.oci import Digest
from exporter.oci.media_types import ACCEPT
from exporter.registry import (
    AnswerError,
    Errand,
    ManifestBody,
    ManifestHead,
    ProtocolError,
    RegistryClient,
    TooLargeError,
    TruncatedBodyError,
)
from exporter.registry.client import LONGEST_MANIFEST
from exporter.registry.transport import USER_AGENT
from tests.registry.failure import failure
from tests.registry.scripted import Reply, ScriptedServer, Then, error_reply, reply

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
INDEX = "application/vnd.oci.image.index.v1+json"
TAG_PATH = "/v2/team/app/manifests/v1"
PATH = f"/v2/team/app/manifests/{DIGEST}"
TYPED = {"Content-Type": f"{INDEX}; charset=utf-8", "Docker-Content-Digest": str(DIGEST)}


async def test_head_of_a_tag_tells_digest_length_and_type(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Without parameters of the type."""
    server.answer(f"HEAD {TAG_PATH}", reply(200, headers=TYPED, length=529))
    assert await client.head_manifest("team/app", "v1", errand) == ManifestHead(DIGEST, 529, INDEX)


async def test_missing_headers_are_none(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """ECR and others send no digest; a chunked answer has no length."""
    server.answer(f"HEAD {PATH}", Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
    assert await client.head_manifest("team/app", DIGEST, errand) == ManifestHead(None, None, "")


async def test_manifest_is_fetched_as_it_is(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """Its bytes are not looked at, its digest is what the header claims."""
    server.answer(f"GET {PATH}", reply(200, b"\xff not JSON", TYPED))
    assert await client.get_manifest("team/app", DIGEST, errand) == ManifestBody(
        DIGEST, INDEX, b"\xff not JSON"
    )


async def test_chunked_manifest_is_fetched_whole(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """As Go sends what does not fit its buffer."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    server.answer(f"GET {PATH}", Reply(chunked))
    assert await client.get_manifest("team/app", DIGEST, errand) == ManifestBody(None, "", b"abcde")


async def test_manifest_requests_accept_every_manifest_type_and_nothing_conditional(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Whole headers: no `If-None-Match`, to which 2.8 answers 304 for what is lost."""
    server.answer(f"HEAD {PATH}", reply(200, headers=TYPED))
    server.answer(f"GET {PATH}", reply(200, headers=TYPED))
    await client.head_manifest("team/app", DIGEST, errand)
    await client.get_manifest("team/app", DIGEST, errand)
    assert [request.headers for request in server.requests] == [
        {
            "host": server.url.removeprefix("http://"),
            "user-agent": USER_AGENT,
            "accept": ACCEPT,
            "accept-encoding": "identity",
        }
    ] * 2


def test_user_agent_tells_program_and_version():
    """So that an operator finds us in an access log."""
    program, _, version = USER_AGENT.partition("/")
    assert (program, version[:1].isdigit()) == ("registry-integrity-exporter", True)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("latest", "'latest' is not a digest"),
        ("", "'' is not a digest"),
        ("sha256:00", "'sha256:00' has not the form of its algorithm"),
        ("sha256:\x1b[2J", r"'sha256:\x1b[2J' is not a digest"),
        ("../" * 100, f"'{'../' * 25}...' is not a digest"),
    ],
)
@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_digest_header_that_is_none_is_a_protocol_error(
    method: str, header: str, shown: str, server: ScriptedServer, client: RegistryClient
):
    """It is quoted, never raw."""
    server.answer(f"{method} {PATH}", reply(200, headers={"Docker-Content-Digest": header}))
    asked = client.head_manifest if method == "HEAD" else client.get_manifest
    assert await failure(asked("team/app", DIGEST, Errand())) == (
        ProtocolError,
        f"{method} {PATH} answered with a wrong digest header: {shown}",
    )


async def test_manifest_of_4_mib_is_fetched(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """The longest that distribution takes."""
    server.answer(f"GET {PATH}", reply(200, b"x" * LONGEST_MANIFEST))
    fetched = await client.get_manifest("team/app", DIGEST, errand)
    assert (len(fetched.body), LONGEST_MANIFEST) == (4 * 1024 * 1024, 4 * 1024 * 1024)


async def test_longer_manifest_is_too_large(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """It is not read to its end, and asked for only once."""
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LONGEST_MANIFEST + 1)
    server.answer(f"GET {PATH}", Reply(endless, Then.STALL))
    assert await failure(client.get_manifest("team/app", DIGEST, errand)) == (
        TooLargeError,
        f"GET {PATH} answered with more than 4194304 bytes",
    )
    await server.all_closed()


@pytest.mark.parametrize(
    ("answer", "method", "message"),
    [
        (error_reply(404, "MANIFEST_UNKNOWN"), "GET", "answered 404 MANIFEST_UNKNOWN"),
        (reply(404, length=80), "HEAD", "answered 404"),
        (error_reply(403, "DENIED", "UNAUTHORIZED"), "GET", "answered 403 DENIED UNAUTHORIZED"),
        (reply(400, b"<html>404 MANIFEST_UNKNOWN</html>"), "GET", "answered 400"),
    ],
)
async def test_refusal_tells_its_status_and_codes(
    answer: Reply, method: str, message: str, server: ScriptedServer, client: RegistryClient
):
    """Of the specification's error body; a HEAD has none."""
    server.answer(f"{method} {PATH}", answer)
    asked = client.head_manifest if method == "HEAD" else client.get_manifest
    assert await failure(asked("team/app", DIGEST, Errand())) == (AnswerError, f"{method} {PATH} {message}")


async def test_cut_manifest_is_truncated(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """The detail tells how far it came."""
    server.always(f"GET {PATH}", reply(200, b"{", length=10, then=Then.CLOSE))
    assert await failure(client.get_manifest("team/app", DIGEST, errand)) == (
        TruncatedBodyError,
        f"GET {PATH} answered 200, but the body ended after 1 bytes",
    )


async def test_answer_longer_than_announced_is_a_protocol_error(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Neither of the two lengths can be believed."""
    server.answer(f"GET {PATH}", reply(200, b"{}x", length=2, then=Then.CLOSE))
    assert await failure(client.get_manifest("team/app", DIGEST, errand)) == (
        ProtocolError,
        f"GET {PATH} was answered with what is not HTTP",
    )
