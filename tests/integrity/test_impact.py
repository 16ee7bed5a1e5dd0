"""Whom a finding hurts, and which tags it names."""

import pytest

from sample import content as make
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher
from tests.integrity.expected import broken
from tests.integrity.scripted import ScriptedRegistry

SHARED = make.layer("shared")
AMD64 = make.image("app", shared=[SHARED], layers=1)
ARM64 = make.image("app", platform="linux/arm64", shared=[SHARED], layers=1)
ATTESTATION = make.attestation(AMD64, "built")
ARTIFACT = make.oras_artifact("report")
INDEX = make.index([AMD64, ARM64, ATTESTATION])


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest", "v1")
    return registry


@pytest.mark.parametrize(
    ("lost", "impact"),
    [(AMD64, "pull"), (ARM64, "pull"), (ATTESTATION, "metadata")],
    ids=["amd64", "arm64", "attestation"],
)
async def test_the_platform_of_a_lost_child_decides(registry: ScriptedRegistry, lost, impact: str):
    """`unknown/unknown` marks what nobody runs; every tag of the index is named."""
    del registry.manifests["app", lost.digest]
    report = await Watcher(registry).walk()
    finding = next(report.findings())
    assert (finding.digest, finding.impact, finding.tags) == (lost.digest, impact, ("latest", "v1"))
    assert finding.platform == lost.platform
    assert (finding.media_type, finding.size) == (lost.root.media_type, lost.root.size)
    assert report.broken_tags == (2 if impact == "pull" else 0)


async def test_what_only_an_attestation_needs_is_metadata(registry: ScriptedRegistry):
    """Its config and its layers."""
    lost = sorted([("config", ATTESTATION.root.config.digest), ("layer", ATTESTATION.root.layers[0].digest)])
    for _, digest in lost:
        del registry.blobs["app", digest]
    assert await Watcher(registry).findings() == [
        broken("app", kind, digest, "latest", "v1", impact="metadata") for kind, digest in lost
    ]


async def test_what_an_image_needs_too_is_pull_for_the_tags_of_images(registry: ScriptedRegistry):
    """A layer that an attestation shares with an image breaks the image's tag, and only that is named."""
    child = by_hand.image(SHARED.descriptor())
    entry = {**child.descriptor(), "platform": {"os": "unknown", "architecture": "unknown"}}
    described = by_hand.content(child, by_hand.index(entry), blobs={SHARED.digest: SHARED.data})
    registry.store("app", described, "described")
    del registry.blobs["app", SHARED.digest]
    assert await Watcher(registry).findings() == [broken("app", "layer", SHARED.digest, "latest", "v1")]
    del registry.tags["app"]["latest"], registry.tags["app"]["v1"]
    assert await Watcher(registry).findings() == [
        broken("app", "layer", SHARED.digest, "described", impact="metadata")
    ]


async def test_a_child_that_is_an_artifact_is_metadata_when_its_descriptor_or_itself_says_so():
    """An `artifactType` and no image config; with the descriptor silent and the child gone nobody knows."""
    config, file = ARTIFACT.root.config.digest, ARTIFACT.root.layers[0].digest
    silent, telling = ARTIFACT.entry(), {**ARTIFACT.entry(), "artifactType": "application/x"}
    for entry, impact in ((silent, "pull"), (telling, "metadata")):
        registry = ScriptedRegistry()
        registry.store("app", ARTIFACT)
        registry.store("app", by_hand.content(by_hand.index(entry)), "latest")
        del registry.blobs["app", config], registry.blobs["app", file]
        assert await Watcher(registry).findings() == [
            broken("app", "config", config, "latest", impact="metadata"),
            broken("app", "layer", file, "latest", impact="metadata"),
        ]
        del registry.manifests["app", ARTIFACT.digest]
        assert await Watcher(registry).findings() == [
            broken("app", "child", ARTIFACT.digest, "latest", impact=impact)
        ]


async def test_an_artifact_type_beside_an_image_config_is_an_image():
    """Some builders write one into images that run."""
    image = by_hand.image(SHARED.descriptor(), artifactType="application/vnd.oci.image.config.v1+json")
    registry = ScriptedRegistry()
    index = by_hand.index(image.descriptor())
    registry.store("app", by_hand.content(image, index), "latest")
    assert await Watcher(registry).findings() == [broken("app", "layer", SHARED.digest, "latest")]


@pytest.mark.parametrize("content", [ARTIFACT, make.cosign_signature(AMD64.digest), ATTESTATION])
async def test_what_a_tag_leads_to_directly_cannot_be_pulled(content):
    """An artifact, a signature or an attestation with a tag of its own: whoever pulls that tag fails."""
    registry = ScriptedRegistry()
    registry.store("app", content, "tag")
    lost = content.root.layers[0].digest
    del registry.blobs["app", lost]
    assert await Watcher(registry).findings() == [broken("app", "layer", lost, "tag")]


async def test_below_an_attestation_index_everything_is_metadata():
    """Being only described is handed down."""
    inner = make.index([AMD64])
    entry = {**inner.entry(), "platform": {"os": "unknown", "architecture": "unknown"}}
    registry = ScriptedRegistry()
    registry.store("app", inner)
    registry.store("app", by_hand.content(by_hand.index(entry)), "latest")
    del registry.blobs["app", SHARED.digest]
    del registry.blobs["app", AMD64.root.config.digest]
    assert {one.impact for one in await Watcher(registry).findings()} == {"metadata"}


async def test_a_finding_names_every_tag_that_needs_it_in_every_repository(registry: ScriptedRegistry):
    """Directly, through one index or another, once each and sorted."""
    registry.store("app", make.index([ARM64]), "arm")
    registry.store("app", AMD64, "amd")
    registry.store("app", make.image("other"), "other")
    registry.store("web", make.index([INDEX]), "nested")
    for name in ("app", "web"):
        del registry.blobs[name, SHARED.digest]
    assert await Watcher(registry).findings() == [
        broken("app", "layer", SHARED.digest, "amd", "arm", "latest", "v1"),
        broken("web", "layer", SHARED.digest, "nested"),
    ]
