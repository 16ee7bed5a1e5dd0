"""Descriptors: what a manifest says of content elsewhere (OCI image specification, descriptor.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from exporter.oci.digest import Digest
from exporter.oci.errors import InvalidValueError, quoted

LARGEST_SIZE = 2**63 - 1
_MEDIA_TYPE = re.compile(r"[\x20-\x7e]{1,255}")
_LONGEST_PLATFORM_WORD = 64
_LONGEST_ARTIFACT_TYPE = 255  # no pull depends on it


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on; written `os/architecture` or `os/architecture/variant`."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read a descriptor's `platform`.

        Raises:
            InvalidValueError: it is not an object, or a field is not a string.
        """
        if not isinstance(document, Mapping):
            raise InvalidValueError(f"platform is {quoted(document)}, not an object")
        # Attestations of early builders carry an empty platform, other artifacts one of empty words.
        return cls(
            _platform_word(document, "os") or "unknown",
            _platform_word(document, "architecture") or "unknown",
            _platform_word(document, "variant"),
        )

    @property
    def runnable(self) -> bool:
        """False for `unknown/unknown`, which marks attestations."""
        return (self.os, self.architecture) != ("unknown", "unknown")

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One descriptor; `size` in bytes, None where a schema 1 manifest does not tell it."""

    digest: Digest
    media_type: str
    size: int | None
    platform: Platform | None = None
    artifact_type: str | None = None

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read a descriptor; fields that no pull depends on are not looked at.

        Raises:
            InvalidValueError: a required field is missing or of the wrong form, named by the message.
        """
        if not isinstance(document, dict | Mapping):  # a dict, as JSON gives, is told faster
            raise InvalidValueError(f"{quoted(document)} is not a descriptor")
        digest = document.get("digest")
        if not isinstance(digest, str):
            raise InvalidValueError(f"digest is {quoted(digest)}, not a string")
        size = document.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST_SIZE:
            raise InvalidValueError(f"size is {quoted(size)}, not a number of bytes")
        platform = document.get("platform")
        return cls(
            Digest(digest),
            media_type(document.get("mediaType"), "mediaType"),
            size,
            Platform.parse(platform) if platform is not None else None,
            artifact_type(document),
        )


def media_type(value: object, field: str) -> str:
    """Check that a field is printable ASCII, at most 255 characters long, as every media type is.

    Raises:
        InvalidValueError: it is not; the message names the field.
    """
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise InvalidValueError(f"{field} is {quoted(value)}, not a media type")
    return value


def artifact_type(document: Mapping[str, object]) -> str | None:
    """Read `artifactType`; an empty one is none, as is null, and one longer than any media type is cut.

    Raises:
        InvalidValueError: it is not a string.
    """
    value = document.get("artifactType")
    if value is not None and not isinstance(value, str):
        raise InvalidValueError(f"artifactType is {quoted(value)}, not a string")
    return value[:_LONGEST_ARTIFACT_TYPE] if value else None


def _platform_word(document: Mapping[str, object], field: str) -> str:
    word = document.get(field)
    if word is None:  # as Go reads null
        return ""
    if not isinstance(word, str):
        raise InvalidValueError(f"platform.{field} is {quoted(word)}, not a string")
    # No pull depends on how a platform is spelled, so an odd one is shown, not refused.
    return ascii(word)[1:-1][:_LONGEST_PLATFORM_WORD]
