"""Walking the storage for repositories and tags."""

from dataclasses import dataclass, field

from sample import storage as layout
from sample.storage import Storage
from tests.parts.distribution.blobs import BlobStore, check_path


@dataclass
class CatalogWalk:
    """One walk for `size` repositories after `last`, or for all (`registry.Repositories`).

    It counts as full when, on entering a folder, exactly `size` have been found. A repository with another
    below it whose name begins with a digit is found right after that one, with no folder to enter between
    them: where that overfills the page the walk goes on to its end, and no next page is promised.
    """

    storage: Storage
    last: str = ""
    size: int | None = None
    found: list[str] = field(default_factory=list)
    full: bool = False

    def walk(self, below: str = "") -> None:
        """Walk one folder and what is below it; FileNotFoundError where there is no storage."""
        for name in self.storage.names(_folder(below)):
            path = f"{below}/{name}" if below else name
            if name == "_layers" and _order(self.last) < _order(below):
                self.found.append(below)
            if name.startswith("_"):
                continue
            if len(self.found) == self.size:
                self.full = True
            elif self.storage.is_folder(_folder(path)):
                self.walk(path)


def page(storage: Storage, last: str, size: int) -> tuple[list[str], bool]:
    """Return one page of the catalog, and whether the registry promises another."""
    walk = CatalogWalk(storage, last, size)
    try:
        walk.walk()
    except FileNotFoundError:
        return [], False
    return walk.found[:size], walk.full


def repositories(storage: Storage) -> list[str]:
    """Return all repositories; FileNotFoundError where there is no storage."""
    walk = CatalogWalk(storage)
    walk.walk()
    return walk.found


def tags(storage: Storage, repository: str) -> list[str]:
    """Return a repository's tags; FileNotFoundError where it has no folder of them."""
    check_path(layout.tags_folder(repository))
    return storage.names(layout.tags_folder(repository))


def tags_of(store: BlobStore, repository: str, digest: str) -> list[str]:
    """Return the tags that point to a manifest now (`tagStore.Lookup`)."""
    try:
        found = tags(store.storage, repository)
    except FileNotFoundError:
        return []
    return [tag for tag in found if _target(store, repository, tag) == digest]


def _target(store: BlobStore, repository: str, tag: str) -> str | None:
    try:
        return store.read_link(layout.tag_link(repository, tag))
    except FileNotFoundError:
        return None


def _folder(path: str) -> str:
    return f"{layout.REPOSITORIES}/{path}" if path else layout.REPOSITORIES


def _order(repository: str) -> str:
    return repository.replace("/", "\0")
