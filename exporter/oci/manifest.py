"""Manifests of every kind, parsed into the descriptors that a pull follows."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exporter.oci import media_types
from exporter.oci.descriptor import Descriptor, artifact_type, media_type
from exporter.oci.digest import Digest
from exporter.oci.errors import InvalidValueError, quoted

_MOST_CONTAINERS = 200_000  # small ones take much more memory than their text


class Role(StrEnum):
    """Where in a manifest a descriptor stands."""

    ENTRY = "entry"  # of an index
    CONFIG = "config"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What of a manifest decides whether a pull succeeds; `size` is the length of its body in bytes."""

    media_type: str
    size: int
    entries: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    artifact_type: str | None = None

    @property
    def descriptors(self) -> Iterator[tuple[Role, Descriptor]]:
        """All descriptors that a pull follows, in the order of the document."""
        for entry in self.entries:
            yield Role.ENTRY, entry
        if self.config is not None:
            yield Role.CONFIG, self.config
        for layer in self.layers:
            yield Role.LAYER, layer

    @property
    def references(self) -> int:
        """How many descriptors there are."""
        return len(self.entries) + (self.config is not None) + len(self.layers)

    @property
    def runnable(self) -> bool:
        """False for what has an `artifactType` and no image config: a signature, an SBOM, the like."""
        has_image_config = self.config is not None and self.config.media_type in media_types.IMAGE_CONFIGS
        return self.artifact_type is None or has_image_config

    def fits(self, described_as: str) -> bool:
        """Whether a descriptor of this media type may lead here: an index is no image, whoever says so.

        A type that is no manifest's says nothing.
        """
        if described_as not in media_types.MANIFESTS:
            return True
        return any(self.media_type in shape.types and described_as in shape.types for shape in _SHAPES)


def parse_manifest(body: bytes, content_type: str = "", described_as: str = "") -> Manifest:
    """Parse the body of an index, an image manifest of any generation or an artifact manifest.

    The body's own `mediaType` counts most, then the type of the descriptor that led here, then the
    `Content-Type` of the answer. An index declared to be an image manifest, or the reverse, is refused,
    as container runtimes do (CVE-2021-41190).

    Raises:
        InvalidValueError: the body is not such a document; the message names the field at fault.
    """
    document = _parse_json(body)
    inner = document.get("mediaType")
    declared = [] if inner is None or inner == "" else [media_type(inner, "mediaType")]
    declared += [described_as, media_types.essence(content_type)]
    known = [given for given in declared if given in media_types.MANIFESTS]
    shape = _shape_of(document, known)
    for given in known:
        if given not in shape.types:
            raise InvalidValueError(f"declared as {given}, but the document is {shape.name}")
    if document.get("schemaVersion", shape.schema_version) != shape.schema_version:
        raise InvalidValueError(f"schemaVersion is {quoted(document['schemaVersion'])}")
    return shape.read(document, known[0] if known else shape.types[0], len(body))


def digested_content(body: bytes) -> bytes:
    """Tell what the digest of a manifest is of: the body, without the signatures of a schema 1 manifest.

    What is signed is told by the signatures themselves (docker/libtrust, `ParsePrettySignature`).
    """
    try:
        document = _parse_json(body)
        if document["schemaVersion"] != 1:
            return body
        protected = json.loads(_from_base64(document["signatures"][0]["protected"]))
        return body[: protected["formatLength"]] + _from_base64(protected["formatTail"])
    except (LookupError, TypeError, ValueError, RecursionError):
        return body


def _from_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(f"{text}==")


def _parse_json(body: bytes) -> Mapping[str, Any]:
    if body.count(b"{") + body.count(b"[") > _MOST_CONTAINERS:
        raise InvalidValueError("more objects and lists than a manifest has")
    try:
        document = json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise InvalidValueError(f"not JSON: {error.msg} at character {error.pos}") from error
    except (ValueError, RecursionError) as error:
        # More digits than Python converts, or deeper nesting than its stack.
        raise InvalidValueError("not JSON: nested too deep, or a number too long") from error
    if not isinstance(document, Mapping):
        raise InvalidValueError(f"the document is {quoted(document)}, not an object")
    return document


def _descriptors(document: Mapping[str, Any], field: str) -> tuple[Descriptor, ...]:
    items = document.get(field)
    if items is None:  # how Go writes an empty list
        return ()
    if not isinstance(items, list):
        raise InvalidValueError(f"{field} is {quoted(items)}, not a list")
    descriptors: list[Descriptor] = []
    try:
        for item in items:
            descriptors.append(Descriptor.parse(item))  # noqa: PERF401 - how many there are tells where
    except InvalidValueError as error:
        raise InvalidValueError(f"{field}[{len(descriptors)}]: {error}") from error
    return tuple(descriptors)


def _descriptor(document: object, place: str) -> Descriptor:
    try:
        return Descriptor.parse(document)
    except InvalidValueError as error:
        raise InvalidValueError(f"{place}: {error}") from error


def _read_index(document: Mapping[str, Any], declared: str, size: int) -> Manifest:
    entries = _descriptors(document, "manifests")
    return Manifest(declared, size, entries=entries, artifact_type=artifact_type(document))


def _read_image(document: Mapping[str, Any], declared: str, size: int) -> Manifest:
    for field in ("config", "layers"):
        if field not in document:
            raise InvalidValueError(f"{field} is missing")
    return Manifest(
        declared,
        size,
        config=_descriptor(document["config"], "config"),
        layers=_descriptors(document, "layers"),
        artifact_type=artifact_type(document),
    )


def _read_artifact(document: Mapping[str, Any], declared: str, size: int) -> Manifest:
    layers = _descriptors(document, "blobs")
    return Manifest(declared, size, layers=layers, artifact_type=artifact_type(document))


def _read_schema_1(document: Mapping[str, Any], declared: str, size: int) -> Manifest:
    items = document["fsLayers"]
    if not isinstance(items, list):
        raise InvalidValueError(f"fsLayers is {quoted(items)}, not a list")
    layers = tuple(_fs_layer(item, f"fsLayers[{position}].blobSum") for position, item in enumerate(items))
    return Manifest(declared, size, layers=layers)


def _fs_layer(document: object, place: str) -> Descriptor:
    digest = document.get("blobSum") if isinstance(document, Mapping) else None
    if not isinstance(digest, str):
        raise InvalidValueError(f"{place} is {quoted(digest)}, not a string")
    try:
        known = Digest(digest)
    except InvalidValueError as error:
        raise InvalidValueError(f"{place}: {error}") from error
    return Descriptor(known, "application/vnd.docker.container.image.rootfs.diff+x-gtar", size=None)


@dataclass(frozen=True, slots=True)
class _Shape:
    """One form of document: how it is recognised and how it is read."""

    name: str
    fields: frozenset[str]
    types: tuple[str, ...]
    schema_version: int
    read: Callable[[Mapping[str, Any], str, int], Manifest]


_SHAPES = (
    _Shape(
        "an index",
        frozenset({"manifests"}),
        (media_types.OCI_INDEX, media_types.DOCKER_LIST),
        2,
        _read_index,
    ),
    _Shape(
        "an image manifest",
        frozenset({"config", "layers"}),
        (media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST),
        2,
        _read_image,
    ),
    _Shape(
        "a schema 1 manifest",
        frozenset({"fsLayers"}),
        (media_types.DOCKER_SCHEMA_1_SIGNED, media_types.DOCKER_SCHEMA_1),
        1,
        _read_schema_1,
    ),
    _Shape("an artifact manifest", frozenset({"blobs"}), (media_types.OCI_ARTIFACT,), 2, _read_artifact),
)


def _shape_of(document: Mapping[str, Any], known: list[str]) -> _Shape:
    found = [shape for shape in _SHAPES if not shape.fields.isdisjoint(document)]
    if len(found) > 1:
        raise InvalidValueError(f"the document is both {found[0].name} and {found[1].name}")
    if found:
        return found[0]
    if media_types.OCI_ARTIFACT in known:  # its `blobs` may be absent
        return _SHAPES[-1]
    raise InvalidValueError("the document has none of manifests, config, layers, fsLayers and blobs")
