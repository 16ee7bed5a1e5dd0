"""Content digests, as the OCI image specification writes them (descriptor.md, "Digests")."""

import hashlib
import re
from typing import Self

from exporter.oci.errors import InvalidValueError, quoted

_LONGEST_DIGEST = 255
# The alphabet leaves no way to write a path separator, a percent sign or a control character.
_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_REGISTERED = {
    "sha256": re.compile(r"sha256:[a-f0-9]{64}"),
    "sha512": re.compile(r"sha512:[a-f0-9]{128}"),
}


class Digest(str):
    """A digest that obeys the grammar; for sha256 and sha512 also the length and the lower case.

    A digest of another algorithm is a legal word of the specification: it can be asked for, but
    content cannot be compared with it (`verifiable` is false).

    Raises:
        InvalidValueError: the text is not a digest.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Validate the text."""
        if _REGISTERED["sha256"].fullmatch(text):  # nearly all are
            return super().__new__(cls, text)
        if len(text) > _LONGEST_DIGEST or not _GRAMMAR.fullmatch(text):
            raise InvalidValueError(f"{quoted(text)} is not a digest")
        registered = _REGISTERED.get(text.partition(":")[0])
        if registered is not None and not registered.fullmatch(text):
            raise InvalidValueError(f"{quoted(text)} has not the form of its algorithm")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """Compute the digest of some content with sha256 or sha512."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()}")

    @classmethod
    def of_sha256(cls, computed: bytes) -> Self:
        """Write a SHA-256 of 32 bytes that was computed, or read from a digest, before."""
        # It cannot be anything but a digest, and is made too often to be looked at as one.
        return super().__new__(cls, f"sha256:{computed.hex()}")

    @property
    def algorithm(self) -> str:
        """The name of the algorithm: `sha256`."""
        return self.partition(":")[0]

    @property
    def encoded(self) -> str:
        """What stands behind the algorithm."""
        return self.partition(":")[2]

    @property
    def verifiable(self) -> bool:
        """Whether content can be compared with this digest."""
        return self.algorithm in _REGISTERED

    def matches(self, content: bytes) -> bool:
        """Tell whether this is the digest of the content.

        Raises:
            InvalidValueError: the algorithm is not one that can be computed here.
        """
        if not self.verifiable:
            raise InvalidValueError(f"digests of the algorithm {self.algorithm} cannot be computed")
        return self == Digest.of(content, self.algorithm)
