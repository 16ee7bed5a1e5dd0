"""Every damage to every kind of thing that a tag needs, by name: for tests that go through them all."""

from dataclasses import dataclass
from typing import Any, Literal

from sample.content import Content
from sample.damage import Damage

Target = Literal["tag", "index", "child", "config", "layer", "repository"]


@dataclass(frozen=True)
class Deed:
    """One damage, done to one part of the content of one tag."""

    operation: str
    target: Target

    def do(self, damage: Damage, repository: str, content: Content, tag: str) -> None:
        """Do it."""
        act = getattr(damage, self.operation)
        if self.target == "repository":
            act(repository)
        elif self.target == "tag":
            act(repository, tag)
        elif self.operation.endswith("_data"):
            act(digest_of_target(content, self.target), *self._extra())
        else:
            act(repository, digest_of_target(content, self.target))

    def _extra(self) -> tuple[Any, ...]:
        return (b"x" * 1000,) if self.operation == "replace_data" else ()

    def __str__(self) -> str:
        return f"{self.operation} {self.target}"


def digest_of_target(content: Content, target: Target) -> str:
    """Find the digest of the first such part of an index or image."""
    image = content.manifests[0]
    if target == "index":
        return content.digest
    if target == "child":
        return image.digest
    if target == "config" and image.config is not None:
        return image.config.digest
    if target == "layer":
        return image.layers[0].digest
    raise ValueError(f"{content} has no {target}")


_ON_TAGS = ("remove_tag_link", "empty_tag_link", "garble_tag_link", "remove_tag")
_ON_MANIFESTS = ("remove_revision_link", "empty_revision_link", "garble_revision_link")
_ON_BLOBS = ("remove_layer_link", "empty_layer_link", "garble_layer_link")
_ON_DATA = ("remove_data", "empty_data", "truncate_data", "flip_data", "replace_data")
_ON_REPOSITORIES = ("remove_repository", "remove_layers_folder", "remove_manifests_folder")

MANIFEST_TARGETS: tuple[Target, ...] = ("index", "child")
BLOB_TARGETS: tuple[Target, ...] = ("config", "layer")
DEEDS: tuple[Deed, ...] = (
    *(Deed(operation, "tag") for operation in _ON_TAGS),
    *(Deed(operation, target) for target in MANIFEST_TARGETS for operation in _ON_MANIFESTS),
    *(Deed(operation, target) for target in BLOB_TARGETS for operation in _ON_BLOBS),
    *(Deed(operation, target) for target in MANIFEST_TARGETS + BLOB_TARGETS for operation in _ON_DATA),
    *(Deed(operation, "repository") for operation in _ON_REPOSITORIES),
)
