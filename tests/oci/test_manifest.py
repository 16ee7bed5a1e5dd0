"""Manifests of every kind, parsed into the descriptors that a pull follows."""

import json
from typing import Any

import pytest

from exporter.oci import Descriptor, Digest, Manifest, Platform, Role, parse_manifest
from sample import content
from sample.media_types import OCI_CONFIG, OCI_LAYER

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+json"
SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA_1_LAYER = "application/vnd.docker.container.image.rootfs.diff+x-gtar"


def descriptor(of: content.Descriptor) -> Descriptor:
    platform = None if of.platform is None else Platform(*of.platform.split("/"))
    return Descriptor(Digest(of.digest), of.media_type, of.size, platform)


def descriptors(of: tuple[content.Descriptor, ...]) -> tuple[Descriptor, ...]:
    return tuple(map(descriptor, of))


def body(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "image",
    [
        content.image("oci"),
        content.image("docker", family="docker"),
        content.image("no layers", layers=0),
        content.image("many layers", layers=200),
        content.empty_layer_image("empty layer"),
        content.helm_chart("chart"),
        content.foreign_layer_image("windows"),
        content.foreign_layer_image("windows", family="docker"),
        content.cosign_signature("sha256:" + "0" * 64),
        content.attestation(content.image("oci"), "attested"),
    ],
    ids=lambda image: image.root.document["config"]["mediaType"],
)
def test_image_manifest_leads_to_its_config_and_layers(image: content.Content):
    """Whatever the config is: an image, a chart and a signature are the same to a pull."""
    root = image.root
    assert root.config is not None
    assert parse_manifest(root.data) == Manifest(
        root.media_type, root.size, config=descriptor(root.config), layers=descriptors(root.layers)
    )


@pytest.mark.parametrize(
    "image",
    [
        content.multi_platform("oci", ("linux/amd64", "linux/arm/v7")),
        content.multi_platform("docker", family="docker"),
        content.multi_platform("attested", attestations=True),
        content.nested_index("nested", depth=3),
        content.buildkit_cache("cache"),
        content.referrers_index([content.oras_artifact("report")]),
        content.index([]),
        content.index([content.image("twice"), content.image("twice")]),
    ],
    ids=["oci", "docker", "attested", "nested", "buildkit", "referrers", "empty", "twice"],
)
def test_index_leads_to_its_entries(image: content.Content):
    """Each with its own type: those of a BuildKit cache are layers."""
    root = image.root
    assert parse_manifest(root.data) == Manifest(
        root.media_type, root.size, entries=descriptors(root.entries)
    )


def test_artifact_of_an_image_manifest_keeps_its_artifact_type():
    """That, and no image config, makes it not runnable."""
    root = content.oras_artifact("report", files=2).root
    assert root.config is not None
    assert parse_manifest(root.data) == Manifest(
        root.media_type,
        root.size,
        config=descriptor(root.config),
        layers=descriptors(root.layers),
        artifact_type="application/vnd.example.report",
    )


def test_subject_is_not_followed():
    """It may be absent from the registry, which is legal, or even be no descriptor."""
    subject = content.image("subject").root
    referrer = content.oras_artifact("report", subject=subject).root
    odd = {**referrer.document, "subject": "nothing"}
    followed = [one for _, one in parse_manifest(referrer.data).descriptors]
    assert Digest(subject.digest) not in [one.digest for one in followed]
    assert [one for _, one in parse_manifest(body(odd)).descriptors] == followed


@pytest.mark.parametrize("media_type", [SCHEMA_1, SIGNED])
def test_schema_1_manifest_leads_to_its_layers_of_unknown_size(media_type: str):
    """It has no media type of its own; a layer that stands in it twice is listed twice."""
    digests = [content.digest_of(b"1"), content.digest_of(b"2"), content.digest_of(b"1")]
    document = {
        "schemaVersion": 1,
        "name": "app",
        "tag": "latest",
        "fsLayers": [{"blobSum": digest} for digest in digests],
        "history": [{"v1Compatibility": "{}"}] * 3,
        "signatures": [{"protected": "e30"}],
    }
    assert parse_manifest(body(document), media_type) == Manifest(
        media_type,
        len(body(document)),
        layers=tuple(Descriptor(Digest(digest), SCHEMA_1_LAYER, None) for digest in digests),
    )


def test_schema_1_manifest_without_any_type_counts_as_signed():
    """As registries of that time served it."""
    document = {"schemaVersion": 1, "fsLayers": []}
    assert parse_manifest(body(document)) == Manifest(SIGNED, len(body(document)))


def test_artifact_manifest_leads_to_its_blobs():
    """The kind that the specification had for a while."""
    blob = content.Blob(b"sbom", "application/spdx+json")
    document = {
        "mediaType": OCI_ARTIFACT,
        "artifactType": "application/vnd.example.sbom",
        "blobs": [blob.descriptor()],
        "subject": content.image("subject").root.descriptor(),
    }
    assert parse_manifest(body(document)) == Manifest(
        OCI_ARTIFACT,
        len(body(document)),
        layers=(Descriptor(Digest(blob.digest), blob.media_type, blob.size),),
        artifact_type="application/vnd.example.sbom",
    )


@pytest.mark.parametrize(
    "document", [{"mediaType": OCI_ARTIFACT}, {"mediaType": OCI_ARTIFACT, "blobs": None}]
)
def test_artifact_manifest_may_have_no_blobs(document: dict[str, Any]):
    """Only its type tells what it is."""
    assert parse_manifest(body(document)) == Manifest(OCI_ARTIFACT, len(body(document)))


def test_embedded_data_does_not_stand_in_for_the_blob():
    """A client may still fetch the blob, so it is followed."""
    config = content.Blob(b"{}", "application/vnd.oci.empty.v1+json")
    document = {"schemaVersion": 2, "config": config.descriptor(data="e30="), "layers": []}
    assert parse_manifest(body(document), OCI_MANIFEST) == Manifest(
        OCI_MANIFEST,
        len(body(document)),
        config=Descriptor(Digest(config.digest), config.media_type, 2),
    )


def test_absent_lists_and_null_ones_are_empty():
    """Null is how Go writes an empty list."""
    document = {"schemaVersion": 2, "manifests": None}
    assert parse_manifest(body(document)) == Manifest(OCI_INDEX, len(body(document)))


@pytest.mark.parametrize(
    ("inner", "described_as", "content_type", "media_type"),
    [
        (DOCKER_MANIFEST, OCI_MANIFEST, OCI_MANIFEST, DOCKER_MANIFEST),
        (None, DOCKER_MANIFEST, OCI_MANIFEST, DOCKER_MANIFEST),
        (None, "", f"{DOCKER_MANIFEST}; charset=utf-8", DOCKER_MANIFEST),
        ("", "", DOCKER_MANIFEST, DOCKER_MANIFEST),
        ("application/vnd.example", "text/plain", "application/json", OCI_MANIFEST),
        (None, "", "", OCI_MANIFEST),
    ],
)
def test_body_is_believed_before_the_descriptor_and_that_before_the_header(
    inner: str | None, described_as: str, content_type: str, media_type: str
):
    """A type that is no manifest's says nothing; without any, the document's own form decides."""
    config = content.Blob(b"{}", OCI_CONFIG)
    document = {"schemaVersion": 2, "mediaType": inner, "config": config.descriptor(), "layers": []}
    assert parse_manifest(body(document), content_type, described_as).media_type == media_type


def test_descriptors_come_in_the_order_of_the_document():
    """With their roles."""
    one, two, three = (Descriptor(Digest.of(seed), OCI_LAYER, 1) for seed in (b"1", b"2", b"3"))
    whole = Manifest("", 0, entries=(three, one), config=two, layers=(one, one))
    assert list(whole.descriptors) == [
        (Role.ENTRY, three),
        (Role.ENTRY, one),
        (Role.CONFIG, two),
        (Role.LAYER, one),
        (Role.LAYER, one),
    ]


@pytest.mark.parametrize(
    ("artifact_type", "config_type", "runnable"),
    [
        (None, None, True),
        (None, OCI_CONFIG, True),
        (None, "application/vnd.oci.empty.v1+json", True),
        ("application/vnd.example", None, False),
        ("application/vnd.example", "application/vnd.oci.empty.v1+json", False),
        ("application/vnd.example", OCI_CONFIG, True),
        ("application/vnd.example", "application/vnd.docker.container.image.v1+json", True),
    ],
)
def test_artifact_type_without_image_config_is_not_runnable(
    artifact_type: str | None, config_type: str | None, runnable: bool
):
    """A signature, an SBOM: its loss stops no pull."""
    config = None if config_type is None else Descriptor(Digest.of(b""), config_type, 0)
    assert Manifest("", 0, config=config, artifact_type=artifact_type).runnable is runnable
