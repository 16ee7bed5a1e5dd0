"""What an operator says of images decides what is walked: images by digest, and sparse indexes."""

from pathlib import Path

import pytest

from sample import content as make
from sample.registry import DockerRegistry
from tests.artifacts.holdings import Told, findings_of
from tests.parts.exporter import probe
from tests.parts.fixtures import StartRegistry

IMAGE = make.multi_platform("image", ["linux/amd64", "linux/arm64", "linux/arm/v7"], layers=1)
LAYER = IMAGE.manifests[0].layers[0].digest


@pytest.fixture
async def registry(start_registry: StartRegistry) -> DockerRegistry:
    """A registry with the image, under a tag in one repository and by its digest alone in another."""
    running = start_registry()
    await running.push("tagged", IMAGE, "latest")
    await running.push("untagged", IMAGE)
    return running


def test_an_image_known_only_by_digest_is_walked_where_it_is_named(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    """A walk of tags cannot see it; named, it is a root like a tag."""
    registry.damage.remove_layer_link("untagged", LAYER)
    assert probe(registry.url, folder=tmp_path)[0] == 0

    named = {"REGISTRY_INTEGRITY_IMAGES": f"untagged@{IMAGE.digest}"}
    status, document = probe(registry.url, folder=tmp_path, environment=named)
    lost = Told("broken", "missing", "pull", "layer", LAYER, None, (f"@{IMAGE.digest}",))
    assert status == 1
    assert findings_of(document) == {"untagged": [lost]}


def test_an_image_known_only_by_digest_that_is_gone_is_found(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    """The image itself, not only what is below it."""
    registry.damage.remove_revision_link("untagged", IMAGE.digest)
    named = {"REGISTRY_INTEGRITY_IMAGES": f"untagged@{IMAGE.digest}"}
    status, document = probe(registry.url, folder=tmp_path, environment=named)
    lost = Told("broken", "missing", "pull", "tag", IMAGE.digest, None, (f"@{IMAGE.digest}",))
    assert status == 1
    assert findings_of(document) == {"untagged": [lost]}


def test_a_sparse_index_is_intact_where_its_platforms_are_named(
    registry: DockerRegistry, tmp_path: Path
) -> None:
    """What a mirror means not to have is not missed; what it means to have is."""
    amd64, *others = IMAGE.manifests[:-1]
    for child in others:
        registry.damage.remove_revision_link("tagged", child.digest)
    status, document = probe(registry.url, folder=tmp_path)
    assert status == 1
    assert {one.digest for one in findings_of(document)["tagged"]} == {child.digest for child in others}

    sparse = {"REGISTRY_INTEGRITY_PLATFORMS": '{"tagged": ["linux/amd64"]}'}
    status, document = probe(registry.url, folder=tmp_path, environment=sparse)
    [report] = document["registries"]
    assert (status, report["findings"]) == (0, [])
    assert report["checked"] == {"tag": 1, "child": 1, "config": 1, "layer": 1}

    registry.damage.remove_revision_link("tagged", amd64.digest)
    status, document = probe(registry.url, folder=tmp_path, environment=sparse)
    lost = Told("broken", "missing", "pull", "child", amd64.digest, "linux/amd64", ("latest",))
    assert status == 1
    assert findings_of(document) == {"tagged": [lost]}
