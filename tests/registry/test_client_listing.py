"""The catalog and the tags, asked of a server."""

import json

import pytest

from exporter.registry import (
    AnswerError,
    ConnectionFailedError,
    Errand,
    ProtocolError,
    RegistryClient,
    RegistryError,
    TimedOutError,
    TooLargeError,
    open_client,
)
from exporter.registry.pages import LONGEST_PAGE
from tests.registry.failure import failure
from tests.registry.scripted import Reply, ScriptedServer, Then, error_reply, json_reply, reply

CATALOG = "GET /v2/_catalog?n=1000"
TAGS = "GET /v2/team/app/tags/list?n=1000"


async def test_catalog_is_read_in_pages_of_1000(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """ECR allows no more; the next page is asked for where the link says, relative or absolute."""
    absolute = f'<{server.url}/v2/_catalog?last=c&n=1000>; rel="next"'
    server.answer(CATALOG, json_reply({"repositories": ["a", "b"]}, Link='</v2/_catalog?last=b>; rel="next"'))
    server.answer("GET /v2/_catalog?last=b", json_reply({"repositories": ["c"]}, Link=absolute))
    server.answer("GET /v2/_catalog?last=c&n=1000", json_reply({"repositories": ["d"]}))
    assert await client.catalog(errand) == ("a", "b", "c", "d")
    assert server.lines == [CATALOG, "GET /v2/_catalog?last=b", "GET /v2/_catalog?last=c&n=1000"]


async def test_tags_are_read_in_pages_of_1000(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """As the catalog is; a tag that two pages list is one tag."""
    server.answer(TAGS, json_reply({"tags": ["1", "2"]}, Link='</v2/team/app/tags/list?last=2>; rel="next"'))
    server.answer("GET /v2/team/app/tags/list?last=2", json_reply({"tags": ["2", "3"]}))
    assert await client.tags("team/app", errand) == ("1", "2", "3")


async def test_listing_is_asked_for_with_our_headers_alone(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """No `Accept`, which is for manifests, and nothing that a library adds by itself."""
    server.answer(CATALOG, json_reply({"repositories": []}))
    server.answer(TAGS, json_reply({"tags": []}))
    await client.catalog(errand)
    await client.tags("team/app", errand)
    assert [sorted(request.headers) for request in server.requests] == [
        ["accept-encoding", "host", "user-agent"]
    ] * 2


async def test_registry_below_a_path_is_asked_there(server: ScriptedServer, errand: Errand):
    """A slash at the end of its address makes no difference."""
    server.answer("GET /below/v2/_catalog?n=1000", json_reply({"repositories": ["a"]}))
    async with open_client(f"{server.url}/below/") as client:
        assert await client.catalog(errand) == ("a",)


async def test_names_are_passed_on_raw(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """Whether they are names is for the caller to judge."""
    hostile = ["../..", "a\nb", "%2e", "\ud800", ""]
    server.answer(CATALOG, json_reply({"repositories": hostile}))
    assert await client.catalog(errand) == tuple(hostile)


@pytest.mark.parametrize(
    "answer",
    [
        json_reply({"name": "team/app", "tags": None}),
        json_reply({"name": "team/app", "tags": []}),
        error_reply(404, "NAME_UNKNOWN"),
        error_reply(404, "DENIED", "NAME_UNKNOWN"),
    ],
    ids=["null", "empty", "unknown", "unknown among others"],
)
async def test_repository_without_tags_has_none(
    answer: Reply, server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Null is distribution's word after the last tag was deleted, NAME_UNKNOWN after the folder went."""
    server.answer(TAGS, answer)
    assert await client.tags("team/app", errand) == ()


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (reply(404, b"<html>"), AnswerError, "answered 404"),
        (error_reply(404, "MANIFEST_UNKNOWN"), AnswerError, "answered 404 MANIFEST_UNKNOWN"),
        (error_reply(403, "NAME_UNKNOWN"), AnswerError, "answered 403 NAME_UNKNOWN"),
        (error_reply(401, "UNAUTHORIZED"), AnswerError, "answered 401 UNAUTHORIZED"),
        (reply(200, b"<html>"), ProtocolError, "answered with what is not JSON"),
        (reply(200), ProtocolError, "answered with what is not JSON"),
        (json_reply({}), ProtocolError, "answered without tags"),
        (json_reply({"tags": {"a": 1}}), ProtocolError, "answered with tags that are no list of names"),
        (
            json_reply({"tags": ["a"]}, Link="<http://elsewhere.example/>; rel=next"),
            ProtocolError,
            "links to a next page on another origin",
        ),
        (json_reply({"tags": ["a"]}, Link="<?n=1000>; rel=next"), ProtocolError, "lists tags without end"),
        (reply(204), ProtocolError, "answered 204"),
        (reply(206, b"{}"), ProtocolError, "answered 206"),
    ],
)
async def test_any_other_answer_is_a_failure(
    answer: Reply, kind: type[RegistryError], message: str, server: ScriptedServer, client: RegistryClient
):
    """Never an empty list: that would hide every tag of the repository."""
    server.answer(TAGS, answer)
    assert await failure(client.tags("team/app", Errand())) == (kind, f"GET /v2/team/app/tags/list {message}")


async def test_unknown_catalog_is_a_failure(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """What is zero tags for a repository would be a registry without repositories."""
    server.answer(CATALOG, error_reply(404, "NAME_UNKNOWN"))
    assert await failure(client.catalog(errand)) == (
        AnswerError,
        "GET /v2/_catalog answered 404 NAME_UNKNOWN",
    )


async def test_failure_on_a_later_page_fails_the_listing(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """Half a catalog is none."""
    server.answer(CATALOG, json_reply({"repositories": ["a"]}, Link='</v2/_catalog?last=a>; rel="next"'))
    server.answer("GET /v2/_catalog?last=a", reply(403))
    assert await failure(client.catalog(errand)) == (AnswerError, "GET /v2/_catalog answered 403")


async def test_registry_with_smaller_pages_is_asked_for_its_own(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """As distribution 3 answers when its operator allows no page of 1000."""
    server.answer(CATALOG, error_reply(400, "PAGINATION_NUMBER_INVALID"))
    server.answer("GET /v2/_catalog", json_reply({"repositories": ["a"]}, Link="<?last=a&n=1>; rel=next"))
    server.answer("GET /v2/_catalog?last=a&n=1", json_reply({"repositories": ["b"]}))
    assert await client.catalog(errand) == ("a", "b")


async def test_refused_page_size_is_a_failure_when_no_other_is_left(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """The registry's own size was refused, or a page that it linked to itself."""
    refusal = error_reply(400, "PAGINATION_NUMBER_INVALID")
    server.answer(CATALOG, refusal)
    server.answer("GET /v2/_catalog", refusal)
    server.answer(TAGS, json_reply({"tags": ["1"]}, Link="<?last=1&n=9>; rel=next"))
    server.answer("GET /v2/team/app/tags/list?last=1&n=9", refusal)
    assert [await failure(client.catalog(errand)), await failure(client.tags("team/app", errand))] == [
        (AnswerError, "GET /v2/_catalog answered 400 PAGINATION_NUMBER_INVALID"),
        (AnswerError, "GET /v2/team/app/tags/list answered 400 PAGINATION_NUMBER_INVALID"),
    ]


async def test_endless_catalog_is_given_up(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """Each page leads to another, and the same two names come again and again."""
    repeated = {"repositories": ["a", "b"]}
    server.answer(CATALOG, json_reply(repeated, Link='</v2/_catalog?last=0>; rel="next"'))
    for number in range(11):
        link = f'</v2/_catalog?last={number + 1}>; rel="next"'
        server.answer(f"GET /v2/_catalog?last={number}", json_reply(repeated, Link=link))
    assert await failure(client.catalog(errand)) == (
        ProtocolError,
        "GET /v2/_catalog lists repositories without end",
    )


async def test_page_of_8_mib_is_read(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """The longest that is taken."""
    assert LONGEST_PAGE == 8 * 1024 * 1024
    body = json.dumps({"tags": ["a"]}).encode().ljust(LONGEST_PAGE)
    server.answer(TAGS, reply(200, body))
    assert await client.tags("team/app", errand) == ("a",)


async def test_longer_page_is_too_large(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """Whatever length is announced, or none: reading stops there."""
    unending = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (LONGEST_PAGE + 1)
    server.answer(TAGS, Reply(unending, Then.STALL))
    assert await failure(client.tags("team/app", errand)) == (
        TooLargeError,
        f"GET /v2/team/app/tags/list answered with more than {LONGEST_PAGE} bytes",
    )
    await server.all_closed()


async def test_link_cannot_write_into_a_message(
    server: ScriptedServer, client: RegistryClient, errand: Errand
):
    """The path of a failed page is shown as it goes over the wire, percent signs and all."""
    link = '</v2/_catalog%0aFORGED%1b%20?last=SECRET>; rel="next"'
    server.answer(CATALOG, json_reply({"repositories": ["a"]}, Link=link))
    server.always("GET /v2/_catalog%0aFORGED%1b%20?last=SECRET", reply(403))
    assert await failure(client.catalog(errand)) == (
        AnswerError,
        "GET /v2/_catalog%0aFORGED%1b%20 answered 403",
    )


async def test_catalog_has_its_own_timeout(server: ScriptedServer, errand: Errand):
    """Catalogs are slow on S3; tags, and all else, have the usual one."""
    server.always(CATALOG, Reply(b"", Then.STALL))
    server.always(TAGS, Reply(b"", Then.STALL))
    server.always("GET /v2/", Reply(b"", Then.STALL))
    async with open_client(server.url, timeout=0.02, catalog_timeout=0.03) as client:
        assert [
            await failure(client.catalog(errand)),
            await failure(client.tags("team/app", errand)),
            await failure(client.ping(errand)),
        ] == [
            (TimedOutError, "GET /v2/_catalog was not answered within 0.03 s"),
            (TimedOutError, "GET /v2/team/app/tags/list was not answered within 0.02 s"),
            (TimedOutError, "GET /v2/ was not answered within 0.03 s"),
        ]


async def test_ping_asks_the_root_alone(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """Its body is not looked at."""
    server.answer("GET /v2/", reply(200, b"anything"))
    assert await client.ping(errand) is None
    assert server.lines == ["GET /v2/"]


async def test_failed_ping_says_why(server: ScriptedServer, client: RegistryClient, errand: Errand):
    """No answer at all, or one that does not let us in."""
    server.answer("GET /v2/", error_reply(401, "UNAUTHORIZED"))
    server.always("GET /v2/", Reply(b"", Then.CLOSE))
    assert [await failure(client.ping(errand)), await failure(client.ping(errand))] == [
        (AnswerError, "GET /v2/ answered 401 UNAUTHORIZED"),
        (ConnectionFailedError, "GET /v2/ failed: the connection was closed before an answer"),
    ]
