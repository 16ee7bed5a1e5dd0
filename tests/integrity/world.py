"""A registry's content and what was done to it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sample.content import Content, Manifest
from sample.damage import Damage

File = tuple[str, ...]

# What each damage is done to: the kind of file, or of folder.
_FILES: Final = {
    "remove_tag_link": "tag",
    "empty_tag_link": "tag",
    "garble_tag_link": "tag",
    "remove_tag": "tag folder",
    "remove_revision_link": "revision",
    "empty_revision_link": "revision",
    "garble_revision_link": "revision",
    "remove_layer_link": "layer",
    "empty_layer_link": "layer",
    "garble_layer_link": "layer",
    "remove_data": "data",
    "empty_data": "data",
    "truncate_data": "data",
    "flip_data": "data",
    "break_data": "data",
    "remove_repository": "repository",
    "remove_layers_folder": "layers",
    "remove_manifests_folder": "manifests",
}


@dataclass(frozen=True)
class Deed:
    """One damage, by its name in sample.damage.Damage.

    `subject` is a tag or a digest. `break_data` is a flip that leaves no JSON; `flip_data` of a manifest is
    one that does, which is `bit`'s business.
    """

    damage: str
    repository: str | None = None
    subject: str | None = None
    bit: int | None = None

    @property
    def file(self) -> File:
        """The file or folder that it is done to."""
        return tuple(part for part in (_FILES[self.damage], self.repository, self.subject) if part)

    def do(self, damage: Damage) -> None:
        """Do it to a storage."""
        match self.damage, self.subject:
            case "break_data", str(digest):
                damage.flip_data(digest, bit=0)
            case "flip_data", str(digest):
                damage.flip_data(digest, bit=self.bit)
            case name, _:
                arguments = [part for part in (self.repository, self.subject) if part is not None]
                getattr(damage, name)(*arguments)


def harmless_bit(manifest: Manifest) -> int:
    """A bit whose flip leaves JSON that any parser takes: in a hexadecimal digit of a digest."""
    return (manifest.data.rindex(b"sha256:") + len("sha256:")) * 8


@dataclass(frozen=True)
class World:
    """What is stored where, what was done to it, and what the registry and the exporter remember.

    `repositories` maps repositories to tags to content. `collected`: the registry's garbage collector ran
    with `--delete-untagged` after the push, before the deeds. `cache`: the registry has one; `warm`: and was
    not restarted before the damage. `remembered`: a cycle before the damage found everything intact.
    `heads_only`: blobs are asked for by HEAD. `pushed_again`: after the damage, everything, by a client that
    skips what the registry says it has; to a registry without cache only.
    """

    repositories: Mapping[str, Mapping[str, Content]]
    deeds: tuple[Deed, ...] = ()
    collected: bool = False
    cache: bool = False
    warm: bool = False
    remembered: bool = False
    heads_only: bool = False
    pushed_again: bool = False

    @property
    def contents(self) -> list[Content]:
        """Everything that some tag points to."""
        return [content for tags in self.repositories.values() for content in tags.values()]

    @cached_property
    def data(self) -> frozenset[str]:
        """The digests of all that is stored: manifests, configs and layers."""
        return frozenset(
            digest
            for content in self.contents
            for digest in (*content.blobs, *(manifest.digest for manifest in content.manifests))
        )
