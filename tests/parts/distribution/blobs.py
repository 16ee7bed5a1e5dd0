"""Finding and storing blobs: links, data, and the cache of what was once seen."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sample import storage as layout
from sample.content import digest_of
from sample.storage import Storage
from tests.parts.distribution.errors import InvalidDigestError, UnknownBlobError, UnknownError

MAX_MANIFEST = 4 << 20
_DIGEST = re.compile(r"([a-z0-9]+(?:[.+_-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)")
_HEX = {"sha256": 64, "sha384": 96, "sha512": 128}

LinkPath = Callable[[str, str], str]
BLOB_LINKS: Sequence[LinkPath] = (layout.layer_link,)
MANIFEST_LINKS: Sequence[LinkPath] = (layout.revision_link, layout.layer_link)
"""A manifest is found through a layer link too, since 2.1.0 once put it there."""


def is_digest(text: str) -> bool:
    """Say whether this is a digest of an algorithm that the registry knows."""
    try:
        check_digest(text)
    except UnknownError:
        return False
    return True


def check_digest(text: str) -> None:
    """Check a digest as `digest.Parse` of Go does.

    Raises:
        InvalidDigestError: it has not the form of one.
        UnknownError: its algorithm is unknown, or its length not that of the algorithm's.

    """
    found = _DIGEST.fullmatch(text)
    if found is None:
        raise InvalidDigestError
    if _HEX.get(found[1]) != len(found[2]):
        raise UnknownError
    if not re.fullmatch(r"[a-f0-9]+", found[2]):
        raise InvalidDigestError


def check_path(path: str) -> None:
    """Check a path as the storage driver does; UnknownError if it has other than plain characters."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", path):
        raise UnknownError({"Path": f"/{path}", "DriverName": "filesystem"})


def matches(data: bytes, digest: str) -> bool:
    algorithm, encoded = digest.split(":")
    return hashlib.new(algorithm, data).hexdigest() == encoded


@dataclass(frozen=True)
class Stat:
    """What is known of a blob."""

    digest: str
    size: int


@dataclass(frozen=True)
class DescriptorCache:
    """`storage.cache.blobdescriptor: inmemory`: it believes for ever what it saw once."""

    everywhere: dict[str, Stat] = field(default_factory=dict)
    by_repository: dict[tuple[str, str], Stat] = field(default_factory=dict)

    def remember(self, repository: str, digest: str, stat: Stat) -> None:
        self.by_repository[repository, digest] = stat
        self.everywhere.setdefault(digest, stat)


class BlobStore:
    """All that is stored, seen with or without a cache."""

    def __init__(self, storage: Storage, *, cache: bool) -> None:
        self.storage = storage
        self._cache = DescriptorCache() if cache else None

    def stat_data(self, digest: str) -> Stat:
        """Look for the data, through the cache (`blobStore.statter`)."""
        if self._cache is not None and (known := self._cache.everywhere.get(digest)):
            return known
        try:
            stat = Stat(digest, len(self.storage.read(layout.blob_data(digest))))
        except (FileNotFoundError, IsADirectoryError) as error:
            raise UnknownBlobError from error
        if self._cache is not None:
            self._cache.everywhere[digest] = stat
        return stat

    def stat_linked(self, repository: str, digest: str, links: Sequence[LinkPath]) -> Stat:
        """Look for a link, then for the data that it points to (`linkedBlobStatter.Stat`)."""
        check_digest(digest)
        for link in links:
            try:
                target = self.read_link(link(repository, digest))
            except FileNotFoundError:
                continue
            return self.stat_data(target)
        raise UnknownBlobError

    def stat_blob(self, repository: str, digest: str) -> Stat:
        """Look for a config or layer of a repository, through the cache."""
        if self._cache is not None and (known := self._cache.by_repository.get((repository, digest))):
            return known
        stat = self.stat_linked(repository, digest, BLOB_LINKS)
        self.remember(repository, digest, stat)
        return stat

    def forget_blob(self, repository: str, digest: str) -> None:
        """Let a repository forget a blob; what the cache holds for all repositories stays."""
        if self._cache is not None:
            self._cache.by_repository.pop((repository, digest), None)
        self.remove_links(repository, digest, BLOB_LINKS)

    def remember(self, repository: str, digest: str, stat: Stat) -> None:
        """Note in the cache, if there is one, what a repository has."""
        if self._cache is not None:
            self._cache.remember(repository, digest, stat)

    def read_link(self, path: str) -> str:
        """Return the digest in a link; FileNotFoundError where there is none."""
        check_path(path)
        digest = self.storage.read(path).decode("utf-8", "replace")
        check_digest(digest)
        return digest

    def read_data(self, digest: str) -> bytes:
        """Return what is stored, however much that is; nothing where there is nothing (`fileReader`)."""
        try:
            return self.storage.read(layout.blob_data(digest))
        except FileNotFoundError:
            return b""

    def read_manifest(self, repository: str, digest: str) -> bytes:
        """Return a manifest's bytes, whatever they are."""
        stat = self.stat_linked(repository, digest, MANIFEST_LINKS)
        try:
            data = self.storage.read(layout.blob_data(stat.digest))
        except FileNotFoundError as error:
            raise UnknownBlobError from error
        if len(data) > MAX_MANIFEST:
            raise UnknownError
        return data

    def put_manifest(self, repository: str, data: bytes) -> None:
        """Store a manifest; data that is thought to be there already is left alone."""
        digest = digest_of(data)
        try:
            self.stat_data(digest)
        except UnknownBlobError:
            self.storage.write(layout.blob_data(digest), data)
        self.storage.write(layout.revision_link(repository, digest), digest.encode())

    def tag(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag point to a manifest."""
        history = layout.tag_history_folder(repository, tag, digest)
        self.storage.write(f"{history}/link", digest.encode())
        self.storage.write(layout.tag_link(repository, tag), digest.encode())

    def put_blob(self, repository: str, upload: str, digest: str) -> None:
        """Take over an upload as a blob; data that is there already is left alone."""
        data = self.storage.read(upload)
        if not matches(data, digest):
            raise UnknownBlobError
        canonical = digest_of(data)
        if not self.storage.exists(layout.blob_data(canonical)):
            self.storage.move(upload, layout.blob_data(canonical))
        for linked in dict.fromkeys((canonical, digest)):
            self.storage.write(layout.layer_link(repository, linked), canonical.encode())
        self.remember(repository, canonical, Stat(canonical, len(data)))

    def remove_links(self, repository: str, digest: str, links: Sequence[LinkPath]) -> None:
        """Let a repository forget what it links (`linkedBlobStatter.Clear`)."""
        for link in links:
            if self.storage.exists(link(repository, digest)):
                self.storage.remove(link(repository, digest))

    def mount_blob(self, repository: str, digest: str, source: str) -> None:
        """Link a blob of another repository."""
        self.stat_blob(source, digest)
        self.storage.write(layout.layer_link(repository, digest), digest.encode())
