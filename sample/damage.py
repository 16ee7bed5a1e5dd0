"""Ways in which a registry's storage has been found damaged, to do on purpose."""

from dataclasses import dataclass

from sample import storage as layout
from sample.storage import Storage

GARBAGE = b"\x00\x17garbage, not a digest\n"


@dataclass(frozen=True)
class Damage:
    """What can be done to a storage: behind the back of the registry that serves it, which may be running.

    What is named must exist: FileNotFoundError otherwise, for damage that did nothing proves nothing.
    """

    storage: Storage

    def remove_tag_link(self, repository: str, tag: str) -> None:
        """Forget what a tag points to; the tag stays listed."""
        self.storage.remove(layout.tag_link(repository, tag))

    def empty_tag_link(self, repository: str, tag: str) -> None:
        """Leave a tag as a torn write does: a link with no byte."""
        self._replace(layout.tag_link(repository, tag), b"")

    def garble_tag_link(self, repository: str, tag: str) -> None:
        """Replace what a tag points to by what is no digest."""
        self._replace(layout.tag_link(repository, tag), GARBAGE)

    def remove_tag(self, repository: str, tag: str) -> None:
        """Remove a tag whole, so that it is no longer listed: what deleting it does."""
        self.storage.remove_tree(f"{layout.tags_folder(repository)}/{tag}")

    def remove_revision_link(self, repository: str, digest: str) -> None:
        """Make a repository forget one of its manifests."""
        self.storage.remove(layout.revision_link(repository, digest))

    def empty_revision_link(self, repository: str, digest: str) -> None:
        """Leave a manifest's link as a torn write does."""
        self._replace(layout.revision_link(repository, digest), b"")

    def garble_revision_link(self, repository: str, digest: str) -> None:
        """Replace a manifest's link by what is no digest."""
        self._replace(layout.revision_link(repository, digest), GARBAGE)

    def remove_layer_link(self, repository: str, digest: str) -> None:
        """Make a repository forget one of its blobs, a config or layer."""
        self.storage.remove(layout.layer_link(repository, digest))

    def empty_layer_link(self, repository: str, digest: str) -> None:
        """Leave a blob's link as a torn write does."""
        self._replace(layout.layer_link(repository, digest), b"")

    def garble_layer_link(self, repository: str, digest: str) -> None:
        """Replace a blob's link by what is no digest."""
        self._replace(layout.layer_link(repository, digest), GARBAGE)

    def remove_data(self, digest: str) -> None:
        """Remove the data of a blob or manifest, for all repositories; every link to it stays."""
        self.storage.remove(layout.blob_data(digest))

    def empty_data(self, digest: str) -> None:
        """Leave no byte of the data of a blob or manifest."""
        self._replace(layout.blob_data(digest), b"")

    def truncate_data(self, digest: str, size: int | None = None) -> None:
        """Keep the first `size` bytes of a blob or manifest, half of them unless told."""
        data = self.storage.read(layout.blob_data(digest))
        kept = len(data) // 2 if size is None else size
        if kept >= len(data):
            raise ValueError(f"{digest} has {len(data)} bytes: keeping {kept} would not truncate it")
        self.storage.write(layout.blob_data(digest), data[:kept])

    def flip_data(self, digest: str, bit: int | None = None) -> None:
        """Change one bit of a blob or manifest, counted from its first; the middle byte's unless told."""
        data = bytearray(self.storage.read(layout.blob_data(digest)))
        byte, shift = divmod(len(data) // 2 * 8 if bit is None else bit, 8)
        data[byte] ^= 1 << shift
        self.storage.write(layout.blob_data(digest), bytes(data))

    def replace_data(self, digest: str, data: bytes) -> None:
        """Put other bytes in the place of a blob or manifest."""
        self._replace(layout.blob_data(digest), data)

    def remove_repository(self, repository: str) -> None:
        """Remove a repository's folder, and with it any repository below it."""
        self.storage.remove_tree(layout.repository_folder(repository))

    def remove_layers_folder(self, repository: str) -> None:
        """Remove the half of a repository that makes the catalog list it."""
        self.storage.remove_tree(f"{layout.repository_folder(repository)}/_layers")

    def remove_manifests_folder(self, repository: str) -> None:
        """Remove the half of a repository that holds its tags and manifests; the catalog still lists it."""
        self.storage.remove_tree(f"{layout.repository_folder(repository)}/_manifests")

    def move_storage_away(self) -> None:
        """Leave the root folder empty, as a volume that is not mounted does."""
        self.storage.move("docker", "away")

    def move_storage_back(self) -> None:
        """Undo `move_storage_away`, giving up what was stored meanwhile."""
        if self.storage.exists("docker"):
            self.storage.remove_tree("docker")
        self.storage.move("away", "docker")

    def _replace(self, path: str, data: bytes) -> None:
        if not self.storage.exists(path):
            raise FileNotFoundError(path)
        self.storage.write(path, data)
