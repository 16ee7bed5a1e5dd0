"""The registry's garbage collector (`storage.MarkAndSweep`)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sample import storage as layout
from sample.storage import Storage
from tests.parts.distribution import names
from tests.parts.distribution.blobs import MANIFEST_LINKS, BlobStore
from tests.parts.distribution.errors import PanicError, UnknownBlobError, UnknownError
from tests.parts.distribution.manifests import parse_stored


class GarbageCollectionError(Exception):
    """It gave up on a link or manifest that it cannot read, as the real one does, and deleted nothing."""


@dataclass
class GarbageCollector:
    """One run over a storage; the running registry's cache knows nothing of it."""

    storage: Storage
    delete_untagged: bool
    marked: set[str] = field(default_factory=set)
    doomed: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def run(self) -> None:
        """Mark what some manifest needs, and delete the rest."""
        try:
            for repository in names.repositories(self.storage):
                self._mark(repository)
            blobs = list(self._blobs())
        except (UnknownError, UnknownBlobError, FileNotFoundError, PanicError) as error:
            raise GarbageCollectionError(repr(error)) from error
        for repository, digest, tags in self.doomed:
            self._remove_manifest(repository, digest, tags)
        for digest in blobs:
            if digest not in self.marked:
                self.storage.remove_tree(layout.blob_folder(digest))

    def _mark(self, repository: str) -> None:
        store = BlobStore(self.storage, cache=False)
        for link in self._revision_links(repository):
            digest = store.read_link(link)
            try:
                store.stat_linked(repository, digest, MANIFEST_LINKS)
            except UnknownBlobError:
                continue
            if self.delete_untagged and not names.tags_of(store, repository, digest):
                # A repository without any tag, known by digest alone, ends the whole run here.
                self.doomed.append((repository, digest, names.tags(self.storage, repository)))
                continue
            self.marked.add(digest)
            parsed = parse_stored(store.read_manifest(repository, digest))
            self.marked.update(reference.get("digest", "") for reference in parsed.references)

    def _revision_links(self, repository: str) -> list[str]:
        folder = f"{layout.repository_folder(repository)}/_manifests/revisions"
        return [path for path in _files(self.storage, folder) if path.endswith("/link")]

    def _blobs(self) -> Iterator[str]:
        if not self.storage.is_folder(layout.BLOBS):
            raise FileNotFoundError(layout.BLOBS)
        for path in _files(self.storage, layout.BLOBS):
            *_, algorithm, _, encoded, name = path.split("/")
            if name == "data":
                yield f"{algorithm}:{encoded}"

    def _remove_manifest(self, repository: str, digest: str, tags: list[str]) -> None:
        for tag in tags:
            history = layout.tag_history_folder(repository, tag, digest)
            if self.storage.exists(history):
                self.storage.remove_tree(history)
        self.storage.remove_tree(layout.revision_folder(repository, digest))


def _files(storage: Storage, folder: str) -> Iterator[str]:
    if not storage.is_folder(folder):
        return
    for name in storage.names(folder):
        path = f"{folder}/{name}"
        if storage.is_folder(path):
            yield from _files(storage, path)
        else:
            yield path
