"""What no tool here makes, by hand, so that a registry takes it."""

import base64
import json
from typing import Any

from sample import content as make
from sample import media_types as types
from sample.content import Blob, Content, Manifest

ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
LONGEST_MANIFEST = 4 * 1024 * 1024  # bytes, of what the registry takes


def image_of(config: dict[str, Any], layers: list[dict[str, Any]], *blobs: Blob, **fields: Any) -> Content:
    """Make an image of these descriptors and blobs; `fields` stand in its manifest too."""
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": config,
        "layers": layers,
        **fields,
    }
    manifest = Manifest(json.dumps(document).encode(), types.OCI_MANIFEST)
    return Content((manifest,), {blob.digest: blob.data for blob in blobs})


def config_of(seed: str) -> Blob:
    """Make the config of an image."""
    return Blob(json.dumps({"architecture": "amd64", "os": "linux", "seed": seed}).encode(), types.OCI_CONFIG)


def embedded_data(seed: str) -> Content:
    """Make an index whose child, and its config and layer, stand in their descriptors whole (`data`)."""
    config, layer = config_of(seed), make.layer(seed)
    child = image_of(_embedded(config), [_embedded(layer)], config, layer)
    platform = {"architecture": "amd64", "os": "linux"}
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_INDEX,
        "manifests": [{**_embedded(child.root), "platform": platform}],
    }
    return Content((*child.manifests, Manifest(json.dumps(document).encode(), types.OCI_INDEX)), child.blobs)


def lazy_layers(seed: str) -> Content:
    """Make an image of layers that are pulled in pieces: estargz, zstd, and zstd:chunked."""
    config = config_of(seed)
    estargz = make.layer(f"{seed} estargz")
    zstd, chunked = (make.layer(f"{seed} {kind}", media_type=ZSTD_LAYER) for kind in ("zstd", "chunked"))
    toc = make.digest_of(b"table of contents")
    layers = [
        estargz.descriptor(
            annotations={
                "containerd.io/snapshot/stargz/toc.digest": toc,
                "io.containers.estargz.uncompressed-size": "4096",
            }
        ),
        zstd.descriptor(),
        chunked.descriptor(
            annotations={
                "io.github.containers.zstd-chunked.manifest-checksum": toc,
                "io.github.containers.zstd-chunked.manifest-position": "10:20:30:1",
            }
        ),
    ]
    return image_of(config.descriptor(), layers, config, estargz, zstd, chunked)


def referrers_index(*referrers: Content) -> Content:
    """Make the index of what refers to an image; it tells the `artifactType` of each."""
    entries = [one.root.descriptor(artifactType=one.root.document["artifactType"]) for one in referrers]
    document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": entries}
    manifests = [manifest for one in referrers for manifest in one.manifests]
    blobs = {digest: data for one in referrers for digest, data in one.blobs.items()}
    return Content((*manifests, Manifest(json.dumps(document).encode(), types.OCI_INDEX)), blobs)


def long_manifest(seed: str, size: int) -> Content:
    """Make an image whose manifest is exactly so many bytes long."""
    config, layer = config_of(seed), make.layer(seed)

    def image(padding: int) -> Content:
        annotations = {"padding": "x" * padding}
        return image_of(config.descriptor(), [layer.descriptor()], config, layer, annotations=annotations)

    return image(size - image(0).root.size)


def _embedded(content: Blob | Manifest) -> dict[str, Any]:
    return content.descriptor(data=base64.b64encode(content.data).decode())
