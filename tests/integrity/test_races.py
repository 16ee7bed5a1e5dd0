"""What happens to a repository while it is walked never makes a finding that is not true at the end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sample import content as make
from tests.integrity.cycles import Watcher
from tests.integrity.expected import broken
from tests.integrity.model import ExpectedFinding
from tests.integrity.scripted import ScriptedRegistry, change, manifest, status

OLD = make.multi_platform("old", layers=1)
NEW = make.multi_platform("new", layers=1)
OTHER = make.image("other", layers=1)
OLD_LAYER = OLD.manifests[0].layers[0].digest
NEW_LAYER = NEW.manifests[0].layers[0].digest


def registry_of_old() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", OLD, "latest")
    registry.store("app", OTHER, "other")
    return registry


def collect_old(registry: ScriptedRegistry) -> None:
    """Delete what the old image had."""
    for one in OLD.manifests:
        registry.manifests.pop(("app", one.digest), None)
    for digest in OLD.blobs:
        registry.blobs.pop(("app", digest), None)


def delete_tag(registry: ScriptedRegistry) -> None:
    del registry.tags["app"]["latest"]
    collect_old(registry)


def move_tag(registry: ScriptedRegistry) -> None:
    registry.store("app", NEW, "latest")
    collect_old(registry)


def move_tag_to_a_broken_image(registry: ScriptedRegistry) -> None:
    move_tag(registry)
    del registry.blobs["app", NEW_LAYER]


def remove_repository(registry: ScriptedRegistry) -> None:
    registry.remove("app")


def repair(registry: ScriptedRegistry) -> None:
    registry.store("app", OLD)


def lose_a_layer(registry: ScriptedRegistry) -> None:
    del registry.blobs["app", OLD_LAYER]


@dataclass(frozen=True)
class Event:
    """Something that happens, and the findings that are true after it."""

    happen: Callable[[ScriptedRegistry], None]
    true_findings: tuple[ExpectedFinding, ...] = ()
    broken_before: bool = False


EVENTS = [
    Event(delete_tag),
    Event(delete_tag, broken_before=True),
    Event(move_tag),
    Event(move_tag, broken_before=True),
    Event(move_tag_to_a_broken_image, (broken("app", "layer", NEW_LAYER, "latest"),)),
    Event(remove_repository),
    Event(remove_repository, broken_before=True),
    Event(repair, broken_before=True),
    Event(lose_a_layer, (broken("app", "layer", OLD_LAYER, "latest"),)),
]


@pytest.mark.parametrize("remembered", [False, True], ids=["first cycle", "second cycle"])
@pytest.mark.parametrize(
    "event", EVENTS, ids=lambda one: one.happen.__name__ + " of a broken image" * one.broken_before
)
async def test_no_step_of_the_walk_is_a_bad_moment(event: Event, remembered: bool):
    """Whichever request it comes before: nothing is found that is not so at the end, and all that is seen.

    What was broken all the time may be reported when its tag went after it was resolved for the last time.
    """
    number = 0
    while True:
        number += 1
        asked, found = await walk_with(event, before=number, remembered=remembered)
        if number > len(asked):
            break  # it did not come to it
        allowed = set(event.true_findings)
        if event.broken_before and f"HEAD {manifest('app', 'latest')}" not in asked[number - 1 :]:
            allowed |= {broken("app", "layer", OLD_LAYER, "latest")}
        assert set(found) <= allowed, f"before request {number}"
        if number <= 2:  # before the tags were listed
            assert tuple(found) == event.true_findings
    assert number > 10


async def walk_with(
    event: Event, before: int, *, remembered: bool
) -> tuple[list[str], list[ExpectedFinding]]:
    """Walk with the event before a request; return the requests and the findings."""
    registry = registry_of_old()
    watcher = Watcher(registry, concurrency=1, suspect_delay=0.0)
    if remembered:
        await watcher.walk()
    if event.broken_before:
        lose_a_layer(registry)
    mark = len(registry.asked)

    def happen(number: int) -> None:
        if number == mark + before:
            event.happen(registry)

    registry.before_answer = happen
    found = await watcher.findings()
    return registry.asked[mark:], found


async def test_a_tag_moved_to_a_broken_image_is_a_finding_after_a_delay_of_its_own():
    """The walk learns of the new image only when confirming the old: the new one is confirmed in turn."""
    registry = registry_of_old()
    del registry.blobs["app", OLD_LAYER]
    registry.on(
        "HEAD",
        manifest("app", "latest"),
        change(lambda: registry.store("app", NEW, "latest")),
        skip=1,
        times=1,
    )
    moments: list[float] = []

    def gone(request):
        moments.append(asyncio.get_running_loop().time())
        return status(404, "BLOB_UNKNOWN")(request)

    registry.on("GET", f"/v2/app/blobs/{NEW_LAYER}", gone)
    assert await Watcher(registry, confirm_delay=5.0).findings() == [
        broken("app", "layer", NEW_LAYER, "latest")
    ]
    first, second = moments
    assert second - first >= 5.0


async def test_a_tag_deleted_between_listing_and_asking_is_no_finding():
    """The list was read before, the tag is gone when it is asked for; the other tag is still there."""
    registry = registry_of_old()
    registry.on("HEAD", manifest("app", "latest"), change(lambda: delete_tag(registry)), times=1)
    report = await Watcher(registry).walk()
    assert list(report.findings()) == []
    assert report.tags == 1
