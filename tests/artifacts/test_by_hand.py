"""What is legal and no tool here makes is intact, and whatever of it is lost is found."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sample import content as make
from sample.content import Content, Manifest
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from tests.artifacts import builders
from tests.artifacts.holdings import Losses, findings_of, lose_each, missing
from tests.parts.programs import find_program

TAG = "latest"
ABSENT = make.image("absent").root
IMAGE = make.image("image", layers=1)
SIGNED = make.multi_platform("signed", ["linux/amd64"], layers=1, attestations=True)
ATTESTATION = SIGNED.manifests[1]
REPORT = make.oras_artifact("report", subject=SIGNED.root)


@dataclass(frozen=True)
class Artifact:
    """Content with what it holds by kind; `described` is what only describes an image, by digest."""

    content: Content
    kinds: dict[str, int]
    described: frozenset[str] = frozenset()


def _needs(manifest: Manifest) -> frozenset[str]:
    """A manifest with all that it points to."""
    config = [] if manifest.config is None else [manifest.config]
    return frozenset({manifest.digest, *(one.digest for one in (*config, *manifest.layers))})


ARTIFACTS = {
    "buildkit-cache": Artifact(make.buildkit_cache("cache"), {"layer": 3}),
    "attestations": Artifact(SIGNED, {"child": 2, "config": 2, "layer": 2}, _needs(ATTESTATION)),
    "cosign-signature": Artifact(make.cosign_signature(SIGNED.digest), {"config": 1, "layer": 1}),
    "referrers": Artifact(
        builders.referrers_index(REPORT), {"child": 1, "config": 1, "layer": 1}, _needs(REPORT.root)
    ),
    "absent-subject": Artifact(make.oras_artifact("orphan", subject=ABSENT), {"config": 1, "layer": 1}),
    "nested-three-deep": Artifact(
        make.nested_index("nested", 3, ["linux/amd64"]), {"child": 5, "config": 3, "layer": 6}
    ),
    "child-listed-twice": Artifact(make.index([IMAGE, IMAGE]), {"child": 1, "config": 1, "layer": 1}),
    "embedded-data": Artifact(builders.embedded_data("embedded"), {"child": 1, "config": 1, "layer": 1}),
    "lazy-layers": Artifact(builders.lazy_layers("lazy"), {"config": 1, "layer": 3}),
    "foreign-layer": Artifact(make.foreign_layer_image("foreign"), {"config": 1, "layer": 1}),
    "foreign-layer-docker": Artifact(
        make.foreign_layer_image("foreign", family="docker"), {"config": 1, "layer": 1}
    ),
    "layer-without-a-byte": Artifact(make.empty_layer_image("empty"), {"config": 1, "layer": 2}),
    "longest-manifest": Artifact(
        builders.long_manifest("longest", builders.LONGEST_MANIFEST), {"config": 1, "layer": 1}
    ),
    "nearly-longest-manifest": Artifact(
        builders.long_manifest("nearly", builders.LONGEST_MANIFEST - 1), {"config": 1, "layer": 1}
    ),
}
REFERRERS_TAG = make.referrers_tag(SIGNED.digest)
TAGS = dict.fromkeys(ARTIFACTS, TAG) | {
    "cosign-signature": make.signature_tag(SIGNED.digest),
    "referrers": REFERRERS_TAG,
}


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Losses]:
    """A registry that all of it was pushed to through its API; the artifact's name is the repository's."""
    program = InstalledRegistry(find_program("docker-registry"))
    with DockerRegistry(tmp_path_factory.mktemp("registry"), RegistryOptions(), program) as registry:
        for name, artifact in ARTIFACTS.items():
            asyncio.run(registry.push(name, artifact.content, TAGS[name]))
        yield lose_each(registry, TAGS, tmp_path_factory.mktemp("probe"))


@pytest.mark.parametrize("name", ARTIFACTS)
def test_what_is_legal_and_whole_is_intact(losses: Losses, name: str) -> None:
    """No finding, and nothing overlooked."""
    assert findings_of(losses.whole).get(name, []) == []
    assert Counter(one.kind for one in losses.copies_of(name).values()) == ARTIFACTS[name].kinds


def test_a_registry_of_all_of_it_is_verified_whole(losses: Losses) -> None:
    """With the exit status that says so."""
    [report] = losses.whole["registries"]
    assert (losses.whole_status, report["outcome"], report["findings"]) == (0, "complete", [])
    assert report["repositories"] == len(ARTIFACTS)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_each_reference_that_is_lost_is_found_and_nothing_else(losses: Losses, name: str) -> None:
    """With the impact of what it was for: an attestation is no image."""
    copies, described = losses.copies_of(name), ARTIFACTS[name].described
    found = findings_of(losses.damaged)
    assert {copy: found.get(copy) for copy in copies} == {
        copy: [missing(one, TAGS[name], impact="metadata" if one.digest in described else "pull")]
        for copy, one in copies.items()
    }
    assert name not in found
