"""Content that no tool makes, put together by hand."""

import json
from collections.abc import Mapping
from typing import Any

from sample import media_types
from sample.content import Blob, Content, Manifest

CONFIG = Blob(b'{"by": "hand"}', media_types.OCI_CONFIG)


def document(media_type: str = media_types.OCI_MANIFEST, **fields: Any) -> Manifest:
    """A manifest of these fields; a field of None is left out."""
    given = {"schemaVersion": 2, "mediaType": media_type, **fields}
    kept = {name: value for name, value in given.items() if value is not None}
    return Manifest(json.dumps(kept).encode(), media_type)


def content(*manifests: Manifest, blobs: Mapping[str, bytes] | None = None, config: bool = True) -> Content:
    """Manifests, the root last, with the blobs that are stored, the config of images among them."""
    configs = {CONFIG.digest: CONFIG.data} if config else {}
    return Content(manifests, {**configs, **(blobs or {})})


def image(*layers: dict[str, Any], config: dict[str, Any] | None = None, **fields: Any) -> Manifest:
    """An image manifest of these descriptors."""
    return document(config=config or CONFIG.descriptor(), layers=list(layers), **fields)


def index(*entries: dict[str, Any], **fields: Any) -> Manifest:
    """An index of these descriptors."""
    return document(media_types.OCI_INDEX, manifests=list(entries), **fields)
