"""Harbor says NOT_FOUND where the specification has a code for each thing that may be missing."""

import pytest

from sample import content as make
from tests.integrity.cycles import Watcher
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, manifest, status, tag_list

IMAGE = make.image("app", layers=1)
LAYER = IMAGE.root.layers[0].digest


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", IMAGE, "latest")
    return registry


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        (manifest("app", "latest"), broken("app", "tag", None, "latest")),
        (manifest("app", IMAGE.digest), broken("app", "tag", IMAGE.digest, "latest")),
        (blob("app", LAYER), broken("app", "layer", LAYER, "latest")),
    ],
    ids=["tag", "manifest", "blob"],
)
async def test_its_code_for_what_is_missing_is_understood(registry: ScriptedRegistry, path: str, finding):
    """A 404 with it is a registry's own, not a proxy's."""
    registry.on("*", path, status(404, "NOT_FOUND"))
    assert await Watcher(registry).findings() == [finding]


async def test_a_repository_that_it_does_not_know_has_no_tags(registry: ScriptedRegistry):
    """Its last tag was deleted meanwhile, or somebody has listed a repository that is not there."""
    registry.on("GET", tag_list("app"), status(404, "NOT_FOUND"))
    watcher = Watcher(registry, repositories=("app",))
    assert await watcher.findings() == []
    assert watcher.report is not None
    assert watcher.report.tags == 0


async def test_the_code_alone_makes_nothing_missing(registry: ScriptedRegistry):
    """With another status it is an error like any other."""
    registry.on("*", blob("app", LAYER), status(400, "NOT_FOUND"))
    assert await Watcher(registry).findings() == [
        unverified("app", "layer", LAYER, "latest", reason="protocol")
    ]
