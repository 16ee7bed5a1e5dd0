"""A cycle that looks like a storage outage is repeated before it is believed."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.integrity import IgnoreRule, Outcome
from sample import content as make
from tests.integrity.cycles import Watcher, cycle_over, findings
from tests.integrity.scripted import URL, ScriptedRegistry, blob, fail, manifest, status, tag_list

IMAGES = {f"app-{number}": make.image(f"app {number}", layers=2) for number in range(5)}  # 5 references each
LAYERS = [(name, layer.digest) for name, image in IMAGES.items() for layer in image.root.layers]
DELAY = 60.0


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    for name, image in IMAGES.items():
        registry.store(name, image, "latest")
    return registry


def lose(registry: ScriptedRegistry, number: int) -> Callable[[], None]:
    """Lose so many layers; return what brings them back."""
    lost = {key: registry.blobs.pop(key) for key in LAYERS[:number]}
    return lambda: registry.blobs.update(lost)


def forget(registry: ScriptedRegistry, number: int) -> Callable[[], None]:
    """Lose so many repositories; return what brings them back."""
    lost = {name: registry.tags.pop(name) for name in list(IMAGES)[:number]}
    return lambda: registry.tags.update(lost)


async def timed_walk(watcher: Watcher) -> tuple[list[str], float, int]:
    """Run a cycle; return the broken digests, how long it took, and how often the catalog was read."""
    loop, mark = asyncio.get_running_loop(), len(watcher.registry.asked)
    before = loop.time()
    found = findings(await watcher.walk())
    catalogs = watcher.registry.asked[mark:].count("GET /v2/_catalog")
    return [one.digest or "" for one in found], loop.time() - before, catalogs


@pytest.mark.parametrize(
    ("damage", "number", "suspect"),
    [
        (lose, 2, False),  # of 25 - 5 tags, 5 manifests that are no children, 5 configs, 10 layers: 20
        (lose, 3, True),
        (forget, 2, False),
        (forget, 3, True),
        (forget, 5, True),
    ],
    ids=["a tenth broken", "more than a tenth broken", "more than half left", "less than half", "none left"],
)
async def test_what_is_suspect_is_asked_a_second_time_after_the_delay(
    registry: ScriptedRegistry, damage, number: int, suspect: bool
):
    """What is not suspect is believed at once; what stands the second time is true."""
    watcher = Watcher(registry, confirm_delay=1.0, suspect_delay=DELAY)
    await watcher.walk()
    damage(registry, number)
    with capture_logs() as logs:
        broken, seconds, catalogs = await timed_walk(watcher)
    assert len(broken) == (number if damage is lose else 0)
    assert len(watcher.report.repositories) == (5 if damage is lose else 5 - number)
    assert catalogs == (2 if suspect else 1)
    assert (seconds >= DELAY) is suspect
    assert len(logs) == (1 if suspect else 0)


async def test_exactly_half_of_the_repositories_is_halved(registry: ScriptedRegistry):
    """Two of four."""
    registry.remove("app-4")
    watcher = Watcher(registry, suspect_delay=DELAY)
    await watcher.walk()
    forget(registry, 2)
    assert (await timed_walk(watcher))[2] == 2


@pytest.mark.parametrize(("damage", "number"), [(lose, 10), (forget, 5)])
async def test_what_has_passed_by_the_second_time_never_was(registry: ScriptedRegistry, damage, number: int):
    """An outage that heals within the delay leaves no trace in the report."""
    watcher = Watcher(registry, suspect_delay=DELAY)
    first = await watcher.walk()
    heal = damage(registry, number)
    catalogs = 0

    def heal_before_the_second(_: httpx.Request) -> None:
        nonlocal catalogs
        catalogs += 1
        if catalogs == 2:
            heal()

    registry.on("GET", "/v2/_catalog", heal_before_the_second)
    report = await watcher.walk()
    assert catalogs == 2
    assert findings(report) == []
    assert {name: one.checked for name, one in report.repositories.items()} == {
        name: one.checked for name, one in first.repositories.items()
    }


async def test_what_stands_is_compared_with_itself_from_then_on(registry: ScriptedRegistry):
    """The next cycle finds nothing new in it, so it is not suspect again."""
    watcher = Watcher(registry, suspect_delay=DELAY)
    await watcher.walk()
    lose(registry, 6)
    forget(registry, 3)
    assert (await timed_walk(watcher))[2] == 2
    assert (await timed_walk(watcher))[2] == 1


async def test_without_a_report_before_no_cycle_is_suspect(registry: ScriptedRegistry):
    """There is nothing to compare with."""
    lose(registry, 10)
    broken, seconds, catalogs = await timed_walk(Watcher(registry, confirm_delay=1.0, suspect_delay=DELAY))
    assert (len(broken), catalogs) == (10, 1)
    assert seconds < DELAY


async def test_after_nothing_but_failed_cycles_no_cycle_is_suspect(registry: ScriptedRegistry):
    """A report that has told nothing is none to compare with."""
    watcher = Watcher(registry, confirm_delay=1.0, suspect_delay=DELAY)
    end = registry.on("*", "/v2/_catalog", status(403))
    await watcher.walk()
    end()
    lose(registry, 10)
    broken, seconds, catalogs = await timed_walk(watcher)
    assert (len(broken), catalogs) == (10, 1)
    assert seconds < DELAY


async def test_a_new_registry_without_repositories_is_not_suspect():
    """Nothing out of nothing is no outage."""
    registry = ScriptedRegistry()
    watcher = Watcher(registry, suspect_delay=DELAY)
    for _ in range(3):
        assert await timed_walk(watcher) == ([], pytest.approx(0.0, abs=1.0), 1)


async def test_a_failed_cycle_is_not_suspect(registry: ScriptedRegistry):
    """A registry that is down is told otherwise, and at once."""
    watcher = Watcher(registry, suspect_delay=DELAY)
    await watcher.walk()
    registry.on("*", "/v2/_catalog", status(403))
    _, seconds, catalogs = await timed_walk(watcher)
    assert (catalogs, watcher.report.outcome) == (1, Outcome.FAILED)
    assert seconds < DELAY


async def test_errors_are_not_suspect(registry: ScriptedRegistry):
    """Only broken and vanished ones count: what could not be asked is no outage of the storage."""
    watcher = Watcher(registry, suspect_delay=DELAY)
    await watcher.walk()
    for name, digest in LAYERS:
        registry.on("*", blob(name, digest), status(403))
    for name in list(IMAGES)[:3]:
        registry.on("*", tag_list(name), status(403))
    assert (await timed_walk(watcher))[2] == 1


async def test_after_failed_cycles_the_last_known_repositories_count(registry: ScriptedRegistry):
    """A registry that comes back from an outage with an empty storage is suspect."""
    watcher = Watcher(registry, suspect_delay=DELAY)
    await watcher.walk()
    end = registry.on("*", "/v2/_catalog", fail(httpx.ConnectError))
    await watcher.walk()
    end()
    forget(registry, 5)
    assert (await timed_walk(watcher))[2] == 2


async def test_when_the_second_time_fails_what_was_known_is_kept(registry: ScriptedRegistry):
    """A suspect cycle that cannot be repeated does not replace anything."""
    watcher = Watcher(registry, suspect_delay=DELAY)
    first = await watcher.walk()
    lose(registry, 10)
    registry.on("*", "/v2/_catalog", status(403), skip=1)
    report = await watcher.walk()
    assert report.outcome is Outcome.FAILED
    assert findings(report) == []
    assert {name: one.checked for name, one in report.repositories.items()} == {
        name: one.checked for name, one in first.repositories.items()
    }


async def test_a_tag_that_moves_to_what_was_broken_already_is_not_newly_broken(registry: ScriptedRegistry):
    """What is known to be broken may break further tags without a second look."""
    watcher = Watcher(registry, suspect_delay=DELAY)
    lose(registry, 6)
    await watcher.walk()
    for name, image in IMAGES.items():
        registry.tags[name]["v1"] = image.digest
    assert (await timed_walk(watcher))[2] == 1
    registry.on("*", manifest("app-0", "v1"), status(404, "MANIFEST_UNKNOWN"))
    assert (await timed_walk(watcher))[2] == 1


async def test_what_a_rule_hid_is_not_newly_broken(registry: ScriptedRegistry):
    """It was known all the time, though not told."""
    lose(registry, 5)
    hiding = cycle_over(URL, registry, ignore=(IgnoreRule(),))
    known = await hiding.run(None)
    mark = len(registry.asked)
    report = await cycle_over(URL, registry).run(known)
    assert len(findings(report)) == 5
    assert registry.asked[mark:].count("GET /v2/_catalog") == 1


async def test_a_configured_list_whose_tags_are_gone_is_suspect_and_counts_no_repository(
    registry: ScriptedRegistry,
):
    """The list stays as long as it was when the storage is not mounted; what it lists has no tag any more."""
    watcher = Watcher(registry, suspect_delay=DELAY, repositories=tuple(IMAGES))
    assert (await watcher.walk()).repositories_at_success == 5
    forget(registry, 5)
    loop, mark = asyncio.get_running_loop(), len(registry.asked)
    began = loop.time()
    with capture_logs() as logs:
        report = await watcher.walk()
    assert loop.time() - began >= DELAY
    assert registry.asked[mark:].count("GET /v2/") == 2
    assert (len(report.repositories), report.repositories_at_success) == (5, 0)
    assert [(line["event"], line.get("why"), line.get("number")) for line in logs] == [
        ("configured repositories have no tag: misspelt, empty, or their storage is gone", None, 5),
        ("suspect cycle, repeated before it is believed", "0 repositories with tags instead of 5", None),
        ("configured repositories have no tag: misspelt, empty, or their storage is gone", None, 5),
    ]
