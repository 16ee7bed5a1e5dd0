"""Which kind of manifest some bytes are, to the registry."""

import json
from dataclasses import dataclass
from typing import Any

from sample import media_types as types
from tests.parts.distribution.errors import NotModelledError, PanicError, UnknownError
from tests.parts.distribution.go_json import unmarshal

DESCRIPTOR: dict[str, Any] = {
    "mediaType": str,
    "size": int,
    "digest": str,
    "urls": [str],
    "annotations": {"*": str},
}
IMAGE_PLATFORM: dict[str, Any] = {
    "architecture": str,
    "os": str,
    "os.version": str,
    "os.features": [str],
    "variant": str,
}
VERSIONED: dict[str, Any] = {"schemaVersion": int, "mediaType": str}
INDEX: dict[str, Any] = {
    **VERSIONED,
    "manifests": [{**DESCRIPTOR, "platform": {**IMAGE_PLATFORM, "features": [str]}}],
}
DOCKER_IMAGE: dict[str, Any] = {
    **VERSIONED,
    "config": {**DESCRIPTOR, "platform": IMAGE_PLATFORM},
    "layers": [{**DESCRIPTOR, "platform": IMAGE_PLATFORM}],
}
OCI_IMAGE: dict[str, Any] = {**DOCKER_IMAGE, "annotations": {"*": str}}


@dataclass(frozen=True)
class Parsed:
    """A manifest as the registry sees it.

    `media_type` is what it is served as, `declared` what its own `mediaType` says, if anything.
    """

    media_type: str
    declared: str
    schema: int
    references: tuple[dict[str, Any], ...]

    @property
    def needs_accept(self) -> bool:
        """Whether only who accepts its type gets it: an index that does not say what it is escapes."""
        return self.media_type == types.OCI_MANIFEST or self.declared == types.OCI_INDEX


def parse_stored(data: bytes) -> Parsed:
    """Parse as for serving: by what the bytes say of themselves (`manifestStore.Get`)."""
    versioned = unmarshal(data, VERSIONED)
    schema, declared = versioned.get("schemaVersion", 0), versioned.get("mediaType", "")
    if schema == 1:
        raise NotModelledError("schema 1: the registry would sign it anew")
    if schema != 2:
        raise UnknownError
    if declared == types.DOCKER_MANIFEST:
        return _image(data, DOCKER_IMAGE, declared, declared)
    if declared == types.OCI_MANIFEST:
        return _image(data, OCI_IMAGE, declared, declared)
    if declared in types.INDEXES:
        return _index(data, declared, declared)
    if declared:
        raise UnknownError([{}])
    return _undeclared(data)


def parse_pushed(data: bytes, content_type: str) -> Parsed:
    """Parse as for storing: by what the client says they are (`distribution.UnmarshalManifest`)."""
    declared = unmarshal(data, VERSIONED).get("mediaType", "")
    if content_type == types.OCI_INDEX:
        _refuse_fields(data, "config", "layers")
        _refuse_type(declared, "", types.OCI_INDEX)
        return _index(data, declared, types.OCI_INDEX)
    if content_type == types.OCI_MANIFEST:
        _refuse_fields(data, "manifests")
        _refuse_type(declared, "", types.OCI_MANIFEST)
        return _image(data, OCI_IMAGE, declared, types.OCI_MANIFEST)
    if content_type == types.DOCKER_INDEX:
        _refuse_type(declared, types.DOCKER_INDEX)
        return _index(data, declared, declared)
    if content_type == types.DOCKER_MANIFEST:
        _refuse_type(declared, types.DOCKER_MANIFEST)
        return _image(data, DOCKER_IMAGE, declared, declared)
    raise NotModelledError(f"pushing {content_type}: the registry takes it for schema 1")


def _undeclared(data: bytes) -> Parsed:
    try:
        index = unmarshal(data, INDEX)
    except UnknownError as error:
        raise PanicError from error  # 2.8.2 looks at the result before it looks at the error
    if "manifests" in index:
        return _index(data, "", types.OCI_INDEX)
    return _image(data, OCI_IMAGE, "", types.OCI_MANIFEST)


def _index(data: bytes, declared: str, media_type: str) -> Parsed:
    document = unmarshal(data, INDEX)
    listed = tuple(entry or {} for entry in document.get("manifests", ()))
    return Parsed(media_type, declared, document.get("schemaVersion", 0), listed)


def _image(data: bytes, shape: dict[str, Any], declared: str, media_type: str) -> Parsed:
    document = unmarshal(data, shape)
    layers = tuple(layer or {} for layer in document.get("layers", ()))
    return Parsed(
        media_type, declared, document.get("schemaVersion", 0), (document.get("config", {}), *layers)
    )


def _refuse_type(declared: str, *allowed: str) -> None:
    if declared not in allowed:
        raise UnknownError


def _refuse_fields(data: bytes, *fields: str) -> None:
    if any(unmarshal_any(data).get(field) is not None for field in fields):
        raise UnknownError


def unmarshal_any(data: bytes) -> dict[str, Any]:
    """Read an object whole, for the fields whose type does not matter."""
    document: dict[str, Any] = json.loads(data.decode("utf-8", "replace"))
    return document
