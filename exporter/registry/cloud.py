"""Credentials of the clouds' own registries, from the clouds' own SDKs, which are optional extras."""

import asyncio
import base64
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

import httpx

from exporter.registry.credentials import (
    Credentials,
    CredentialsError,
    CredentialSource,
    IdentityToken,
    Secret,
)

_DISTRIBUTION: Final = "registry-integrity-exporter"
_EARLIER: Final = timedelta(minutes=5)  # renewed so long before the end
_PATIENCE: Final = timedelta(seconds=30)  # before what failed is tried again
_SDK_TIMEOUT: Final = 30.0
_GOOGLE_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_AZURE_SCOPE: Final = "https://containerregistry.azure.net/.default"
_AZURE_LIFETIME: Final = timedelta(hours=1)  # it lasts three
_OK: Final = 200


class CloudProvider(StrEnum):
    """A cloud, by the name of the extra that brings its SDK."""

    ECR = "ecr"
    GCP = "gcp"
    AZURE = "azure"


class InvalidCloudError(ValueError):
    """A cloud's credentials cannot be had for this registry, or its extra is not installed."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A secret and when it ends."""

    secret: Secret = field(repr=False)
    expires_at: datetime


class Cloud(Protocol):
    """What is different about each cloud. Every call may block: it is made in a thread."""

    def lease(self) -> Lease:
        """Get a new secret; whatever the SDK raises says why there is none."""


def cloud_credentials(provider: CloudProvider, url: str) -> CredentialSource:
    """Make the source of a cloud registry's credentials, which only that cloud's registries are given.

    Raises:
        InvalidCloudError: the registry at `url` is none of that cloud's, or the extra is not installed.
    """
    address = httpx.URL(url)
    hosts, make = _CLOUDS[provider]
    match = hosts.fullmatch(address.host)
    if match is None or address.scheme != "https":
        raise InvalidCloudError(f"expected the https address of a registry of {_NAMES[provider]}")
    try:
        return LeasedCredentials(provider, make(match))
    except ImportError as error:
        package = f"{_DISTRIBUTION}[{provider}]"
        raise InvalidCloudError(
            f"expected the extra {provider} to be installed: pip install '{package}'"
        ) from error


class LeasedCredentials:
    """Secrets that end, each renewed a while before; one that cannot be renewed is used to its end.

    What failed is not tried for each of thousands of repositories.
    """

    def __init__(self, provider: CloudProvider, cloud: Cloud) -> None:
        """Lease from a cloud."""
        self._provider = provider
        self._cloud = cloud
        self._lease: Lease | None = None
        self._trouble = ""
        self._try_again_at = datetime.min.replace(tzinfo=UTC)
        self._lock = asyncio.Lock()

    async def find(self, repository: str) -> Secret | None:  # noqa: ARG002 - the protocol's
        """Give the secret, renewed where it is time."""
        async with self._lock:
            now = _now()
            due = self._lease is None or self._lease.expires_at - _EARLIER <= now
            if due and self._try_again_at <= now:
                await self._renew()
            if self._lease is None or self._lease.expires_at <= _now():
                raise CredentialsError(f"{_NAMES[self._provider]} gave none: {self._trouble}")
            return self._lease.secret

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(_SDK_TIMEOUT):
                self._lease = await asyncio.to_thread(self._cloud.lease)
        except Exception as error:  # noqa: BLE001 - an SDK may raise anything
            # Its kind alone: what it says may hold anything.
            self._trouble = str(error) if isinstance(error, CredentialsError) else type(error).__name__
            self._try_again_at = _now() + _PATIENCE


def _now() -> datetime:
    return datetime.now(UTC)


class _Ecr:
    """Amazon's, whose token is good for twelve hours."""

    def __init__(self, host: re.Match[str]) -> None:
        boto3, config = importlib.import_module("boto3"), importlib.import_module("botocore.config")
        region = host["region"]
        self._client: Any = boto3.client(
            "ecr" if region else "ecr-public",
            region_name=region or "us-east-1",
            config=config.Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}),
        )

    def lease(self) -> Lease:
        """Call `GetAuthorizationToken`."""
        data = self._client.get_authorization_token()["authorizationData"]
        data = data[0] if isinstance(data, list) else data
        username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return Lease(Credentials(username, password), data["expiresAt"])


class _Google:
    """Artifact Registry and what is left of Container Registry: an access token is the password."""

    def __init__(self, _host: re.Match[str]) -> None:
        self._auth: Any = importlib.import_module("google.auth")
        self._requests: Any = importlib.import_module("google.auth.transport.requests")
        self._credentials: Any = None

    def lease(self) -> Lease:
        """Refresh the application default credentials."""
        if self._credentials is None:
            self._credentials, _ = self._auth.default(scopes=[_GOOGLE_SCOPE])
        self._credentials.refresh(self._requests.Request())
        expiry = self._credentials.expiry.replace(tzinfo=UTC)  # it is naive, and in UTC
        return Lease(Credentials("oauth2accesstoken", self._credentials.token), expiry)


class _Azure:
    """ACR, which gives an identity token of its own for Entra's access token."""

    def __init__(self, host: re.Match[str]) -> None:
        identity: Any = importlib.import_module("azure.identity")
        self._host = host[0]
        self._credential = identity.DefaultAzureCredential()

    def lease(self) -> Lease:
        """Exchange the access token."""
        token = self._credential.get_token(_AZURE_SCOPE).token
        answer = httpx.post(
            f"https://{self._host}/oauth2/exchange",
            data={"grant_type": "access_token", "service": self._host, "access_token": token},
            timeout=10.0,
        )
        if answer.status_code != _OK:
            raise CredentialsError(f"POST https://{self._host}/oauth2/exchange answered {answer.status_code}")
        return Lease(IdentityToken(answer.json()["refresh_token"]), _now() + _AZURE_LIFETIME)


_NAMES: Final = {
    CloudProvider.ECR: "Amazon ECR",
    CloudProvider.GCP: "Google Artifact Registry",
    CloudProvider.AZURE: "Azure Container Registry",
}
_CLOUDS: Final[dict[CloudProvider, tuple[re.Pattern[str], Callable[[re.Match[str]], Cloud]]]] = {
    CloudProvider.ECR: (
        re.compile(
            r"[0-9]{12}\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.(com(\.cn)?|eu)|on\.(aws|amazonwebservices\.com\.cn))"
            r"|public\.ecr\.aws|ecr-public\.aws\.com"
        ),
        _Ecr,
    ),
    CloudProvider.GCP: (re.compile(r"[a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io"), _Google),
    CloudProvider.AZURE: (re.compile(r"[a-z0-9-]+\.azurecr\.(io|cn|us)"), _Azure),
}
