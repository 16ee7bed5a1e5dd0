"""Manifests made small: what many of them have in common is kept once, the rest of each as bytes."""

import struct
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from typing import Final, NamedTuple, TypeAlias

from exporter.oci import Descriptor, Digest, Manifest, Platform

_HEAD: Final = struct.Struct("<IQ")  # the number of the outline, the length of the manifest
_REFERENCE: Final = struct.Struct("<32sQ")  # a SHA-256, a size
_NOTHING: Final = bytes(32)
_SHA256: Final = "sha256:"

# A digest as it is looked up: SHA-256 as its 32 bytes, any other as it is written.
CompactDigest: TypeAlias = bytes | Digest


def compact_digest(digest: Digest) -> CompactDigest:
    """Make a digest small."""
    return bytes.fromhex(digest[len(_SHA256) :]) if digest.startswith(_SHA256) else digest


# Tuples, since one is made and looked up for each descriptor and manifest that is packed.
class _Place(NamedTuple):
    """What of a descriptor others have too; `digest` only where it is not a SHA-256."""

    media_type: str
    platform: Platform | None
    artifact_type: str | None
    has_size: bool
    digest: Digest | None


class _Outline(NamedTuple):
    """A manifest without sizes and digests. There are few: most images differ in nothing else.

    `all_sha256` says that all its digests are with the references.
    """

    media_type: str
    artifact_type: str | None
    entries: tuple[_Place, ...]
    config: _Place | None
    layers: tuple[_Place, ...]
    all_sha256: bool


class Packing:
    """Packs manifests into bytes that only this packing can read again."""

    def __init__(self) -> None:
        self._new_numbers = count()
        self._numbers: dict[_Outline, int] = {}
        self._outlines: dict[int, _Outline] = {}

    def pack(self, manifest: Manifest) -> bytes:
        """Pack a manifest: some 40 bytes for each of its descriptors."""
        places = [_place_of(descriptor) for _, descriptor in manifest.descriptors]
        entries, config = len(manifest.entries), manifest.config is not None
        outline = _Outline(
            manifest.media_type,
            manifest.artifact_type,
            tuple(places[:entries]),
            places[entries] if config else None,
            tuple(places[entries + config :]),
            all(place.digest is None for place in places),
        )
        number = self._numbers.get(outline)
        if number is None:
            number = self._numbers[outline] = next(self._new_numbers)
            self._outlines[number] = outline
        references = [_pack_reference(descriptor) for _, descriptor in manifest.descriptors]
        return b"".join((_HEAD.pack(number, manifest.size), *references))

    def unpack(self, packed: bytes) -> Manifest:
        """Make the manifest again."""
        number, size = _HEAD.unpack_from(packed)
        outline = self._outlines[number]
        # In the order of `Manifest.descriptors`.
        references = _REFERENCE.iter_unpack(memoryview(packed)[_HEAD.size :])
        return Manifest(
            outline.media_type,
            size,
            _descriptors(outline.entries, references),
            None if outline.config is None else _descriptor(outline.config, next(references)),
            _descriptors(outline.layers, references),
            outline.artifact_type,
        )

    def head(self, packed: bytes) -> Manifest:
        """Make the manifest without its entries and layers: that takes as long however many there are."""
        number, size = _HEAD.unpack_from(packed)
        outline = self._outlines[number]
        config = None
        if outline.config is not None:
            reference = _REFERENCE.unpack_from(packed, _HEAD.size + len(outline.entries) * _REFERENCE.size)
            config = _descriptor(outline.config, reference)
        return Manifest(outline.media_type, size, config=config, artifact_type=outline.artifact_type)

    def may_list(self, packed: bytes, digests: Collection[CompactDigest]) -> bool:
        """Whether the manifest may list one of these digests; what has entries is not looked into."""
        outline = self._outlines[outline_of(packed)]
        if outline.entries or not outline.all_sha256:
            return True
        references = _REFERENCE.iter_unpack(memoryview(packed)[_HEAD.size :])
        return any(sha256 in digests for sha256, _ in references)

    def alike(self, packed: bytes, manifest: Manifest) -> bool:
        """Whether a manifest of the same digest is read the same: its type may come from the answer alone."""
        number, size = _HEAD.unpack_from(packed)
        return (self._outlines[number].media_type, size) == (manifest.media_type, manifest.size)

    def keep(self, used: Collection[int]) -> None:
        """Forget what is needed only by manifests that have none of these outlines."""
        self._outlines = {number: outline for number, outline in self._outlines.items() if number in used}
        self._numbers = {outline: number for number, outline in self._outlines.items()}


def outline_of(packed: bytes) -> int:
    """The number of what a packed manifest has in common with others of its packing."""
    number: int = _HEAD.unpack_from(packed)[0]
    return number


def number_of_references(packed: bytes) -> int:
    """How many descriptors a packed manifest has."""
    return (len(packed) - _HEAD.size) // _REFERENCE.size


def _place_of(descriptor: Descriptor) -> _Place:
    return _Place(
        descriptor.media_type,
        descriptor.platform,
        descriptor.artifact_type,
        descriptor.size is not None,
        None if descriptor.digest.startswith(_SHA256) else descriptor.digest,
    )


def _descriptors(places: Iterable[_Place], references: Iterator[tuple[bytes, int]]) -> tuple[Descriptor, ...]:
    # The places first: `zip` takes no reference beyond them. A list is made faster than a generator asked.
    return tuple([_descriptor(*both) for both in zip(places, references, strict=False)])


def _pack_reference(descriptor: Descriptor) -> bytes:
    digest = descriptor.digest
    sha256 = bytes.fromhex(digest[len(_SHA256) :]) if digest.startswith(_SHA256) else _NOTHING
    return _REFERENCE.pack(sha256, descriptor.size or 0)


def _descriptor(place: _Place, reference: tuple[bytes, int]) -> Descriptor:
    sha256, size = reference
    return Descriptor(
        Digest.of_sha256(sha256) if place.digest is None else place.digest,
        place.media_type,
        size if place.has_size else None,
        place.platform,
        place.artifact_type,
    )
