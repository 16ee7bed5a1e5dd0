"""What an operator decides about a cycle."""

from dataclasses import dataclass
from enum import StrEnum

from exporter.integrity.rules import IgnoreRule, PlatformRule


class BlobCheck(StrEnum):
    """How blobs are asked for."""

    AUTO = "auto"  # last byte, tried on the smallest blob first
    RANGE = "range"  # last byte
    HEAD = "head"  # headers only: for registries that turn a range into a whole download


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """Options of the cycles of one registry; delays and intervals are in seconds.

    Where `repositories` is given, the catalog is not read. Of `platforms` the first rule that matches a
    repository counts.
    """

    concurrency: int = 16
    confirm_delay: float = 5.0
    suspect_delay: float = 60.0
    refetch_interval: float = 86400.0
    blob_check: BlobCheck = BlobCheck.AUTO
    repositories: tuple[str, ...] | None = None
    ignore: tuple[IgnoreRule, ...] = ()
    platforms: tuple[PlatformRule, ...] = ()
