"""What can be stored in a registry, made from a seed, as values.

The same seed always makes the same bytes, and different seeds different ones. The bytes of layers are noise:
nothing here is meant to run, only to be stored, pulled and damaged.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal, Self

from sample import media_types as types

Family = Literal["oci", "docker"]

DEFAULT_PLATFORMS: Final = ("linux/amd64", "linux/arm64")
DEFAULT_SIZE: Final = 64
"""Of a layer, in bytes: small, for a test stores hundreds of them."""


def digest_of(data: bytes) -> str:
    """Name these bytes as a registry does."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def noise(seed: str, size: int = DEFAULT_SIZE) -> bytes:
    """Make bytes that only this seed and size give."""
    return hashlib.shake_256(f"{seed} {size}".encode()).digest(size)


@dataclass(frozen=True)
class Blob:
    """A config or layer: bytes with a media type."""

    data: bytes
    media_type: str

    @cached_property
    def digest(self) -> str:
        """Its name in a registry."""
        return digest_of(self.data)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    def descriptor(self, **more: Any) -> dict[str, Any]:
        """How a manifest points to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **more}


@dataclass(frozen=True)
class Descriptor:
    """How a manifest points to something, read back from its bytes."""

    media_type: str
    digest: str
    size: int
    platform: str | None = None
    foreign: bool = False

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read one from a manifest's JSON."""
        return cls(
            media_type=document["mediaType"],
            digest=document["digest"],
            size=document["size"],
            platform=_platform_name(document.get("platform")),
            foreign=bool(document.get("urls")),
        )


@dataclass(frozen=True)
class Manifest:
    """An image manifest, an index, or any other document stored under `/manifests/`."""

    data: bytes
    media_type: str

    @cached_property
    def digest(self) -> str:
        """Its name in a registry."""
        return digest_of(self.data)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """Its JSON."""
        parsed: dict[str, Any] = json.loads(self.data)
        return parsed

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        """What an index lists: manifests, or blobs in a BuildKit cache."""
        return tuple(Descriptor.of(entry) for entry in self.document.get("manifests", ()))

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests that an index lists."""
        return tuple(entry for entry in self.entries if entry.media_type in types.MANIFESTS)

    @property
    def config(self) -> Descriptor | None:
        """The config of an image or artifact; an index has none."""
        config = self.document.get("config")
        return None if config is None else Descriptor.of(config)

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """Every other blob: layers, and what a BuildKit cache lists."""
        listed = tuple(Descriptor.of(layer) for layer in self.document.get("layers", ()))
        return listed + tuple(entry for entry in self.entries if entry.media_type not in types.MANIFESTS)

    def descriptor(self, **more: Any) -> dict[str, Any]:
        """How an index points to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **more}


@dataclass(frozen=True)
class Content:
    """Something that a tag can point to, whole: its manifests, children first, and the blobs they need.

    `platform` and `annotations` are what an index that lists it would say about it.
    """

    manifests: tuple[Manifest, ...]
    blobs: Mapping[str, bytes] = field(hash=False)
    platform: str | None = None
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def root(self) -> Manifest:
        """The manifest that a tag resolves to."""
        return self.manifests[-1]

    @property
    def digest(self) -> str:
        """The root's digest."""
        return self.root.digest

    def manifest(self, digest: str) -> Manifest:
        """Find one of its manifests."""
        return next(manifest for manifest in self.manifests if manifest.digest == digest)

    def entry(self) -> dict[str, Any]:
        """How an index lists it."""
        more: dict[str, Any] = {}
        if self.annotations:
            more["annotations"] = dict(self.annotations)
        if self.platform is not None:
            more["platform"] = _platform_document(self.platform)
        return self.root.descriptor(**more)


def layer(seed: str, size: int = DEFAULT_SIZE, media_type: str = types.OCI_LAYER) -> Blob:
    """Make a layer, to give to several images so that they share it."""
    return Blob(noise(f"layer {seed}", size), media_type)


def image(
    seed: str,
    *,
    family: Family = "oci",
    platform: str = "linux/amd64",
    layers: int = 2,
    layer_size: int = DEFAULT_SIZE,
    shared: Sequence[Blob] = (),
) -> Content:
    """Make an image for one platform: a config, the shared layers, and then `layers` of its own."""
    docker = family == "docker"
    layer_type = types.DOCKER_LAYER if docker else types.OCI_LAYER
    own = [layer(f"{seed} {platform} {number}", layer_size, layer_type) for number in range(layers)]
    all_layers = [*shared, *own]
    config = Blob(
        _json(
            {
                **_platform_document(platform),
                "config": {"Labels": {"seed": seed}},
                "rootfs": {"type": "layers", "diff_ids": [one.digest for one in all_layers]},
            }
        ),
        types.DOCKER_CONFIG if docker else types.OCI_CONFIG,
    )
    return _manifest(
        config,
        all_layers,
        media_type=types.DOCKER_MANIFEST if docker else types.OCI_MANIFEST,
        platform=platform,
    )


def index(
    children: Iterable[Content], *, family: Family = "oci", annotations: Mapping[str, str] | None = None
) -> Content:
    """Make an OCI index or Docker manifest list of these; one given twice is listed twice."""
    listed = list(children)
    media_type = types.DOCKER_INDEX if family == "docker" else types.OCI_INDEX
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [child.entry() for child in listed],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    below = dict.fromkeys(manifest for child in listed for manifest in child.manifests)
    blobs = {digest: data for child in listed for digest, data in child.blobs.items()}
    return Content((*below, Manifest(_json(document), media_type)), MappingProxyType(blobs))


def multi_platform(
    seed: str,
    platforms: Sequence[str] = DEFAULT_PLATFORMS,
    *,
    family: Family = "oci",
    attestations: bool = False,
    layers: int = 2,
    layer_size: int = DEFAULT_SIZE,
    shared: Sequence[Blob] = (),
) -> Content:
    """Make an index of one image a platform, and, as BuildKit does, an attestation for each."""
    images = [
        image(seed, family=family, platform=one, layers=layers, layer_size=layer_size, shared=shared)
        for one in platforms
    ]
    children = images + ([attestation(one, seed) for one in images] if attestations else [])
    return index(children, family=family)


def attestation(subject: Content, seed: str) -> Content:
    """Make what BuildKit adds to an index to say how an image was built: platform `unknown/unknown`."""
    statement = Blob(
        _json({"_type": "https://in-toto.io/Statement/v0.1", "seed": seed, "subject": subject.digest}),
        types.IN_TOTO,
    )
    config = Blob(
        _json(
            {
                "architecture": "unknown",
                "os": "unknown",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [statement.digest]},
            }
        ),
        types.OCI_CONFIG,
    )
    return _manifest(
        config,
        [statement],
        platform="unknown/unknown",
        annotations={
            "vnd.docker.reference.digest": subject.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
    )


def buildkit_cache(seed: str, *, layers: int = 2, layer_size: int = DEFAULT_SIZE) -> Content:
    """Make what `--cache-to type=registry` stores: an index whose entries are no manifests but blobs."""
    cached = [layer(f"cache {seed} {number}", layer_size) for number in range(layers)]
    config = Blob(
        _json({"layers": [{"blob": one.digest} for one in cached], "records": [{"digest": digest_of(b"")}]}),
        types.BUILDKIT_CACHE_CONFIG,
    )
    listed = [
        one.descriptor(annotations={"containerd.io/uncompressed": digest_of(one.data + b"tar")})
        for one in cached
    ] + [config.descriptor()]
    document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": listed}
    return Content((Manifest(_json(document), types.OCI_INDEX),), _blobs([*cached, config]))


def cosign_signature(digest: str) -> Content:
    """Make the signature that cosign keeps under the tag `signature_tag(digest)`."""
    payload = Blob(
        _json({"critical": {"image": {"docker-manifest-digest": digest}}, "optional": None}),
        types.COSIGN_PAYLOAD,
    )
    signature = {"dev.cosignproject.cosign/signature": noise(digest).hex()}
    config = Blob(
        _json({"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": [payload.digest]}}),
        types.OCI_CONFIG,
    )
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": [payload.descriptor(annotations=signature)],
    }
    return Content((Manifest(_json(document), types.OCI_MANIFEST),), _blobs([config, payload]))


def signature_tag(digest: str) -> str:
    """Name the tag where cosign looks for the signature of a manifest."""
    return referrers_tag(digest) + ".sig"


def referrers_tag(digest: str) -> str:
    """Name the tag where a client looks for what refers to a manifest, if there is no referrers API."""
    return digest.replace(":", "-", 1)


def oras_artifact(
    seed: str,
    *,
    artifact_type: str = "application/vnd.example.report",
    files: int = 1,
    file_size: int = DEFAULT_SIZE,
    subject: Manifest | None = None,
) -> Content:
    """Store any files as ORAS does: an `artifactType`, the empty config `{}`, and perhaps a `subject`."""
    stored = [
        Blob(noise(f"file {seed} {number}", file_size), "application/octet-stream") for number in range(files)
    ]
    more: dict[str, Any] = {"artifactType": artifact_type}
    if subject is not None:
        more["subject"] = subject.descriptor()
    return _manifest(Blob(b"{}", types.OCI_EMPTY), stored, more=more)


def referrers_index(referrers: Iterable[Content]) -> Content:
    """Make the index that a client keeps under `referrers_tag(subject)` of what refers to it."""
    return index(referrers)


def nested_index(seed: str, depth: int = 2, platforms: Sequence[str] = DEFAULT_PLATFORMS) -> Content:
    """Make `depth` indexes, each in the next, the innermost a multi-platform image, an image in each."""
    content = multi_platform(f"{seed} 1", platforms)
    for level in range(2, depth + 1):
        content = index([content, image(f"{seed} {level}")])
    return content


def helm_chart(seed: str, *, size: int = DEFAULT_SIZE) -> Content:
    """Make a Helm chart."""
    config = Blob(_json({"apiVersion": "v2", "name": seed, "version": "0.1.0"}), types.HELM_CONFIG)
    return _manifest(config, [Blob(noise(f"chart {seed}", size), types.HELM_CHART)])


def foreign_layer_image(seed: str, *, family: Family = "oci", layer_size: int = DEFAULT_SIZE) -> Content:
    """Make a Windows-like image: its base layer is stored elsewhere, so no registry need have it."""
    docker = family == "docker"
    foreign = Blob(
        noise(f"foreign {seed}", layer_size),
        types.DOCKER_FOREIGN_LAYER if docker else types.OCI_FOREIGN_LAYER,
    )
    own = layer(seed, layer_size, types.DOCKER_LAYER if docker else types.OCI_LAYER)
    config = Blob(
        _json(
            {
                "architecture": "amd64",
                "os": "windows",
                "rootfs": {"type": "layers", "diff_ids": [foreign.digest, own.digest]},
            }
        ),
        types.DOCKER_CONFIG if docker else types.OCI_CONFIG,
    )
    media_type = types.DOCKER_MANIFEST if docker else types.OCI_MANIFEST
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.descriptor(),
        "layers": [
            foreign.descriptor(urls=[f"https://layers.example.com/{foreign.digest}"]),
            own.descriptor(),
        ],
    }
    return Content((Manifest(_json(document), media_type),), _blobs([config, own]), platform="windows/amd64")


def empty_layer_image(seed: str) -> Content:
    """Make an image one of whose layers has no byte at all."""
    return image(seed, layers=1, shared=[Blob(b"", types.OCI_LAYER)])


def _manifest(
    config: Blob,
    layers: Sequence[Blob],
    *,
    media_type: str = types.OCI_MANIFEST,
    platform: str | None = None,
    annotations: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Content:
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        **(more or {}),
        "config": config.descriptor(),
        "layers": [one.descriptor() for one in layers],
    }
    return Content(
        (Manifest(_json(document), media_type),),
        _blobs([config, *layers]),
        platform=platform,
        annotations=tuple((annotations or {}).items()),
    )


def _blobs(blobs: Iterable[Blob]) -> Mapping[str, bytes]:
    return MappingProxyType({blob.digest: blob.data for blob in blobs})


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _platform_document(platform: str) -> dict[str, str]:
    os, architecture, *variant = platform.split("/")
    return {"architecture": architecture, "os": os} | ({"variant": variant[0]} if variant else {})


def _platform_name(platform: Mapping[str, str] | None) -> str | None:
    if platform is None:
        return None
    parts = (platform["os"], platform["architecture"], platform.get("variant"))
    return "/".join(part for part in parts if part)
