"""Tokens and passwords over time: what is asked for, how often, and what becomes of a refusal.

In virtual time, through the client, against a registry and a token service that are a transport.
"""

import asyncio
import base64
from collections import Counter
from urllib.parse import parse_qs

import httpx
import pytest

from exporter.registry import Credentials, FixedCredentials, Purpose
from exporter.registry.auth import CLIENT_ID
from exporter.registry.credentials import CredentialsError, IdentityToken, RegistryToken, Secret
from tests.registry.token_world import DIGEST, REALM, TokenService, Visitor, World, raises, says

ANN = Credentials("ann", "hunter2")
BASIC = ANN.basic
HUNDRED_FINE = Counter({"": 100})
BLOB = f"/v2/app/blobs/{DIGEST}"
REFUSED = f"HEAD {BLOB} answered 401"


class Rotating:
    """A source whose secret changes; an exception in its place is raised."""

    def __init__(self, secret: Secret | CredentialsError | None) -> None:
        self.secret = secret
        self.asked = 0

    async def find(self, repository: str) -> Secret | None:  # noqa: ARG002
        self.asked += 1
        if isinstance(self.secret, CredentialsError):
            raise self.secret
        return self.secret


# What is asked for.


async def test_each_repository_and_the_catalog_have_a_token_of_their_own():
    """With the scopes of the specification, each asked for once; the root needs none."""
    visitor = Visitor(world := World())
    for _ in range(3):
        assert [await visitor.ping(), await visitor.catalog(), await visitor.tags("team/app")] == [""] * 3
        assert [await visitor.manifest("team/app"), await visitor.blob("app")] == [""] * 2
    assert world.service.scopes == [
        "",
        "registry:catalog:*",
        "repository:team/app:pull",
        "repository:app:pull",
    ]
    assert visitor.errand.tally.extra[Purpose.TOKEN] == 4


async def test_nobody_asks_for_a_token_where_none_is_demanded():
    """Nor names anyone."""
    visitor = Visitor(world := World(demand="none"))
    await visitor.catalog()
    assert (world.seen, world.service.requests) == ([("/v2/_catalog", None)], [])


async def test_anonymous_request_for_a_token_names_the_service_and_nobody():
    """As `docker pull` does without a login."""
    visitor = Visitor(world := World())
    await visitor.blob()
    (request,) = world.service.requests
    assert (request.method, dict(request.url.params), "authorization" in request.headers) == (
        "GET",
        {"service": "registry.example", "scope": "repository:app:pull"},
        False,
    )


async def test_password_goes_to_the_token_service_once_that_is_known():
    """And from then on to nobody else."""
    visitor = Visitor(world := World(TokenService(users={"ann": "hunter2"})), ANN)
    assert [await visitor.blob(), await visitor.blob(), await visitor.blob("other")] == [""] * 3
    assert [header for _, header in world.seen] == [
        BASIC,
        "Bearer token-0",
        "Bearer token-0",
        "Bearer token-1",
    ]
    assert [request.headers["authorization"] for request in world.service.requests] == [BASIC, BASIC]
    assert [request.url.params["account"] for request in world.service.requests] == ["ann", "ann"]


async def test_identity_token_is_posted_and_shown_to_the_token_service_alone():
    """OAuth2's `refresh_token` grant; the registry sees what comes of it."""
    source = FixedCredentials(IdentityToken("refresh me"))
    visitor = Visitor(world := World(TokenService(identity_tokens={"refresh me"})), source)
    assert [await visitor.blob(), await visitor.blob()] == ["", ""]
    assert [header for _, header in world.seen] == [None, "Bearer token-0", "Bearer token-0"]
    (request,) = world.service.requests
    assert (request.method, str(request.url), request.headers["content-type"]) == (
        "POST",
        REALM,
        "application/x-www-form-urlencoded",
    )
    assert parse_qs(request.content.decode(), strict_parsing=True) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["refresh me"],
        "client_id": [CLIENT_ID],
        "service": ["registry.example"],
        "scope": ["repository:app:pull"],
    }


async def test_token_called_access_token_is_taken():
    """As OAuth2 calls it; where both names are given, the older one counts."""
    visitor = Visitor(world := World(TokenService(more={"token": "", "access_token": "token-0"})))
    assert await visitor.blob() == ""
    assert world.seen[-1] == (BLOB, "Bearer token-0")


async def test_registry_token_goes_to_the_registry_as_it_is():
    """No token service is asked, whatever the registry demands."""
    source = FixedCredentials(RegistryToken("as-it-is"))
    visitor = Visitor(world := World(fixed_token="as-it-is"), source)
    assert [await visitor.blob(), await visitor.blob()] == ["", ""]
    assert (world.seen, world.service.requests) == ([(BLOB, "Bearer as-it-is")] * 2, [])


async def test_harmless_action_that_is_demanded_is_asked_for_from_then_on():
    """Azure's lists of tags need `metadata_read`; the next repository's first token has it."""
    visitor = Visitor(world := World(actions="metadata_read,pull"))
    assert [await visitor.tags("a"), await visitor.tags("b")] == ["", ""]
    assert world.service.scopes == [
        "repository:a:metadata_read,pull",
        "repository:b:metadata_read,pull",
    ]


@pytest.mark.parametrize("actions", ["pull,push", "*", "delete", "pull,metadata_write", "push"])
async def test_action_that_could_do_harm_is_not_asked_for(actions: str):
    """Whatever a registry demands, we only read."""
    visitor = Visitor(world := World(actions=actions))
    assert await visitor.blob() == REFUSED
    assert world.service.scopes == ["repository:app:pull"]


async def test_longer_name_that_a_registry_below_a_path_demands_is_asked_for():
    """It is learned once, for all repositories."""
    visitor = Visitor(world := World(prefix="docker-local/"))
    assert [await visitor.blob("app"), await visitor.blob("team/app")] == ["", ""]
    assert world.service.scopes == [
        "repository:docker-local/app:pull",
        "repository:docker-local/team/app:pull",
    ]


@pytest.mark.parametrize(
    "scope", ["repository:victim:pull", "repository:map:pull", "registry:catalog:*", ":::"]
)
async def test_scope_of_something_else_is_not_asked_for(scope: str):
    """A registry could have a token made for another repository, and be shown it."""
    world = World(challenge=[f'Bearer realm="{REALM}",scope="{scope}"'])
    assert await Visitor(world).blob() == ""
    assert world.service.scopes == ["repository:app:pull"]


# How often.


async def test_one_request_is_made_for_one_token_however_many_wait():
    """A hundred references of two repositories: two requests for tokens."""
    visitor = Visitor(world := World(TokenService(slowness=3.0)))
    outcomes = await asyncio.gather(visitor.blobs(100, "a"), visitor.blobs(100, "b"))
    assert outcomes == [HUNDRED_FINE, HUNDRED_FINE]
    assert sorted(world.service.scopes) == ["repository:a:pull", "repository:b:pull"]


async def test_time_that_a_token_takes_is_not_the_requests_own():
    """Each has its own ten seconds."""
    visitor = Visitor(World(TokenService(slowness=9.0)))
    assert await visitor.blob() == ""


@pytest.mark.parametrize(
    ("lifetime", "kept_for"),
    [(300.0, 290.0), (60.0, 50.0), (None, 50.0), (20.0, 10.0), (4.0, 2.0), (1e9, 86390.0)],
)
async def test_token_is_renewed_a_while_before_it_ends(lifetime: float | None, kept_for: float):
    """Ten seconds, or half its life; 60 s where the service does not tell, a day at most."""
    visitor = Visitor(world := World(TokenService(lifetime=lifetime, accepted_for=1e9)))
    await visitor.blob()
    await asyncio.sleep(kept_for - 0.1)
    await visitor.blob()
    assert len(world.service.requests) == 1
    await asyncio.sleep(0.2)
    await visitor.blob()
    assert len(world.service.requests) == 2
    assert (visitor.told.retries["unauthorized"], world.seen[-1]) == (1, (BLOB, "Bearer token-1"))


@pytest.mark.parametrize("expires_in", [0, -5, True, "300", None, [], float("1e400")])
async def test_lifetime_that_is_none_is_sixty_seconds(expires_in: object):
    """The specification's default."""
    more = {"expires_in": expires_in} if expires_in != float("inf") else {}
    visitor = Visitor(world := World(TokenService(lifetime=None, accepted_for=1e9, more=more)))
    await visitor.blob()
    await asyncio.sleep(49.0)
    await visitor.blob()
    await asyncio.sleep(2.0)
    await visitor.blob()
    assert len(world.service.requests) == 2


@pytest.mark.parametrize(
    ("issued_at", "date", "kept_for"),
    [
        ("2024-01-01T00:00:00Z", "Mon, 01 Jan 2024 00:02:00 GMT", 170.0),
        ("2024-01-01T00:00:00.123456789Z", "Mon, 01 Jan 2024 00:00:00 GMT", 290.0),
        ("2030-01-01T00:00:00Z", "Mon, 01 Jan 2024 00:00:00 GMT", 290.0),
        ("2024-01-01T00:00:00Z", None, 290.0),
        ("2024-01-01T00:00:00", "Mon, 01 Jan 2024 00:02:00 GMT", 290.0),
        ("yesterday", "Mon, 01 Jan 2024 00:02:00 GMT", 290.0),
        (17, "today", 290.0),
    ],
    ids=["two minutes old", "new", "from the future", "no date", "no zone", "no time", "no text"],
)
async def test_age_of_a_token_counts_by_the_services_own_clock(
    issued_at: object, date: str | None, kept_for: float
):
    """`issued_at` may be long ago; our own clock, which may be wrong, has no say."""
    service = TokenService(
        lifetime=300.0,
        accepted_for=1e9,
        more={"issued_at": issued_at},
        headers={"Date": date} if date else {},
    )
    visitor = Visitor(World(service))
    await visitor.blob()
    await asyncio.sleep(kept_for - 0.5)
    await visitor.blob()
    assert len(service.requests) == 1
    await asyncio.sleep(1.0)
    await visitor.blob()
    assert len(service.requests) == 2


async def test_expired_tokens_of_many_repositories_are_forgotten():
    """A registry of a hundred thousand repositories is walked again and again."""
    visitor = Visitor(World(TokenService(lifetime=20.0)))
    for number in range(3000):
        await visitor.blob(f"app-{number}")
        await asyncio.sleep(1.0)
    assert len(visitor.client._wire._authentication._scopes) <= 1000


# A refusal in the middle.


async def test_token_that_is_refused_in_the_middle_is_renewed_once():
    """For a hundred references that notice at once: one request, and each asks once more."""
    visitor = Visitor(world := World())
    await visitor.blob()
    world.service.revoke_all()
    assert await visitor.blobs(100) == HUNDRED_FINE
    assert len(world.service.requests) == 2
    assert visitor.told.retries == {"unauthorized": 101}
    assert visitor.errand.tally.extra[Purpose.RETRY] == 101


async def test_clock_of_the_registry_that_is_ahead_costs_a_renewal_each_time_and_no_finding():
    """It takes a token of sixty seconds for two."""
    visitor = Visitor(world := World(TokenService(lifetime=60.0, accepted_for=2.0)))
    for _ in range(20):
        assert await visitor.blobs(10) == {"": 10}
        await asyncio.sleep(1.0)
    assert len(world.service.requests) == 10


@pytest.mark.parametrize("number", [1, 1000])
async def test_token_that_never_worked_is_not_renewed_for_each_reference(number: int):
    """The service gives a token, but without access, as the specification has it."""
    visitor = Visitor(world := World(TokenService(denied={"repository:app:pull"})))
    assert await visitor.blob() == REFUSED
    for _ in range(number):
        assert await visitor.blob() == REFUSED
        await asyncio.sleep(9.0 / number)
    assert len(world.service.requests) == 1


async def test_short_token_that_never_worked_is_not_renewed_each_time_it_ends():
    """It would be refused again: one in ten seconds is enough to notice that access was given."""
    service = TokenService(lifetime=1.0, denied={"repository:app:pull"})
    visitor = Visitor(World(service))
    for _ in range(295):
        assert await visitor.blob() == REFUSED
        await asyncio.sleep(0.1)
    assert len(service.requests) == 3


async def test_short_token_for_manifests_only_is_renewed_when_it_ends():
    """Whatever becomes of the blobs: no manifest is refused for its sake."""
    service = TokenService(lifetime=4.0)
    visitor = Visitor(World(service, refuses=lambda path: "/blobs/" in path))
    outcomes = []
    for _ in range(290):
        outcomes += [await visitor.manifest(), await visitor.blob()]
        await asyncio.sleep(0.1)
    assert Counter(outcomes) == {"": 290, REFUSED: 290}
    assert len(service.requests) <= 29 / 2 + 1 + 3


async def test_token_that_never_worked_is_asked_for_again_after_ten_seconds():
    """However long it would be good: access may have been given meanwhile."""
    service = TokenService(lifetime=3600.0, denied={"repository:app:pull"})
    visitor = Visitor(World(service))
    assert await visitor.blob() == REFUSED
    service.denied.clear()
    await asyncio.sleep(10.5)
    assert await visitor.blob() == ""
    assert len(service.requests) == 2


async def test_access_that_is_lost_in_the_middle_is_noticed_and_given_back():
    """Refused, and no token for each reference; once given again, fine within ten seconds."""
    service = TokenService()
    visitor = Visitor(World(service))
    assert await visitor.blobs(100) == HUNDRED_FINE
    service.denied.add("repository:app:pull")
    service.revoke_all()
    for _ in range(9):
        assert await visitor.blobs(10) == {REFUSED: 10}
        await asyncio.sleep(1.0)
    assert len(service.requests) == 2
    service.denied.clear()
    await asyncio.sleep(2.0)
    assert await visitor.blobs(100) == HUNDRED_FINE


async def test_registry_that_takes_a_token_for_manifests_only_costs_one_renewal_in_ten_seconds():
    """Each accepted manifest makes the token good again, and no blob ever is."""
    visitor = Visitor(world := World(refuses=lambda path: "/blobs/" in path))
    outcomes = []
    for _ in range(95):
        outcomes += [await visitor.manifest(), await visitor.blob()]
        await asyncio.sleep(0.1)
    assert Counter(outcomes) == {"": 95, REFUSED: 95}
    assert len(world.service.requests) == 2


async def test_denied_repository_leaves_the_others_alone():
    """The catalog and the neighbours answer as ever."""
    visitor = Visitor(World(TokenService(denied={"repository:app:pull"})))
    assert [await visitor.catalog(), await visitor.blob("app"), await visitor.blob("other")] == [
        "",
        REFUSED,
        "",
    ]


# A token service in trouble.


@pytest.mark.parametrize(
    ("trouble", "asked", "message"),
    [
        (says(401), 1, f"GET {REALM} answered 401"),
        (says(403, errors=[{"code": "DENIED"}]), 1, f"GET {REALM} answered 403 DENIED"),
        (says(404), 1, f"GET {REALM} answered 404"),
        (says(500), 3, f"GET {REALM} answered 500"),
        (says(502), 3, f"GET {REALM} answered 502"),
        (says(503), 10, f"GET {REALM} answered 503"),
        (says(302), 1, f"GET {REALM} answered 302"),
        (says(204), 1, f"GET {REALM} answered 204"),
        (says(200), 1, f"GET {REALM} answered with what is no token"),
        (says(200, token=""), 1, f"GET {REALM} answered with what is no token"),
        (says(200, token=7), 1, f"GET {REALM} answered with what is no token"),
        (says(200, token="two words"), 1, f"GET {REALM} answered with what is no token"),
        (says(200, token="line\r\nX: y"), 1, f"GET {REALM} answered with what is no token"),
        (says(200, token="ü"), 1, f"GET {REALM} answered with what is no token"),
        (says(200, token="x" * 65537), 1, f"GET {REALM} answered with what is no token"),
        (
            lambda _request: httpx.Response(200, content=b"<html>"),
            1,
            f"GET {REALM} answered with what is no token",
        ),
        (
            lambda _request: httpx.Response(200, content=b"x" * 300_000),
            1,
            f"GET {REALM} answered with more than 262144 bytes",
        ),
        (raises(httpx.ConnectError("no")), 3, f"GET {REALM} failed: no connection"),
        (raises(httpx.RemoteProtocolError("no")), 1, f"GET {REALM} was answered with what is not HTTP"),
    ],
)
async def test_trouble_of_the_token_service_is_met_once_for_a_hundred_references(
    trouble: object, asked: int, message: str
):
    """Transient trouble three times, what may be a limit ten times. The error says whom it failed at."""
    visitor = Visitor(world := World(TokenService(trouble=trouble)))  # type: ignore[arg-type]
    outcome = f"HEAD {BLOB} was not asked: token service: {message}"
    assert await visitor.blobs(100) == {outcome: 100}
    assert await visitor.blobs(100) == {outcome: 100}
    assert len(world.service.requests) == asked == visitor.errand.tally.extra[Purpose.TOKEN]
    # A hundred learned of the service by asking once in vain; the others did not even ask.
    assert len(world.asked) == 100
    assert sum(visitor.told.retries.values()) == asked - 1


async def test_silent_token_service_is_a_timeout_of_its_own():
    """Three times ten seconds for the first, and no time at all for those that follow."""
    visitor = Visitor(world := World(TokenService(slowness=1e6)))
    message = f"HEAD {BLOB} was not asked: token service: GET {REALM} was not answered within 10 s"
    assert await visitor.blobs(100) == {message: 100}
    started = asyncio.get_running_loop().time()
    assert await visitor.blobs(100) == {message: 100}
    assert asyncio.get_running_loop().time() - started < 0.001
    assert len(world.service.requests) == 3


@pytest.mark.parametrize("trouble", [says(401), says(503), raises(httpx.ConnectError("no"))])
async def test_token_service_is_asked_again_after_ten_seconds(trouble: object):
    """And whoever asks then is none the wiser that there was trouble."""
    service = TokenService(trouble=trouble)  # type: ignore[arg-type]
    visitor = Visitor(World(service))
    assert await visitor.blob() != ""
    service.trouble = None
    await asyncio.sleep(9.0)
    assert await visitor.blob() != ""
    await asyncio.sleep(2.0)
    assert await visitor.blobs(100) == HUNDRED_FINE


async def test_token_service_that_cannot_be_reached_is_not_tried_for_each_repository():
    """A refused password may be good for another repository; a dead service is dead for all of them."""
    dead = TokenService(trouble=raises(httpx.ConnectError("no")))
    visitor = Visitor(World(dead))
    assert "no connection" in await visitor.blob("app-0")
    assert all([await visitor.blob(f"app-{number}") for number in range(1, 100)])
    assert len(dead.requests) == 3
    refusing = TokenService(trouble=says(401))
    visitor = Visitor(World(refusing))
    assert all([await visitor.blob(f"app-{number}") for number in range(100)])
    assert sorted(refusing.scopes) == sorted(f"repository:app-{number}:pull" for number in range(100))


async def test_token_service_that_is_asked_too_much_is_asked_more_slowly():
    """It says for how long to wait, and is obeyed for every scope; no reference fails for it."""
    busy_until = asyncio.get_running_loop().time() + 20.0

    def busy(_request: httpx.Request) -> httpx.Response:
        left = busy_until - asyncio.get_running_loop().time()
        if left > 0:
            return httpx.Response(429, headers={"Retry-After": str(int(left) + 1)})
        service.trouble = None
        return httpx.Response(429, headers={"Retry-After": "0"})

    service = TokenService(trouble=busy)
    visitor = Visitor(World(service))
    outcomes = await asyncio.gather(*(visitor.blob(f"app-{number}") for number in range(20)))
    assert Counter(outcomes) == {"": 20}
    assert len(service.requests) <= 20 * 2 + 20


async def test_token_service_that_drops_out_for_a_moment_costs_nothing():
    """One failure, then a token."""
    service = TokenService()
    visitor = Visitor(World(service))

    def once(_request: httpx.Request) -> httpx.Response:
        service.trouble = None
        return httpx.Response(502)

    service.trouble = once
    assert await visitor.blobs(100) == HUNDRED_FINE
    assert visitor.told.retries == {"server_error": 1, "unauthorized": 100}


# Passwords.


async def test_password_that_is_refused_is_not_sent_twice_for_a_reference():
    """Nor is the file read for each: the same would come of it."""
    source = Rotating(ANN)
    visitor = Visitor(world := World(demand="basic", users={"ann": "other"}), source)
    for _ in range(50):
        assert await visitor.blob() == REFUSED
    assert (len(world.asked), source.asked) == (50, 2)


async def test_rotated_password_is_picked_up_at_the_first_refusal():
    """The walk goes on without a finding."""
    source = Rotating(ANN)
    visitor = Visitor(world := World(demand="basic", users={"ann": "hunter2"}), source)
    assert await visitor.blob() == ""
    world.users["ann"], source.secret = "next", Credentials("ann", "next")
    assert await visitor.blobs(100) == HUNDRED_FINE
    world.users["ann"], source.secret = "last", Credentials("ann", "last")
    assert await visitor.blobs(100) == HUNDRED_FINE


async def test_password_that_is_rotated_here_first_is_picked_up_within_a_minute():
    """As credentials that end must be, before they do."""
    source = Rotating(ANN)
    visitor = Visitor(world := World(demand="none"), source)
    await visitor.blob()
    source.secret = Credentials("ann", "next")
    await asyncio.sleep(59.0)
    await visitor.blob()
    await asyncio.sleep(2.0)
    await visitor.blob()
    assert [header for _, header in world.seen] == [BASIC, BASIC, Credentials("ann", "next").basic]


async def test_wrong_password_at_the_token_service_is_put_right_without_a_restart():
    """Ten seconds after it is."""
    source = Rotating(Credentials("ann", "wrong"))
    visitor = Visitor(World(TokenService(users={"ann": "hunter2"})), source)
    message = f"HEAD {BLOB} was not asked: token service: GET {REALM} answered 401 UNAUTHORIZED"
    assert await visitor.blob() == message
    source.secret = ANN
    assert await visitor.blob() == message
    await asyncio.sleep(10.5)
    assert await visitor.blob() == ""


async def test_credentials_that_cannot_be_read_say_why_and_are_tried_again():
    """Nothing is asked anonymously instead; the message names what was not asked."""
    source = Rotating(CredentialsError("/run/password could not be read: No such file or directory"))
    visitor = Visitor(world := World(demand="none"), source)
    outcome = (
        f"HEAD {BLOB} was not asked: there are no credentials: "
        "/run/password could not be read: No such file or directory"
    )
    assert await visitor.blobs(100) == {outcome: 100}
    assert (source.asked, world.asked) == (1, [])
    source.secret = ANN
    await asyncio.sleep(10.5)
    assert await visitor.blob() == ""


async def test_password_that_worked_is_kept_while_its_source_fails():
    """A helper that fails now and then is no reason for a finding; a refusal still is."""
    source = Rotating(ANN)
    visitor = Visitor(world := World(demand="basic", users={"ann": "hunter2"}), source)
    assert await visitor.blob() == ""
    source.secret = CredentialsError("the helper is out")
    for _ in range(10):
        await asyncio.sleep(30.0)
        assert await visitor.blobs(10) == {"": 10}
    world.users["ann"] = "next"
    assert await visitor.blob() == f"HEAD {BLOB} was not asked: there are no credentials: the helper is out"


@pytest.mark.parametrize("scheme", ["Basic", "Negotiate", "Digest", 'Bearer service="no realm"'])
async def test_demand_that_cannot_be_met_is_a_refusal_for_each_reference(scheme: str):
    """Asked once each, never again."""
    visitor = Visitor(world := World(challenge=[scheme]))
    assert await visitor.blobs(10) == {REFUSED: 10}
    assert (len(world.asked), world.service.requests) == (10, [])


async def test_references_that_start_together_all_learn_of_the_token_service():
    """Whoever is refused after the first has learned of it asks again, too."""
    visitor = Visitor(world := World(TokenService(users={"ann": "hunter2"})), ANN)
    outcomes = await asyncio.gather(*(visitor.blob(f"app-{number % 5}") for number in range(100)))
    assert Counter(outcomes) == {"": 100}
    assert len(world.service.requests) == 5


async def test_registry_that_goes_over_to_passwords_is_followed():
    """And back."""
    visitor = Visitor(world := World(TokenService(users={"ann": "hunter2"}), users={"ann": "hunter2"}), ANN)
    assert await visitor.blob() == ""
    world.demand = "basic"
    assert await visitor.blobs(10) == {"": 10}
    world.demand = "bearer"
    assert await visitor.blobs(10) == {"": 10}


async def test_basic_and_bearer_demanded_together_are_met_by_bearer():
    """In whatever order, and in one header or two."""
    basic = 'Basic realm="x"'
    bearer = f'Bearer realm="{REALM}"'
    for challenge in ([basic, bearer], [bearer, basic], [f"{basic}, {bearer}"], [f"{bearer}, {basic}"]):
        world = World(TokenService(users={"ann": "hunter2"}), challenge=challenge)
        assert await Visitor(world, ANN).blob() == ""


def test_header_of_a_password_is_basic_in_utf_8():
    """RFC 7617."""
    assert Credentials("ann", "p\u00e4ss:w\u00f6rd").basic == "Basic " + base64.b64encode(
        "ann:päss:wörd".encode()
    ).decode("ascii")
