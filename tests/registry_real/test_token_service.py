"""docker-registry that wants tokens, and a token service whose signatures it verifies."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.integrity import Report
from exporter.registry import Credentials, FixedCredentials, Purpose, TransportOptions
from exporter.registry.credentials import IdentityToken, RegistryToken, Secret
from sample.registry import DockerRegistry
from tests.parts.certificates import Authority
from tests.parts.fixtures import StartRegistry
from tests.parts.token_service import TokenRequest, TokenService, serve_tokens
from tests.registry_real.walking import REPOSITORIES, open_cycle, outcome, put, walk

CATALOG = "registry:catalog:*"
SCOPES = {CATALOG: 1, **{f"repository:{name}:pull": 1 for name in REPOSITORIES}}
ANN = Credentials("änn", "p\u00e4ss w\u00f6rd'\"")


@pytest.fixture
def registry(tokens: TokenService, start_registry: StartRegistry) -> DockerRegistry:
    return start_registry(more=tokens.registry_options)


async def test_anonymous_walk_costs_one_token_for_each_scope(tokens: TokenService, registry: DockerRegistry):
    """And one refusal, by which the registry names its token service."""
    references = put(registry)
    mark = registry.mark()
    report = await walk(registry.url)
    assert outcome(report) == ("complete", None, references, {})
    assert tokens.scopes == SCOPES
    assert {request.user for request in tokens.requests} == {""}
    assert [one.target for one in registry.requests(mark) if one.status == 401] == ["/v2/_catalog?n=1000"]
    assert (report.extra_requests[Purpose.TOKEN], report.extra_requests[Purpose.RETRY]) == (3, 1)


async def test_listed_repositories_need_no_token_for_the_catalog(
    tokens: TokenService, registry: DockerRegistry
):
    """The registry's root wants one that is for nothing in particular."""
    put(registry)
    report = await walk(registry.url, cycle={"repositories": ("team/app",)})
    assert (report.outcome.value, list(report.findings())) == ("complete", [])
    assert tokens.scopes == {"": 1, "repository:team/app:pull": 1}


@pytest.mark.parametrize(
    ("secret", "grant"),
    [(ANN, ""), (IdentityToken("refresh & me"), "refresh_token")],
    ids=["password", "identity token"],
)
async def test_user_of_the_token_service_is_let_in(
    secret: Secret, grant: str, tokens: TokenService, registry: DockerRegistry
):
    """By password or identity token; nobody else is."""
    tokens.users = {ANN.username: ANN.password}
    tokens.identity_tokens = {"refresh & me": ANN.username}
    references = put(registry)
    assert outcome(await walk(registry.url)) == (
        "failed",
        "GET /v2/_catalog answered 401 UNAUTHORIZED",
        0,
        {},
    )
    tokens.requests.clear()
    report = await walk(registry.url, credentials=FixedCredentials(secret))
    assert outcome(report) == ("complete", None, references, {})
    assert tokens.scopes == SCOPES
    assert {(request.user, request.grant) for request in tokens.requests} == {(ANN.username, grant)}


async def test_wrong_password_is_a_failed_cycle_that_names_the_token_service(
    tokens: TokenService, registry: DockerRegistry
):
    """With nothing of the password."""
    tokens.users = {"ann": "right"}
    put(registry)
    assert outcome(await walk(registry.url, credentials=Credentials("ann", "wr0ng"))) == (
        "failed",
        f"GET /v2/_catalog was not asked: token service: GET {tokens.url}/token answered 401 UNAUTHORIZED",
        0,
        {},
    )


async def test_token_of_the_operators_is_shown_to_the_registry_alone(
    tokens: TokenService, registry: DockerRegistry
):
    """It is good for what it says; the token service is not asked."""
    put(registry)
    token = tokens._sign(TokenRequest(CATALOG, ""))
    async with open_cycle(registry.url, credentials=FixedCredentials(RegistryToken(token))) as cycle:
        report = await cycle.run(None)
    assert report.catalog_accessible
    assert tokens.requests == []


@pytest.mark.parametrize(
    ("deny", "reason", "told"),
    [
        (lambda tokens, scope: tokens.denied.add(scope), "unauthorized", "answered 401 UNAUTHORIZED"),
        (lambda tokens, scope: refuse(tokens, scope, 403), "forbidden", "answered 403"),
        (lambda tokens, scope: refuse(tokens, scope, 401), "unauthorized", "answered 401"),
        (lambda tokens, scope: refuse(tokens, scope, 500), "server_error", "answered 500"),
    ],
    ids=["a token without access", "403", "401", "500"],
)
async def test_denied_repository_is_unverified_and_no_other(
    deny: Callable[[TokenService, str], None],
    reason: str,
    told: str,
    tokens: TokenService,
    registry: DockerRegistry,
):
    """The catalog lists it; its neighbours are walked and found intact."""
    put(registry, "team/app", "team/denied", "team/other")
    deny(tokens, "repository:team/denied:pull")
    report = await walk(registry.url)
    assert {name: unverified(report, name) for name in report.repositories} == {
        "team/app": [],
        "team/denied": [reason],
        "team/other": [],
    }
    assert report.catalog_accessible
    assert told in str(report.repositories["team/denied"])
    assert tokens.scopes["repository:team/denied:pull"] == (3 if reason == "server_error" else 1)


def refuse(tokens: TokenService, scope: str, status: int) -> None:
    tokens.refused = lambda request: status if request.scope == scope else None


def unverified(report: Report, name: str) -> list[str]:
    """The reasons for which something of a repository is unverified, or the whole of it."""
    repository = report.repositories[name]
    assert not list(repository.broken())
    return [finding.reason.value for finding in repository.findings] or (
        [] if repository.walked else ["not walked"]
    )


async def test_registry_that_trusts_another_key_meanwhile_is_no_damage(
    tokens: TokenService, registry: DockerRegistry, authority: Authority
):
    """While all tokens would still be good; once it trusts the right key again, so is everything."""
    references = put(registry)
    intact = ("complete", None, references, {})
    trust = registry.options.more["auth"]["token"]
    right = trust["rootcertbundle"]
    async with open_cycle(registry.url) as cycle:
        assert outcome(await cycle.run(None)) == intact
        trust["rootcertbundle"] = str(authority.file)
        registry.restart()
        refused = ("failed", "GET /v2/_catalog answered 401 UNAUTHORIZED", 0, {})
        assert outcome(await cycle.run(None)) == refused
        assert tokens.scopes == SCOPES | {CATALOG: 2}
        trust["rootcertbundle"] = right
        registry.restart()
        assert outcome(await cycle.run(None)) == intact


@pytest.mark.parametrize("registry_tls", [False, True], ids=["http registry", "https registry"])
async def test_token_service_by_https_is_trusted_by_its_certificate(
    registry_tls: bool, authority: Authority, start_registry: StartRegistry, tmp_path: Path
):
    """The authority of the registry is that of its token service; without it neither gets a secret."""
    pair = authority.issue("127.0.0.1")
    async with serve_tokens(tmp_path, pair.server_context()) as service:
        service.users = {"ann": "pw"}
        options = service.registry_options
        if registry_tls:
            certificate, key = map(str, pair.files)
            options |= {"http": {"tls": {"certificate": certificate, "key": key}}}
        registry = start_registry(more=options)
        references = put(registry)
        ann = Credentials("ann", "pw")
        report = await walk(registry.url, credentials=ann)
        assert (report.outcome.value, service.requests) == ("failed", [])
        assert "TLS could not be agreed on" in (report.trouble or "")
        trusting = TransportOptions(ca_file=authority.file)
        report = await walk(registry.url, credentials=ann, transport_options=trusting)
        assert outcome(report) == ("complete", None, references, {})
        assert service.scopes == SCOPES
