"""Where a registry's filesystem storage keeps what: the layout that distribution uses for every driver."""

import shutil
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """A tree of files, addressed by paths relative to its root; a real folder, or one in memory.

    Every method raises FileNotFoundError where there is nothing to work on.
    """

    def read(self, path: str) -> bytes:
        """Return a file's content."""

    def write(self, path: str, data: bytes) -> None:
        """Replace a file's content, making the file and its folders where missing."""

    def remove(self, path: str) -> None:
        """Remove a file; its folder stays."""

    def remove_tree(self, path: str) -> None:
        """Remove a folder and all below it."""

    def move(self, source: str, target: str) -> None:
        """Move a file or folder, replacing a file in its place."""

    def names(self, path: str) -> list[str]:
        """Return what is in a folder, sorted."""

    def is_folder(self, path: str) -> bool:
        """Say whether this is a folder; False where there is nothing."""

    def exists(self, path: str) -> bool:
        """Say whether there is a file or folder."""


class FolderStorage:
    """The storage in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        """Return a file's content."""
        return (self.root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Replace a file's content, making the file and its folders where missing."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def remove(self, path: str) -> None:
        """Remove a file; its folder stays."""
        (self.root / path).unlink()

    def remove_tree(self, path: str) -> None:
        """Remove a folder and all below it."""
        shutil.rmtree(self.root / path)

    def move(self, source: str, target: str) -> None:
        """Move a file or folder, replacing a file in its place."""
        (self.root / target).parent.mkdir(parents=True, exist_ok=True)
        (self.root / source).replace(self.root / target)

    def names(self, path: str) -> list[str]:
        """Return what is in a folder, sorted."""
        return sorted(entry.name for entry in (self.root / path).iterdir())

    def is_folder(self, path: str) -> bool:
        """Say whether this is a folder; False where there is nothing."""
        return (self.root / path).is_dir()

    def exists(self, path: str) -> bool:
        """Say whether there is a file or folder."""
        return (self.root / path).exists()


ROOT = "docker/registry/v2"
BLOBS = f"{ROOT}/blobs"
REPOSITORIES = f"{ROOT}/repositories"


def blob_folder(digest: str) -> str:
    """Return the folder of a blob's data, shared by every repository."""
    algorithm, encoded = digest.split(":", 1)
    return f"{BLOBS}/{algorithm}/{encoded[:2]}/{encoded}"


def blob_data(digest: str) -> str:
    """Return the file of a blob's data, which a manifest is too."""
    return f"{blob_folder(digest)}/data"


def repository_folder(repository: str) -> str:
    """Return the folder of a repository: links only, no data."""
    return f"{REPOSITORIES}/{repository}"


def layer_link(repository: str, digest: str) -> str:
    """Return the file that says a repository has a blob."""
    return f"{repository_folder(repository)}/_layers/{_folders(digest)}/link"


def revision_folder(repository: str, digest: str) -> str:
    """Return the folder that says a repository has a manifest."""
    return f"{repository_folder(repository)}/_manifests/revisions/{_folders(digest)}"


def revision_link(repository: str, digest: str) -> str:
    """Return the file that says a repository has a manifest."""
    return f"{revision_folder(repository, digest)}/link"


def tags_folder(repository: str) -> str:
    """Return the folder whose entries are a repository's tags."""
    return f"{repository_folder(repository)}/_manifests/tags"


def tag_link(repository: str, tag: str) -> str:
    """Return the file that says what a tag points to now."""
    return f"{tags_folder(repository)}/{tag}/current/link"


def tag_history_folder(repository: str, tag: str, digest: str) -> str:
    """Return the folder that says a tag once pointed, or points, to a manifest."""
    return f"{tags_folder(repository)}/{tag}/index/{_folders(digest)}"


def _folders(digest: str) -> str:
    return digest.replace(":", "/", 1)
