"""The vocabulary of integrity: kinds, verdicts, reasons, impacts and findings."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from exporter.oci import Digest


class Kind(StrEnum):
    """What a reference is an edge between."""

    TAG = "tag"  # tag -> manifest
    CHILD = "child"  # index -> manifest
    CONFIG = "config"
    LAYER = "layer"  # any other blob


class Verdict(StrEnum):
    """What is known of a reference."""

    INTACT = "intact"
    BROKEN = "broken"  # the registry definitely cannot serve it
    UNVERIFIED = "unverified"  # it could not be determined
    SKIPPED = "skipped"  # foreign, ignored, or of a platform that is not mirrored


class Reason(StrEnum):
    """Why a reference is broken (the first five) or unverified (the others)."""

    MISSING = "missing"
    SIZE_MISMATCH = "size_mismatch"
    DIGEST_MISMATCH = "digest_mismatch"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    CONNECTION = "connection"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    CANCELED = "canceled"

    @property
    def verdict(self) -> Verdict:
        """The verdict that it is a reason for."""
        return Verdict.BROKEN if self in _BROKEN else Verdict.UNVERIFIED


_BROKEN: Final = frozenset(
    {
        Reason.MISSING,
        Reason.SIZE_MISMATCH,
        Reason.DIGEST_MISMATCH,
        Reason.TRUNCATED,
        Reason.MALFORMED,
    }
)


class Impact(StrEnum):
    """Whom a broken reference hurts."""

    PULL = "pull"  # some platform cannot be pulled
    METADATA = "metadata"  # only an attestation, a signature or other child that nobody runs


def image_of(repository: str, tag: str) -> str:
    """Name an image within its registry; an image by digest stands among tags as `@sha256:…`."""
    return f"{repository}{'' if tag.startswith('@') else ':'}{tag}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The identity of a reference within a repository, the same in every cycle.

    A tag's reference is known by its `tag`; any other by `kind` and `digest`. Where a repository's tags
    could not be listed at all, `tag` and `digest` are both None.
    """

    kind: Kind
    digest: Digest | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken or unverified reference with its evidence; a skipped one is ignored, and listed all the same.

    `size` is in bytes, as the descriptor promises it; `stale` says that the verdict is an earlier cycle's,
    because this one could not ask; `tags` are those whose pull it breaks, and images that are walked by
    digest as `@sha256:…`; `first_seen` is in UTC.
    """

    verdict: Verdict
    reason: Reason
    impact: Impact
    stale: bool
    repository: str
    kind: Kind
    digest: Digest | None
    media_type: str | None
    size: int | None
    platform: str | None
    tags: tuple[str, ...]
    detail: str
    first_seen: datetime

    @property
    def reference(self) -> Reference:
        """The reference that this is about."""
        if self.kind is Kind.TAG:
            return Reference(self.kind, tag=self.tags[0] if self.tags else None)
        return Reference(self.kind, digest=self.digest)

    @property
    def order(self) -> tuple[str, str, tuple[str, ...], str]:
        """What findings are sorted by."""
        return (self.repository, self.kind, self.tags, self.digest or "")
