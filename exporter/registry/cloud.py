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
_SDK_TIMEOUT: Final = 30.0
_GOOGLE_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_AZURE_SCOPE: Final = "https://containerregistry.azure.net/.default"
_AZURE_LIFETIME: Final = timedelta(hours=3)
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
    """Secrets that end, each renewed a while before; one that cannot be renewed is used to its end."""

    def __init__(self, provider: CloudProvider, cloud: Cloud) -> None:
        """Lease from a cloud."""
        self._provider = provider
        self._cloud = cloud
        self._lease: Lease | None = None
        self._lock = asyncio.Lock()

    async def find(self, repository: str) -> Secret | None:  # noqa: ARG002 - the protocol's
        """Give the secret, renewed where it is time."""
        async with self._lock:
            lease, now = self._lease, datetime.now(UTC)
            if lease is None or lease.expires_at - _EARLIER <= now:
                lease = await self._renew(lease if lease is not None and lease.expires_at > now else None)
                self._lease = lease
            return lease.secret

    async def _renew(self, old: Lease | None) -> Lease:
        try:
            async with asyncio.timeout(_SDK_TIMEOUT):
                return await asyncio.to_thread(self._cloud.lease)
        except Exception as error:
            if old is not None:
                return old
            # Only the kind: what an SDK says may hold anything.
            what = f"{_NAMES[self._provider]} gave no credentials: {type(error).__name__}"
            raise CredentialsError(what) from error


class _Ecr:
    """Amazon's, whose token is good for twelve hours."""

    def __init__(self, host: re.Match[str]) -> None:
        boto3 = importlib.import_module("boto3")
        public = host["region"] is None
        self._client: Any = boto3.client(
            "ecr-public" if public else "ecr", region_name="us-east-1" if public else host["region"]
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
        self._auth = importlib.import_module("google.auth")
        self._requests = importlib.import_module("google.auth.transport.requests")
        self._credentials: Any = None

    def lease(self) -> Lease:
        """Refresh the application default credentials."""
        if self._credentials is None:
            self._credentials, _ = self._auth.default(scopes=[_GOOGLE_SCOPE])
        self._credentials.refresh(self._requests.Request())
        expiry = self._credentials.expiry.replace(tzinfo=UTC)  # naive, and UTC
        return Lease(Credentials("oauth2accesstoken", self._credentials.token), expiry)


class _Azure:
    """ACR, which gives an identity token of its own for Entra's access token."""

    def __init__(self, host: re.Match[str]) -> None:
        identity = importlib.import_module("azure.identity")
        self._host = host[0]
        self._credential: Any = identity.DefaultAzureCredential()

    def lease(self) -> Lease:
        """Exchange the access token."""
        token = self._credential.get_token(_AZURE_SCOPE)
        now = datetime.now(UTC)
        answer = httpx.post(
            f"https://{self._host}/oauth2/exchange",
            data={"grant_type": "access_token", "service": self._host, "access_token": token.token},
            timeout=_SDK_TIMEOUT,
        )
        if answer.status_code != _OK:
            raise CredentialsError(f"the exchange answered {answer.status_code}")
        return Lease(IdentityToken(answer.json()["refresh_token"]), now + _AZURE_LIFETIME)


_NAMES: Final = {
    CloudProvider.ECR: "Amazon ECR",
    CloudProvider.GCP: "Google Artifact Registry",
    CloudProvider.AZURE: "Azure Container Registry",
}
_CLOUDS: Final[dict[CloudProvider, tuple[re.Pattern[str], Callable[[re.Match[str]], Cloud]]]] = {
    CloudProvider.ECR: (
        re.compile(
            r"[0-9]{12}\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.(aws|amazonwebservices\.com\.cn))"
            r"|public\.ecr\.aws|ecr-public\.aws\.com"
        ),
        _Ecr,
    ),
    CloudProvider.GCP: (re.compile(r"[a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io"), _Google),
    CloudProvider.AZURE: (re.compile(r"[a-z0-9-]+\.azurecr\.(io|cn|us)"), _Azure),
}
