"""What an operator decides about a cycle."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from exporter.integrity.manifests import DEFAULT_SIZE
from exporter.integrity.report import RegistryKind
from exporter.integrity.rules import ALL_NAMES, GlobFilter, IgnoreRule, PlatformRule
from exporter.integrity.shards import Shard
from exporter.oci import Digest


class BlobCheck(StrEnum):
    """How blobs are asked for."""

    AUTO = "auto"  # last byte, tried on the smallest blob first
    RANGE = "range"  # last byte
    HEAD = "head"  # headers only: for registries that turn a range into a whole download


@dataclass(frozen=True, slots=True)
class ImageByDigest:
    """An image that no tag needs to lead to."""

    repository: str
    digest: Digest

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class ImageByTag:
    """An image by its tag, whatever other tags there are."""

    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class RepositoryOverride:
    """What is different about the repositories that a glob matches; None: what the registry has."""

    repository: str
    kind: RegistryKind | None = None
    blob_check: BlobCheck | None = None


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """Options of the cycles of one registry; delays and intervals are in seconds.

    `manifest_cache_size` is how many manifests are remembered from one cycle to the next.

    Where `repositories` is given, the catalog is not read; else `repository_filter` says which of it are
    walked. `images` are walked whatever the tags are, and in any repository. Of `overrides` and of
    `platforms` the first that matches a repository counts. Where there is a `shard`, only what it holds of
    all that is walked and reported.

    Where `only` is given, those images alone are walked, without a question about any other: neither the
    catalog nor a list of tags is read, and a tag that is not there is missing. An index among them that has
    nothing for one of `required_platforms` is broken. With `full`, every blob is read whole and hashed.

    A cycle ends within the `deadline`, in seconds, where there is one: what it could not ask is unverified.
    """

    concurrency: int = 16
    confirm_delay: float = 5.0
    suspect_delay: float = 60.0
    refetch_interval: float = 86400.0
    manifest_cache_size: int = DEFAULT_SIZE
    blob_check: BlobCheck = BlobCheck.AUTO
    repositories: tuple[str, ...] | None = None
    repository_filter: GlobFilter = ALL_NAMES
    tags: GlobFilter = ALL_NAMES
    images: tuple[ImageByDigest, ...] = ()
    overrides: tuple[RepositoryOverride, ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()
    platforms: tuple[PlatformRule, ...] = ()
    only: tuple[ImageByTag | ImageByDigest, ...] | None = None
    required_platforms: tuple[str, ...] = ()
    full: bool = False
    shard: Shard | None = None
    deadline: float | None = None

    def holds(self, repository: str) -> bool:
        """Whether a repository is for these cycles, or for those of another shard."""
        return self.shard is None or self.shard.holds(repository)


@dataclass(frozen=True, slots=True)
class Scope:
    """What of one repository is walked: its tags, unless `lists_tags` says otherwise, and some images.

    A tag that is not accepted by `tags` does not exist for the walk; `named_tags` do, whether or not the
    registry knows them. `platforms` says which children are meant to be there; None: all.
    """

    lists_tags: bool = True
    tags: GlobFilter = ALL_NAMES
    named_tags: tuple[str, ...] = ()
    images: tuple[Digest, ...] = ()
    platforms: PlatformRule | None = None
    required_platforms: tuple[str, ...] = ()


def override_for(repository: str, overrides: Iterable[RepositoryOverride]) -> RepositoryOverride | None:
    """Find the first override whose glob matches a repository."""
    return next((one for one in overrides if fnmatchcase(repository, one.repository)), None)
