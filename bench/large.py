"""An image with one large layer, in the storage of a registry that runs, set up as the official image is."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sample import content as make
from sample import media_types
from sample import storage as layout
from sample.content import Content, Manifest
from sample.registry import DockerRegistry, RegistryOptions
from sample.store import store

_PIECE: Final = 1024 * 1024
_REPOSITORY: Final = "team/large"
_TAG: Final = "latest"


@dataclass(frozen=True, slots=True)
class LargeImage:
    """Where it is, and its layer, whose digest `sha256` should tell."""

    image: str
    layer_url: str
    digest: str


@contextmanager
def large_image(size: int) -> Iterator[LargeImage]:
    """Serve an image whose layer has so many bytes, a multiple of 1 MiB."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        quiet = {"log": {"accesslog": {"disabled": True}}}
        registry = DockerRegistry(Path(folder), RegistryOptions(cache=True, more=quiet))
        digest = _store_layer(registry, size)
        store(registry.storage, _REPOSITORY, _content(digest, size), _TAG)
        with registry:
            yield LargeImage(
                f"{registry.host}/{_REPOSITORY}:{_TAG}",
                f"{registry.url}/v2/{_REPOSITORY}/blobs/{digest}",
                digest,
            )


def _store_layer(registry: DockerRegistry, size: int) -> str:
    file = registry.storage.root / "layer"
    file.parent.mkdir(parents=True, exist_ok=True)
    rest = make.noise("large", _PIECE)[8:]
    digest = hashlib.sha256()
    with file.open("wb") as stream:
        for number in range(size // _PIECE):
            piece = number.to_bytes(8, "big") + rest
            digest.update(piece)
            stream.write(piece)
    name = f"sha256:{digest.hexdigest()}"
    registry.storage.move("layer", layout.blob_data(name))
    registry.storage.write(layout.layer_link(_REPOSITORY, name), name.encode())
    return name


def _content(digest: str, size: int) -> Content:
    small = make.image("large", layers=0)
    layer = {"mediaType": media_types.OCI_LAYER, "digest": digest, "size": size}
    document = {**small.root.document, "layers": [layer]}
    manifest = Manifest(json.dumps(document).encode(), small.root.media_type)
    return Content((manifest,), small.blobs)
