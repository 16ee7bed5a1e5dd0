"""Descriptors: what a manifest says of content elsewhere (OCI image specification, descriptor.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from exporter.oci.digest import Digest
from exporter.oci.errors import InvalidValueError, quoted

LARGEST_SIZE = 2**63 - 1
_WORD = re.compile(r"[\x21-\x7e]{1,255}")
_PLATFORM_WORD = re.compile(r"[\x21-\x2e\x30-\x7e]{1,64}")


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
            InvalidValueError: a field is missing or has not the form of its kind.
        """
        if not isinstance(document, Mapping):
            raise InvalidValueError(f"platform is {quoted(document)}, not an object")
        words = {}
        for field in ("os", "architecture", "variant"):
            word = document.get(field)
            if word is None or (word == "" and field == "variant"):
                continue
            if not isinstance(word, str) or not _PLATFORM_WORD.fullmatch(word):
                raise InvalidValueError(f"platform.{field} is {quoted(word)}")
            words[field] = word
        # Attestations of early builders and some artifacts carry an empty platform.
        return cls(words.get("os", "unknown"), words.get("architecture", "unknown"), words.get("variant", ""))

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
        if not isinstance(document, Mapping):
            raise InvalidValueError(f"{quoted(document)} is not a descriptor")
        digest = document.get("digest")
        if not isinstance(digest, str):
            raise InvalidValueError(f"digest is {quoted(digest)}, not a string")
        size = document.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST_SIZE:
            raise InvalidValueError(f"size is {quoted(size)}, not a number of bytes")
        platform = document.get("platform")
        artifact_type = document.get("artifactType")
        return cls(
            Digest(digest),
            word(document.get("mediaType"), "mediaType"),
            size,
            Platform.parse(platform) if platform is not None else None,
            word(artifact_type, "artifactType") if artifact_type else None,
        )


def word(value: object, field: str) -> str:
    """Check that a field is one word of printable ASCII, at most 255 characters long.

    Raises:
        InvalidValueError: it is not; the message names the field.
    """
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise InvalidValueError(f"{field} is {quoted(value)}, not a media type")
    return value
