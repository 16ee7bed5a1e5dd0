"""Speaking to a registry through its HTTP API. Knows HTTP, not integrity."""

from exporter.registry.bodies import BodySink
from exporter.registry.caches import NoticeCache
from exporter.registry.client import (
    BlobHead,
    Errand,
    LastByte,
    ManifestBody,
    ManifestHead,
    RegistryClient,
    open_client,
)
from exporter.registry.cloud import CloudProvider, InvalidCloudError, cloud_credentials
from exporter.registry.connections import TransportOptions, TransportOptionsError
from exporter.registry.credentials import (
    Credentials,
    CredentialSource,
    DockerConfig,
    FirstFound,
    FixedCredentials,
    NoCredentials,
    PasswordFile,
)
from exporter.registry.deadline import Deadline
from exporter.registry.errors import (
    AnswerError,
    AuthenticationError,
    ConnectionFailedError,
    LeftAloneError,
    PastDeadlineError,
    ProtocolError,
    RegistryError,
    TimedOutError,
    TooLargeError,
    TruncatedBodyError,
)
from exporter.registry.pacing import Circuit
from exporter.registry.proxies import InvalidProxyError, Proxies, is_loopback
from exporter.registry.requests import Purpose, RequestObserver, Tally

__all__ = [
    "AnswerError",
    "AuthenticationError",
    "BlobHead",
    "BodySink",
    "Circuit",
    "CloudProvider",
    "ConnectionFailedError",
    "CredentialSource",
    "Credentials",
    "Deadline",
    "DockerConfig",
    "Errand",
    "FirstFound",
    "FixedCredentials",
    "InvalidCloudError",
    "InvalidProxyError",
    "LastByte",
    "LeftAloneError",
    "ManifestBody",
    "ManifestHead",
    "NoCredentials",
    "NoticeCache",
    "PasswordFile",
    "PastDeadlineError",
    "ProtocolError",
    "Proxies",
    "Purpose",
    "RegistryClient",
    "RegistryError",
    "RequestObserver",
    "Tally",
    "TimedOutError",
    "TooLargeError",
    "TransportOptions",
    "TransportOptionsError",
    "TruncatedBodyError",
    "cloud_credentials",
    "is_loopback",
    "open_client",
]
