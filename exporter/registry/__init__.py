"""Speaking to a registry through its HTTP API. Knows HTTP, not integrity."""

from exporter.registry.auth import Credentials
from exporter.registry.client import (
    BlobHead,
    Errand,
    LastByte,
    ManifestBody,
    ManifestHead,
    RegistryClient,
    open_client,
)
from exporter.registry.errors import (
    AnswerError,
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
    "BlobHead",
    "Circuit",
    "ConnectionFailedError",
    "Credentials",
    "Errand",
    "LastByte",
    "LeftAloneError",
    "ManifestBody",
    "ManifestHead",
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
