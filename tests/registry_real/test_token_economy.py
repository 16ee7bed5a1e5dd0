"""What a long walk costs in tokens, and what becomes of it when access is taken away in its middle."""

import asyncio
import math

import pytest

from exporter.registry import Purpose
from sample.registry import DockerRegistry
from tests.parts.fixtures import StartRegistry
from tests.parts.token_service import TokenRequest, TokenService
from tests.registry_real.walking import outcome, put, walk


@pytest.fixture
def registry(tokens: TokenService, start_registry: StartRegistry) -> DockerRegistry:
    return start_registry(more=tokens.registry_options)


async def check_economy(
    tokens: TokenService, registry: DockerRegistry, repositories: int, tags: int, kept_for: float
) -> None:
    names = [f"team/app-{number}" for number in range(repositories)]
    references = put(registry, *names, tags=tags)
    loop = asyncio.get_running_loop()
    started = loop.time()
    report = await walk(registry.url)
    seconds = loop.time() - started
    assert outcome(report) == ("complete", None, references, {})
    assert report.requests >= references
    # One at first, and one each time that the last one was due.
    most = 1 + math.floor(seconds / kept_for)
    assert len(tokens.scopes) == repositories + 1
    assert max(tokens.scopes.values()) <= most
    assert len(tokens.requests) == report.extra_requests[Purpose.TOKEN] <= len(tokens.scopes) * most


async def test_token_of_a_second_is_renewed_twice_a_second_and_not_for_each_reference(
    tokens: TokenService, registry: DockerRegistry
):
    """Two thousand references in two repositories: a token for each, and its renewals."""
    tokens.lifetime = 1.0
    await check_economy(tokens, registry, repositories=2, tags=1000, kept_for=0.5)
    assert tokens.scopes.total() > len(tokens.scopes), "nothing was renewed: the walk was over too soon"


@pytest.mark.proof
async def test_twenty_thousand_references_with_tokens_of_a_minute(
    tokens: TokenService, registry: DockerRegistry
):
    """Twenty repositories."""
    tokens.lifetime = 60.0
    await check_economy(tokens, registry, repositories=20, tags=1000, kept_for=50.0)


@pytest.mark.parametrize("way", ["no token", "a token without access"])
async def test_access_that_is_taken_away_in_the_middle_is_unauthorized_and_never_missing(
    way: str, tokens: TokenService, registry: DockerRegistry
):
    """From the second token of a repository on; the other one is walked to its end."""
    tokens.lifetime = 1.0
    put(registry, "team/app", "team/other", tags=800)
    revoked = "repository:team/app:pull"

    def take_away(request: TokenRequest) -> int | None:
        if request.scope == revoked and tokens.scopes[revoked] > 1:
            tokens.denied.add(revoked)
            return 401 if way == "no token" else None
        return None

    tokens.refused = take_away
    report = await walk(registry.url)
    _, _, _, reasons = outcome(report)
    assert set(reasons) == {"unverified unauthorized"}
    assert report.repositories["team/other"].findings == ()
    assert tokens.scopes[revoked] <= 2 + math.floor(report.duration_seconds / 10.0)
