"""What is remembered of manifests from one cycle to the next."""

import zlib
from collections.abc import Collection

from exporter.oci import Digest, Manifest


class ManifestCache:
    """Manifests whose bodies were fetched and hashed, so that later cycles need only ask for their headers.

    The content is remembered once per digest; that a repository really served it, once per repository, since
    not every registry stores it once. Times are seconds of any clock that only goes forward.
    """

    def __init__(self, refetch_interval: float) -> None:
        """Remember; every manifest falls due again within `refetch_interval` seconds."""
        self._refetch_interval = refetch_interval
        self._manifests: dict[Digest, Manifest] = {}
        self._due: dict[str, dict[Digest, float]] = {}

    def get(self, repository: str, digest: Digest) -> Manifest | None:
        """The manifest, if this repository has served it before."""
        return self._manifests.get(digest) if digest in self._due.get(repository, ()) else None

    def remember(self, repository: str, digest: Digest, manifest: Manifest, now: float) -> Manifest:
        """Take in what a repository served just now; return the one copy that is kept."""
        # Spread over the second half of the interval: no hour of the day fetches everything again.
        fraction = 0.5 + zlib.crc32(digest.encode()) / 2**33
        self._due.setdefault(repository, {})[digest] = now + self._refetch_interval * fraction
        return self._manifests.setdefault(digest, manifest)

    def due(self, repository: str, digest: Digest, now: float) -> bool:
        """Whether the body must be fetched again: headers do not hash."""
        return self._due[repository][digest] <= now

    def forget(self, repository: str, digest: Digest) -> None:
        """Do not trust this repository's copy any more."""
        self._due.get(repository, {}).pop(digest, None)

    def keep(self, repository: str, digests: Collection[Digest]) -> None:
        """Forget what a whole walk of the repository did not meet."""
        known = self._due.get(repository)
        if known is not None:
            self._due[repository] = {digest: due for digest, due in known.items() if digest in digests}

    def keep_repositories(self, repositories: Collection[str]) -> None:
        """Forget the repositories that are gone, and all content that no repository is left for."""
        self._due = {name: known for name, known in self._due.items() if name in repositories}
        wanted = {digest for known in self._due.values() for digest in known}
        self._manifests = {digest: kept for digest, kept in self._manifests.items() if digest in wanted}
