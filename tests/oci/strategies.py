"""What hypothesis draws: well-formed names, descriptors and manifests, and documents that may be none."""

import json
from typing import Any

from hypothesis import strategies as st

from exporter.oci import Descriptor, Digest, ImageName, Manifest, Platform
from exporter.oci.media_types import IMAGE_CONFIGS, MANIFESTS

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA_1_LAYER = "application/vnd.docker.container.image.rootfs.diff+x-gtar"

Case = tuple[dict[str, Any], str, Manifest]
"""A document, what it is declared to be, and what it must be parsed to, its size apart."""


def matching(grammar: str) -> st.SearchStrategy[str]:
    return st.from_regex(grammar, fullmatch=True)


def hashes(algorithm: str, size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).map(lambda hashed: f"{algorithm}:{hashed.hex()}")


digests = st.one_of(
    hashes("sha256", 32),
    hashes("sha512", 64),
    matching(r"[a-z][a-z0-9]{0,8}\+b64:[A-Za-z0-9=_-]{1,40}"),
).map(Digest)
tags = matching(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
components = matching(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}")
repositories = st.lists(components, min_size=1, max_size=4).map("/".join)
hosts = st.builds(
    "{}{}".format,
    matching(
        r"[a-z0-9]{1,9}(-[a-z0-9]{1,9})?\.[a-z]{2,9}|localhost|[A-Z][a-z]{0,9}|10\.0\.0\.[1-9]|\[[0-9a-f]{1,4}::1\]"
    ),
    st.just("") | st.integers(0, 65535).map(":{}".format),
) | matching(r"[a-z]{1,9}:[1-9][0-9]{0,3}")


@st.composite
def image_names(draw: st.DrawFn) -> ImageName:
    host = draw(st.just("docker.io") | hosts)
    repository = draw(repositories)
    if host == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    tag = draw(st.none() | tags)
    digest = draw(st.none() | digests if tag is not None else digests)
    return ImageName(host, repository, tag, digest)


media_types = st.sampled_from([*sorted(MANIFESTS | IMAGE_CONFIGS), "text/plain; charset=utf-8", "x"])
platform_words = st.sampled_from(["linux", "amd64", "unknown", "v8", "a.b-c_d"])
platforms = st.builds(Platform, platform_words, platform_words, st.just("") | platform_words)
artifact_types = st.none() | media_types
descriptors = st.builds(
    Descriptor, digests, media_types, st.integers(0, 2**63 - 1), st.none() | platforms, artifact_types
)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
unknown_fields = st.dictionaries(
    st.sampled_from(["annotations", "subject", "history", "signatures", "urls", "data", "x", "\u2603"]),
    plain_json,
)


@st.composite
def documents_of(draw: st.DrawFn, descriptor: Descriptor) -> dict[str, Any]:
    """Write a descriptor as JSON, with other fields around it and in any order."""
    document: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        **draw(unknown_fields),
    }
    if descriptor.platform is not None:
        document["platform"] = {
            "os": descriptor.platform.os,
            "architecture": descriptor.platform.architecture,
            "variant": descriptor.platform.variant,
        }
    if descriptor.artifact_type is not None:
        document["artifactType"] = descriptor.artifact_type
    return {name: document[name] for name in draw(st.permutations(list(document)))}


@st.composite
def written(draw: st.DrawFn, items: tuple[Descriptor, ...]) -> list[dict[str, Any]]:
    return [draw(documents_of(item)) for item in items]


many = st.lists(descriptors, max_size=4).map(tuple)


@st.composite
def indexes(draw: st.DrawFn) -> Case:
    declared = draw(st.sampled_from([OCI_INDEX, DOCKER_LIST]))
    entries = draw(many)
    kind = draw(artifact_types)
    document = {"schemaVersion": 2, "manifests": draw(written(entries)), "artifactType": kind}
    return document, declared, Manifest(declared, 0, entries=entries, artifact_type=kind)


@st.composite
def images(draw: st.DrawFn) -> Case:
    declared = draw(st.sampled_from([OCI_MANIFEST, DOCKER_MANIFEST]))
    config, layers, kind = draw(descriptors), draw(many), draw(artifact_types)
    document = {
        "schemaVersion": 2,
        "config": draw(documents_of(config)),
        "layers": draw(written(layers)),
        "artifactType": kind,
    }
    return document, declared, Manifest(declared, 0, config=config, layers=layers, artifact_type=kind)


@st.composite
def artifacts(draw: st.DrawFn) -> Case:
    blobs, kind = draw(many), draw(artifact_types)
    document = {"blobs": draw(written(blobs)), "artifactType": kind}
    return document, OCI_ARTIFACT, Manifest(OCI_ARTIFACT, 0, layers=blobs, artifact_type=kind)


@st.composite
def schema_1(draw: st.DrawFn) -> Case:
    declared = draw(st.sampled_from([SCHEMA_1, SIGNED]))
    blobs = draw(st.lists(digests, max_size=4))
    document = {"schemaVersion": 1, "fsLayers": [{"blobSum": str(blob)} for blob in blobs]}
    layers = tuple(Descriptor(blob, SCHEMA_1_LAYER, None) for blob in blobs)
    return document, declared, Manifest(declared, 0, layers=layers)


cases = st.one_of(indexes(), images(), artifacts(), schema_1())

# A value that stands, in some generated documents, where another should.
odd_values = plain_json | st.sampled_from(
    ["\ud800", "\x1b[2J\n", 10**400, -1, 2**63, OCI_INDEX, OCI_MANIFEST]
)


@st.composite
def damaged_documents(draw: st.DrawFn) -> bytes:
    """Write a well-formed manifest with one value, at any depth, removed or replaced."""
    document, declared, _ = draw(cases)
    if draw(st.booleans()):
        document = {**document, "mediaType": declared}
    places = [(document, name) for name in document]
    for container, key in places:
        value = container[key]
        if isinstance(value, dict):
            places.extend((value, name) for name in value)
        elif isinstance(value, list):
            places.extend((value, position) for position in range(len(value)))
    container, key = draw(st.sampled_from(places))
    if draw(st.booleans()):
        container[key] = draw(odd_values)
    else:
        del container[key]
    return json.dumps(document).encode()
