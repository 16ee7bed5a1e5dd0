"""Credentials of the clouds' registries.

The SDKs are stood in for by small modules with the few names that are used of them, and Azure's exchange by
respx. What the real ones make of it was tried by hand: see the docstrings of the fakes.
"""

import asyncio
import base64
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
import respx

from exporter.registry import (
    CloudProvider,
    Credentials,
    CredentialSource,
    InvalidCloudError,
    cloud_credentials,
)
from exporter.registry import cloud as module
from exporter.registry.cloud import Lease, LeasedCredentials
from exporter.registry.credentials import CredentialsError, IdentityToken

SECRET = "s3cr3t"
ECR = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"
GOOGLE = "https://europe-docker.pkg.dev"
AZURE = "https://team.azurecr.io"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Install = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a module where it will be imported from, with the packages above it."""

    def put(name: str, content: dict[str, Any]) -> None:
        for package in (name.rsplit(".", depth)[0] for depth in range(name.count("."), 0, -1)):
            monkeypatch.setitem(sys.modules, package, sys.modules.get(package) or ModuleType(package))
        made = ModuleType(name)
        vars(made).update(content)
        monkeypatch.setitem(sys.modules, name, made)

    return put


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        monkeypatch.setattr(module, "_now", lambda: self.now)

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def aws(install: Install) -> list[tuple[str, dict[str, Any]]]:
    """boto3 1.44.5 asked `AWS_ENDPOINT_URL_ECR` just so, with an `expiresAt` that has a zone."""
    clients: list[tuple[str, dict[str, Any]]] = []
    token = base64.b64encode(f"AWS:{SECRET}".encode()).decode()
    data = {"authorizationToken": token, "expiresAt": NOW + timedelta(hours=12)}

    def client(service: str, **options: Any) -> SimpleNamespace:
        clients.append((service, options))
        answer = {"authorizationData": data if service == "ecr-public" else [data]}
        return SimpleNamespace(get_authorization_token=lambda: answer)

    install("boto3", {"client": client})
    install("botocore.config", {"Config": lambda **options: options})
    return clients


@pytest.mark.parametrize(
    ("url", "service", "region"),
    [
        (ECR, "ecr", "eu-west-1"),
        ("https://123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr", "cn-north-1"),
        ("https://123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ecr", "us-gov-west-1"),
        ("https://123456789012.dkr-ecr.us-east-2.on.aws", "ecr", "us-east-2"),
        ("https://123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "ecr", "eusc-de-east-1"),
        ("https://public.ecr.aws", "ecr-public", "us-east-1"),
    ],
)
async def test_ecr_is_asked_in_the_region_of_the_registry(
    url: str, service: str, region: str, aws: list[tuple[str, dict[str, Any]]], clock: Clock
):
    """Which its name tells; the public one has its own service. It gives a user and a password."""
    source = cloud_credentials(CloudProvider.ECR, url)
    assert await source.find("app") == Credentials("AWS", SECRET)
    assert [(name, options["region_name"]) for name, options in aws] == [(service, region)]
    assert clock.now == NOW


async def test_google_gives_an_access_token_as_the_password(install: Install, clock: Clock):
    """google-auth 2.62.2 got it from a metadata server at `GCE_METADATA_HOST`; its expiry has no zone."""
    scopes: list[str] = []

    class FromMetadata:
        token = ""
        expiry = datetime.min  # noqa: DTZ901 - as the SDK has it

        def refresh(self, request: object) -> None:
            assert request == "a request"
            self.token = SECRET
            self.expiry = (clock.now + timedelta(hours=1)).replace(tzinfo=None)

    def default(**options: Any) -> tuple[FromMetadata, str]:
        scopes.extend(options["scopes"])
        return FromMetadata(), "project"

    install("google.auth.transport.requests", {"Request": lambda: "a request"})
    vars(sys.modules["google.auth"])["default"] = default
    source = cloud_credentials(CloudProvider.GCP, GOOGLE)
    assert await source.find("app") == Credentials("oauth2accesstoken", SECRET)
    clock.advance(hours=2)
    assert await source.find("app") == Credentials("oauth2accesstoken", SECRET)
    assert scopes == ["https://www.googleapis.com/auth/cloud-platform"]


@pytest.fixture
def entra(install: Install) -> list[str]:
    """azure-identity 1.27.0 got it from a service at `IDENTITY_ENDPOINT`, for this very scope."""
    scopes: list[str] = []

    class DefaultAzureCredential:
        def get_token(self, scope: str) -> SimpleNamespace:
            scopes.append(scope)
            return SimpleNamespace(token="entra's", expires_on=0)

    install("azure.identity", {"DefaultAzureCredential": DefaultAzureCredential})
    return scopes


@respx.mock
async def test_azure_exchanges_an_access_token_for_an_identity_token(entra: list[str], clock: Clock):
    """At the registry itself, which is then asked for tokens with that; renewed within the hour."""
    exchange = respx.post(f"{AZURE}/oauth2/exchange").respond(json={"refresh_token": SECRET})
    source = cloud_credentials(CloudProvider.AZURE, AZURE)
    assert await source.find("app") == IdentityToken(SECRET)
    assert dict(httpx.QueryParams(exchange.calls.last.request.content.decode())) == {
        "grant_type": "access_token",
        "service": "team.azurecr.io",
        "access_token": "entra's",
    }
    clock.advance(minutes=54)
    await source.find("app")
    clock.advance(minutes=2)
    await source.find("app")
    assert (entra, exchange.call_count) == (["https://containerregistry.azure.net/.default"] * 2, 2)


@respx.mock
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, text=SECRET),
        httpx.Response(307, headers={"Location": "https://evil.example"}),
    ],
    ids=["401", "307"],
)
async def test_exchange_that_is_refused_says_so(answer: httpx.Response, entra: list[str], clock: Clock):
    """It is not followed elsewhere."""
    respx.post(f"{AZURE}/oauth2/exchange").mock(return_value=answer)
    assert await trouble(cloud_credentials(CloudProvider.AZURE, AZURE)) == (
        "Azure Container Registry gave none: "
        f"POST https://team.azurecr.io/oauth2/exchange answered {answer.status_code}"
    )
    assert (len(entra), clock.now) == (1, NOW)


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("ecr", "https://registry.example"),
        ("ecr", "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example"),
        ("ecr", "https://evil-123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil"),
        ("ecr", "http://123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
        ("ecr", GOOGLE),
        ("gcp", "https://docker.pkg.dev.evil.example"),
        ("gcp", "https://evilgcr.io"),
        ("gcp", "http://gcr.io"),
        ("gcp", AZURE),
        ("azure", "https://team.azurecr.io.evil.example"),
        ("azure", "https://evil.example/team.azurecr.io"),
        ("azure", "https://azurecr.io"),
        ("azure", ECR),
    ],
)
def test_registry_that_is_not_the_clouds_gets_none_of_its_secrets(provider: str, url: str):
    """A token of Google's opens all of a project, so that its place is not a matter of trust."""
    with pytest.raises(InvalidCloudError, match=r"^expected the https address of a registry of "):
        cloud_credentials(CloudProvider(provider), url)


@pytest.mark.parametrize(
    ("provider", "url", "absent"),
    [
        ("ecr", ECR, "boto3"),
        ("gcp", GOOGLE, "google.auth"),
        ("gcp", "https://eu.gcr.io", "google.auth.transport.requests"),
        ("azure", AZURE, "azure.identity"),
        ("azure", "https://team-a1b2.azurecr.cn", "azure.identity"),
    ],
)
def test_extra_that_is_not_installed_is_named(
    provider: str, url: str, absent: str, install: Install, monkeypatch: pytest.MonkeyPatch
):
    """With the command that installs it."""
    install("google.auth", {})
    monkeypatch.setitem(sys.modules, absent, None)  # which Python takes for absent
    with pytest.raises(InvalidCloudError) as caught:
        cloud_credentials(CloudProvider(provider), url)
    assert str(caught.value) == (
        f"expected the extra {provider} to be installed: "
        f"pip install 'registry-integrity-exporter[{provider}]'"
    )


class Bank:
    """A cloud that gives a new secret each time, for an hour; or raises."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked = 0
        self.threads: set[int] = set()
        self.trouble: Exception | None = None

    def lease(self) -> Lease:
        self.asked += 1
        self.threads.add(threading.get_ident())
        if self.trouble is not None:
            raise self.trouble
        return Lease(IdentityToken(f"{SECRET} {self.asked}"), self.clock.now + timedelta(hours=1))


@pytest.fixture
def bank(clock: Clock) -> Bank:
    return Bank(clock)


async def trouble(source: CredentialSource) -> str:
    with pytest.raises(CredentialsError) as caught:
        await source.find("app")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


async def test_one_lease_is_for_all_repositories(bank: Bank):
    """However many ask at once; the SDK, which blocks, is asked in a thread of its own."""
    source = LeasedCredentials(CloudProvider.ECR, bank)
    found = await asyncio.gather(*(source.find(f"app-{number}") for number in range(1000)))
    assert (set(found), bank.asked) == ({IdentityToken(f"{SECRET} 1")}, 1)
    assert threading.get_ident() not in bank.threads


async def test_lease_is_renewed_before_it_ends(bank: Bank, clock: Clock):
    """Five minutes."""
    source = LeasedCredentials(CloudProvider.ECR, bank)
    found = []
    for _ in range(2):
        found.append(await source.find("app"))
        clock.advance(minutes=54)
        found.append(await source.find("app"))
        clock.advance(minutes=1)
    assert found == [IdentityToken(f"{SECRET} {number}") for number in (1, 1, 2, 2)]


async def test_lease_that_cannot_be_renewed_is_used_to_its_end(bank: Bank, clock: Clock):
    """Tried again every half a minute, not for each repository; then the error says what kind it was."""
    source = LeasedCredentials(CloudProvider.ECR, bank)
    await source.find("app")
    bank.trouble = ConnectionError(SECRET)
    clock.advance(minutes=55)
    for _ in range(299):
        assert await source.find("app") == IdentityToken(f"{SECRET} 1")
        clock.advance(seconds=1)
    assert bank.asked == 1 + 10
    clock.advance(seconds=2)
    assert await trouble(source) == "Amazon ECR gave none: ConnectionError"
    bank.trouble = None
    clock.advance(seconds=31)
    assert await source.find("app") == IdentityToken(f"{SECRET} 13")


async def test_cloud_that_gives_none_is_not_asked_for_each_repository(bank: Bank):
    """Whatever it raises."""
    source = LeasedCredentials(CloudProvider.GCP, bank)
    bank.trouble = KeyError(SECRET)
    for _ in range(100):
        assert await trouble(source) == "Google Artifact Registry gave none: KeyError"
    assert bank.asked == 1
