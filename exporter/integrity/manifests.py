"""What is remembered of manifests from one cycle to the next."""

import zlib
from collections.abc import Collection
from typing import Final

from exporter.integrity.compact import (
    CompactDigest,
    Packing,
    compact_digest,
    number_of_references,
    outline_of,
)
from exporter.integrity.slices import in_slices
from exporter.oci import Digest, Manifest

DEFAULT_SIZE: Final = 500_000
_REFERENCES_OF_ONE: Final = 100
_SLICE: Final = 1000  # what takes a millisecond or two


class ManifestCache:
    """Manifests whose bodies were fetched and hashed, so that later cycles need only ask for their headers.

    The content is remembered once per digest; that a repository really served it, once per repository, since
    not every registry stores it once. Times are seconds of any clock that only goes forward.

    There is room for `size` manifests, those of several repositories counted in each; one with more than 100
    descriptors takes the room of several. When it is full, what is remembered stays and others are refused: a
    walk comes by everything once, so whatever would make room for them would be missed before it is used.
    `refused` counts how often that was.
    """

    def __init__(self, refetch_interval: float, size: int = DEFAULT_SIZE) -> None:
        """Remember; every manifest falls due again within `refetch_interval` seconds."""
        self._refetch_interval = refetch_interval
        self._size = size
        self.packing = Packing()
        self._contents: dict[CompactDigest, bytes] = {}
        self._due: dict[str, dict[CompactDigest, float]] = {}
        self._unmet: dict[str, list[CompactDigest]] = {}
        self._taken = 0
        self.refused = 0
        self._refused_before = 0  # what `keep_repositories` saw the last time
        self._refusing = False

    @property
    def taken(self) -> int:
        """How much of the room is taken."""
        return self._taken

    @property
    def refuses(self) -> bool:
        """Whether what is met for the second time may not be remembered: there is or was no room for it."""
        return self._refusing or self._taken >= self._size

    def knows(self, repository: str, digest: Digest) -> bool:
        """Whether this repository has served it before."""
        return compact_digest(digest) in self._due.get(repository, ())

    def get(self, repository: str, digest: Digest) -> Manifest | None:
        """The manifest, if this repository has served it before."""
        key = compact_digest(digest)
        if key not in self._due.get(repository, ()):
            return None
        return self.packing.unpack(self._contents[key])

    def remember(self, repository: str, digest: Digest, manifest: Manifest, now: float) -> None:
        """Take in what a repository served just now, where there is room."""
        key, known = compact_digest(digest), self._due.get(repository, {})
        if key not in known:
            room = 1 if key in self._contents else 1 + manifest.references // _REFERENCES_OF_ONE
            if self._taken + room > self._size:
                self.refused += 1
                return
            self._taken += room
            if key not in self._contents:
                self._contents[key] = self.packing.pack(manifest)
        # Spread over the second half of the interval: no hour of the day fetches everything again.
        fraction = 0.5 + zlib.crc32(digest.encode()) / 2**33
        known[key] = now + self._refetch_interval * fraction
        self._due[repository] = known

    def packed(self, digest: Digest, manifest: Manifest) -> bytes | None:
        """What is remembered of a manifest, for `packing`; None where it is not, or read otherwise.

        It can be read until the next `keep_repositories`, even if it is forgotten.
        """
        packed = self._contents.get(compact_digest(digest))
        return packed if packed is not None and self.packing.alike(packed, manifest) else None

    def due(self, repository: str, digest: Digest, now: float) -> bool:
        """Whether the body must be fetched again: headers do not hash, what is forgotten is not trusted."""
        return self._due.get(repository, {}).get(compact_digest(digest), now) <= now

    def forget(self, repository: str, digest: Digest) -> None:
        """Do not trust this repository's copy any more."""
        if self._due.get(repository, {}).pop(compact_digest(digest), None) is not None:
            self._taken -= 1

    def begin(self) -> None:
        """A walk of the registry begins: what an earlier one did not meet, and was not believed, stays."""
        self._unmet.clear()

    def keep(self, repository: str, digests: Collection[Digest]) -> None:
        """Take note of what a whole walk of the repository met; `keep_repositories` forgets the rest."""
        known = self._due.get(repository)
        if known is not None:
            met = {compact_digest(digest) for digest in digests}
            self._unmet[repository] = [key for key in known if key not in met]

    async def keep_repositories(self, repositories: Collection[str]) -> None:
        """Forget the repositories that are gone, what the others' walks did not meet, and what is nobody's.

        It comes by all that is remembered, and lets others go on now and then: half a million manifests would
        hold up a scrape for longer than it may take. Nothing may be remembered meanwhile.
        """
        for name, unmet in self._unmet.items():
            known = self._due.get(name, {})
            self._taken -= sum(known.pop(key, None) is not None for key in unmet)
        self._unmet.clear()
        for name in self._due.keys() - set(repositories):
            self._taken -= len(self._due.pop(name))
        self._refusing, self._refused_before = self.refused > self._refused_before, self.refused
        wanted: set[CompactDigest] = set()
        async for key in in_slices((key for known in self._due.values() for key in known), _SLICE):
            wanted.add(key)
        outlines = set()
        async for key in in_slices(tuple(self._contents), _SLICE):
            if key in wanted:
                outlines.add(outline_of(self._contents[key]))
            else:
                self._taken -= _more_room(self._contents.pop(key))
        self.packing.keep(outlines)


class MetManifests:
    """The manifests that one walk has read, each as small as it is remembered.

    As objects, those of a repository with a hundred thousand references would take more memory than all that
    is remembered of it.
    """

    def __init__(self, cache: ManifestCache) -> None:
        self._cache = cache
        self._remembered: dict[Digest, bytes] = {}
        # The others: nothing is left of these after the walk.
        self._own: dict[Digest, bytes] = {}
        self._own_packing = Packing()

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._remembered or digest in self._own

    def add(self, digest: Digest, manifest: Manifest) -> None:
        """Take in a manifest, in the place of what there was."""
        remembered = self._cache.packed(digest, manifest)
        if remembered is None:
            self._remembered.pop(digest, None)
            self._own[digest] = self._own_packing.pack(manifest)
        else:
            self._own.pop(digest, None)
            self._remembered[digest] = remembered

    def get(self, digest: Digest) -> Manifest | None:
        """The manifest, if it was read."""
        found = self._find(digest)
        return None if found is None else found[0].unpack(found[1])

    def head(self, digest: Digest) -> Manifest | None:
        """The manifest without its entries and layers, if it was read; as quick for a long one as for any."""
        found = self._find(digest)
        return None if found is None else found[0].head(found[1])

    def may_list(self, digest: Digest, digests: Collection[CompactDigest]) -> bool:
        """Whether a manifest was read and may list one of these; what has entries may, looked into or not."""
        found = self._find(digest)
        return found is not None and found[0].may_list(found[1], digests)

    def _find(self, digest: Digest) -> tuple[Packing, bytes] | None:
        if (packed := self._remembered.get(digest)) is not None:
            return self._cache.packing, packed
        if (packed := self._own.get(digest)) is not None:
            return self._own_packing, packed
        return None


def _more_room(packed: bytes) -> int:
    """How much more room than one manifest of the usual size it takes."""
    return number_of_references(packed) // _REFERENCES_OF_ONE
