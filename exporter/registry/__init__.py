"""Speaking to a registry through its HTTP API. Knows HTTP, not integrity."""

from exporter.registry.client import (
    BlobHead,
    Errand,
    LastByte,
    ManifestBody,
    ManifestHead,
    RegistryClient,
    open_client,
)
from exporter.registry.credentials import (
    Credentials,
    CredentialSource,
    DockerConfig,
    FixedCredentials,
    NoCredentials,
    PasswordFile,
)
from exporter.registry.errors import (
    AnswerError,
    AuthenticationError,
    ConnectionFailedError,
    LeftAloneError,
    ProtocolError,
    RegistryError,
    TimedOutError,
    TooLargeError,
    TruncatedBodyError,
)
from exporter.registry.pacing import Circuit
from exporter.registry.requests import Purpose, RequestObserver, Tally

__all__ = [
    "AnswerError",
    "AuthenticationError",
    "BlobHead",
    "Circuit",
    "ConnectionFailedError",
    "CredentialSource",
    "Credentials",
    "DockerConfig",
    "Errand",
    "FixedCredentials",
    "LastByte",
    "LeftAloneError",
    "ManifestBody",
    "ManifestHead",
    "NoCredentials",
    "PasswordFile",
    "ProtocolError",
    "Purpose",
    "RegistryClient",
    "RegistryError",
    "RequestObserver",
    "Tally",
    "TimedOutError",
    "TooLargeError",
    "TruncatedBodyError",
    "open_client",
]
