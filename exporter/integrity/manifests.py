"""What is remembered of manifests from one cycle to the next."""

import zlib
from collections.abc import Collection
from typing import Final

from exporter.integrity.compact import CompactDigest, Packing, compact_digest, number_of_references
from exporter.oci import Digest, Manifest

DEFAULT_SIZE: Final = 500_000
_REFERENCES_OF_ONE: Final = 100


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
        self._packing = Packing()
        self._contents: dict[CompactDigest, bytes] = {}
        self._due: dict[str, dict[CompactDigest, float]] = {}
        self._taken = 0
        self.refused = 0

    @property
    def taken(self) -> int:
        """How much of the room is taken."""
        return self._taken

    @property
    def full(self) -> bool:
        """Whether nothing more can be remembered."""
        return self._taken >= self._size

    def get(self, repository: str, digest: Digest) -> Manifest | None:
        """The manifest, if this repository has served it before."""
        key = compact_digest(digest)
        if key not in self._due.get(repository, ()):
            return None
        return self._packing.unpack(self._contents[key])

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
                self._contents[key] = self._packing.pack(manifest)
        # Spread over the second half of the interval: no hour of the day fetches everything again.
        fraction = 0.5 + zlib.crc32(digest.encode()) / 2**33
        known[key] = now + self._refetch_interval * fraction
        self._due[repository] = known

    def due(self, repository: str, digest: Digest, now: float) -> bool:
        """Whether the body must be fetched again: headers do not hash."""
        return self._due[repository][compact_digest(digest)] <= now

    def forget(self, repository: str, digest: Digest) -> None:
        """Do not trust this repository's copy any more."""
        if self._due.get(repository, {}).pop(compact_digest(digest), None) is not None:
            self._taken -= 1

    def keep(self, repository: str, digests: Collection[Digest]) -> None:
        """Forget what a whole walk of the repository did not meet."""
        known = self._due.get(repository)
        if known is not None:
            met = {compact_digest(digest) for digest in digests}
            self._due[repository] = {key: due for key, due in known.items() if key in met}
            self._taken -= len(known) - len(self._due[repository])

    def keep_repositories(self, repositories: Collection[str]) -> None:
        """Forget the repositories that are gone, and all content that no repository is left for."""
        self._due = {name: known for name, known in self._due.items() if name in repositories}
        wanted = {key for known in self._due.values() for key in known}
        self._contents = {key: packed for key, packed in self._contents.items() if key in wanted}
        self._packing.keep(self._contents.values())
        self._taken = sum(map(len, self._due.values())) + sum(map(_more_room, self._contents.values()))


def _more_room(packed: bytes) -> int:
    """How much more room than one manifest of the usual size it takes."""
    return number_of_references(packed) // _REFERENCES_OF_ONE
