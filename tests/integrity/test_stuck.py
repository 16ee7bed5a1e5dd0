"""A reference that answers an error for three cycles is stuck, and so is a list of tags."""

from datetime import datetime

import httpx
import pytest

from sample import content as make
from tests.integrity.cycles import Watcher
from tests.integrity.scripted import ScriptedRegistry, blob, fail, manifest, status, tag_list

INDEX = make.multi_platform("app", layers=1)
CHILD = INDEX.manifests[0].digest
LAYER = INDEX.manifests[0].layers[0].digest
PATHS = {
    "tag": manifest("app", "latest"),
    "root": manifest("app", INDEX.digest),
    "child": manifest("app", CHILD),
    "layer": blob("app", LAYER),
    "tags": tag_list("app"),
}
on_each = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest")
    return registry


async def stuck(watcher: Watcher) -> int:
    return (await watcher.walk()).repositories["app"].stuck


@on_each
async def test_three_cycles_with_an_error_are_stuck_and_one_answer_ends_it(
    registry: ScriptedRegistry, path: str
):
    """Not before the third, for as long as it lasts, and counted from one again after an answer."""
    watcher = Watcher(registry)
    await watcher.walk()
    end = registry.on("*", path, status(500))
    assert [await stuck(watcher) for _ in range(5)] == [0, 0, 1, 1, 1]
    end()
    assert await stuck(watcher) == 0
    registry.on("*", path, status(500))
    assert [await stuck(watcher) for _ in range(3)] == [0, 0, 1]


@on_each
async def test_an_error_from_the_first_cycle_on_counts_the_same(registry: ScriptedRegistry, path: str):
    """It need never have been intact."""
    registry.on("*", path, status(500))
    watcher = Watcher(registry)
    assert [await stuck(watcher) for _ in range(4)] == [0, 0, 1, 1]


async def test_the_reason_may_change(registry: ScriptedRegistry):
    """What answers one error after the other has no less been without an answer."""
    watcher = Watcher(registry)
    for action in (status(500), status(403), fail(httpx.ReadTimeout), status(500)):
        end = registry.on("*", PATHS["child"], action)
        last = await stuck(watcher)
        end()
    assert last == 1


@on_each
@pytest.mark.parametrize(
    "action", [fail(httpx.ConnectError), status(503)], ids=["nobody listens", "503 for the catalog"]
)
async def test_cycles_in_which_the_registry_is_down_do_not_count(
    registry: ScriptedRegistry, path: str, action
):
    """That is told elsewhere; they neither count nor end the count."""
    watcher = Watcher(registry)
    registry.on("*", path, status(500))
    assert [await stuck(watcher) for _ in range(2)] == [0, 0]
    end = registry.on("*", "/v2/_catalog", action)
    assert [await stuck(watcher) for _ in range(4)] == [0, 0, 0, 0]
    end()
    assert await stuck(watcher) == 1


async def test_cycles_in_which_a_repository_is_left_alone_do_not_count(registry: ScriptedRegistry):
    """A registry that stops answering in the middle of a cycle makes nothing stuck."""
    for number in range(8):
        registry.store("app", make.image(f"image {number}"), f"v{number}")
    watcher = Watcher(registry)
    await watcher.walk()
    for path in {asked.split()[1] for asked in registry.asked} - {"/v2/_catalog", PATHS["tags"]}:
        registry.on("*", path, fail(httpx.ConnectError))
    for _ in range(4):
        report = await watcher.walk()
        app = report.repositories["app"]
        assert (report.outcome, app.stuck, app.stale) == ("incomplete", 0, sum(app.checked.values()))


@on_each
async def test_a_repeated_suspect_cycle_counts_once(registry: ScriptedRegistry, path: str):
    """What is asked twice within one cycle has answered an error in one cycle."""
    watcher = Watcher(registry)
    registry.store("web", make.image("web"), "latest")
    registry.on("*", path, status(500))
    await watcher.walk()
    for digest in make.image("web").blobs:
        del registry.blobs["web", digest]
    assert await stuck(watcher) == 0
    assert registry.asked.count("GET /v2/_catalog") == 3
    assert await stuck(watcher) == 1


@on_each
async def test_a_cycle_that_leaves_something_unverified_does_not_verify_the_repository(
    registry: ScriptedRegistry, path: str
):
    """`last_verified` stands still until a walk leaves nothing open; broken is as good as intact there."""
    registry.store("web", make.image("web"), "latest")
    watcher = Watcher(registry, suspect_delay=0.0)

    async def verified() -> datetime | None:
        return (await watcher.walk()).repositories["app"].last_verified

    end = registry.on("*", path, status(500))
    assert await verified() is None
    end()
    first = await verified()
    assert first is not None
    end = registry.on("*", path, status(500))
    assert [await verified() for _ in range(4)] == [first] * 4
    end()
    del registry.blobs["app", LAYER]
    second = await verified()
    assert second is not None
    assert second > first
    registry.on("*", blob("app", LAYER), status(500))  # keeps its verdict, stale
    assert await verified() == second
