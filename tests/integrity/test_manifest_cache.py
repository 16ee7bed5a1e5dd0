"""A manifest is fetched once, then asked for by HEAD, and fetched again before a day is over."""

import asyncio

import httpx
import pytest

from exporter.integrity.manifests import ManifestCache
from exporter.oci import Digest, Manifest
from exporter.registry import Purpose
from sample import content as make
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, change, fail, manifest, status

INDEX = make.multi_platform("app", layers=1)
CHILD = INDEX.manifests[0]
DAY = 86400.0


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest")
    return registry


def fetched(registry: ScriptedRegistry, mark: int = 0) -> list[str]:
    """The manifests that were asked for by GET since, as digests or tags."""
    return sorted(
        asked.rpartition("/")[2]
        for asked in registry.asked[mark:]
        if asked.startswith("GET") and "/manifests/" in asked
    )


ALL = sorted(one.digest for one in INDEX.manifests)


async def test_the_first_cycle_fetches_every_manifest_and_the_second_none(registry: ScriptedRegistry):
    """Each once a repository, by digest."""
    watcher = Watcher(registry)
    await watcher.walk()
    assert fetched(registry) == ALL
    mark = len(registry.asked)
    await watcher.walk()
    assert fetched(registry, mark) == []
    assert sum("/manifests/sha256:" in asked for asked in registry.asked[mark:]) == len(ALL)


async def test_a_repository_is_not_trusted_on_the_word_of_another(registry: ScriptedRegistry):
    """Each is asked for the body once, since not every registry stores it once."""
    watcher = Watcher(registry)
    await watcher.walk()
    mark = len(registry.asked)
    registry.store("web", INDEX, "latest")
    await watcher.walk()
    assert [asked for asked in registry.asked[mark:] if asked.startswith("GET /v2/app/manifests")] == []
    assert fetched(registry, mark) == ALL


async def test_within_a_day_each_is_fetched_again_once_and_counted_apart(registry: ScriptedRegistry):
    """Spread over the second half of the interval, on top of the floor."""
    watcher = Watcher(registry, refetch_interval=DAY)
    first = await watcher.walk()
    counts = []
    for _ in range(24):
        await asyncio.sleep(DAY / 24)
        mark = len(registry.asked)
        report = await watcher.walk()
        assert report.requests == first.requests
        assert report.extra_requests[Purpose.REFETCH] == len(fetched(registry, mark))
        counts.append(len(fetched(registry, mark)))
    assert sum(counts[:11]) == 0
    assert sum(counts) == len(ALL)


def test_refetching_is_spread_over_half_of_the_interval():
    """No hour of the day fetches everything again."""
    cache = ManifestCache(1000.0)
    digests = [Digest.of(str(number).encode()) for number in range(1000)]
    for digest in digests:
        cache.remember("app", digest, Manifest("a/b", 1), now=0.0)
    due = [sum(cache.due("app", digest, now) for digest in digests) for now in (499.0, 600.0, 750.0, 1000.0)]
    assert due[0] == 0
    assert 150 < due[1] < 250
    assert 450 < due[2] < 550
    assert due[3] == 1000


async def test_bit_rot_of_a_manifest_is_found_when_it_is_fetched_again(registry: ScriptedRegistry):
    """HEAD does not hash: until then it looks whole."""
    watcher = Watcher(registry, refetch_interval=DAY, suspect_delay=0.0)
    await watcher.walk()
    rotten = CHILD.data.replace(CHILD.config.digest[-8:].encode(), b"deadbeef")
    registry.manifests["app", CHILD.digest] = (rotten, CHILD.media_type)
    assert len(rotten) == len(CHILD.data)
    assert await watcher.findings() == []
    await asyncio.sleep(DAY)
    expected = [broken("app", "child", CHILD.digest, "latest", reason="digest_mismatch")]
    assert await watcher.findings() == expected
    assert await watcher.findings() == expected
    registry.store("app", INDEX)
    assert await watcher.findings() == []


@pytest.mark.parametrize(
    "action", [status(403), status(500), fail(httpx.ReadTimeout)], ids=["403", "500", "timeout"]
)
async def test_a_refetch_that_fails_is_tried_again_and_leaves_what_is_known(
    registry: ScriptedRegistry, action
):
    """The body could not be had: unverified and stale, and what is below it is asked for all the same."""
    watcher = Watcher(registry, refetch_interval=DAY)
    first = await watcher.walk()
    await asyncio.sleep(DAY)
    end = registry.on("GET", manifest("app", CHILD.digest), action)
    report = await watcher.walk()
    assert [(one.kind, one.verdict, one.digest) for one in findings(report)] == [
        ("child", "unverified", CHILD.digest)
    ]
    assert report.checked == first.checked
    end()
    mark = len(registry.asked)
    assert await watcher.findings() == []
    assert fetched(registry, mark) == [CHILD.digest]


async def test_a_length_that_changed_is_seen_by_head(registry: ScriptedRegistry):
    """And confirmed by fetching: the body decides."""
    watcher = Watcher(registry, suspect_delay=0.0)
    await watcher.walk()
    registry.manifests["app", CHILD.digest] = (CHILD.data + b"\n", CHILD.media_type)
    assert await watcher.findings() == [
        broken("app", "child", CHILD.digest, "latest", reason="digest_mismatch")
    ]


async def test_what_was_broken_is_fetched_when_it_is_back(registry: ScriptedRegistry):
    """It is not trusted any more."""
    watcher = Watcher(registry, suspect_delay=0.0)
    await watcher.walk()
    del registry.manifests["app", CHILD.digest]
    await watcher.walk()
    registry.store("app", INDEX)
    mark = len(registry.asked)
    assert await watcher.findings() == []
    assert fetched(registry, mark) == [CHILD.digest]


async def test_what_is_gone_is_forgotten(registry: ScriptedRegistry):
    """An image whose tag was deleted, and a repository that is gone, leave nothing in memory."""
    other = make.image("other")
    registry.store("app", other, "other")
    registry.store("web", other, "latest")
    registry.store("web2", make.image("third"), "latest")
    watcher = Watcher(registry)
    cache = watcher.cycle._cache
    await watcher.walk()
    assert {Digest(one.digest) for one in INDEX.manifests} <= set(cache._manifests)
    del registry.tags["app"]["latest"]
    registry.remove("web2")
    await watcher.walk()
    assert set(cache._manifests) == {other.digest}
    assert {name: set(known) for name, known in cache._due.items()} == {
        "app": {other.digest},
        "web": {other.digest},
    }


async def test_a_repository_that_could_not_be_walked_keeps_what_is_remembered(registry: ScriptedRegistry):
    """After an outage of the registry nothing has to be fetched again."""
    watcher = Watcher(registry)
    await watcher.walk()
    for path in (
        "/v2/_catalog",
        "/v2/app/tags/list",
        manifest("app", "latest"),
        manifest("app", INDEX.digest),
    ):
        end = registry.on("*", path, status(403))
        await watcher.walk()
        end()
        mark = len(registry.asked)
        await watcher.walk()
        assert fetched(registry, mark) == [], path


async def test_the_content_is_kept_once_for_all_repositories(registry: ScriptedRegistry):
    """Memory grows with what is distinct."""
    for number in range(5):
        registry.store(f"app-{number}", INDEX, "latest")
    watcher = Watcher(registry)
    await watcher.walk()
    assert set(watcher.cycle._cache._manifests) == set(ALL)


async def test_a_manifest_that_a_moved_tag_led_to_is_remembered_too(registry: ScriptedRegistry):
    """What was met while confirming counts as met."""
    other = make.image("other", layers=1)
    del registry.blobs["app", CHILD.config.digest]
    registry.on(
        "HEAD",
        manifest("app", "latest"),
        change(lambda: registry.store("app", other, "latest")),
        skip=1,
        times=1,
    )
    watcher = Watcher(registry)
    assert await watcher.findings() == []
    mark = len(registry.asked)
    assert await watcher.findings() == []
    assert fetched(registry, mark) == []


async def test_an_unverified_manifest_is_asked_for_by_head_while_it_is_known(registry: ScriptedRegistry):
    """An error does not make it forgotten."""
    watcher = Watcher(registry)
    await watcher.walk()
    end = registry.on("*", manifest("app", CHILD.digest), status(403))
    assert await watcher.findings() == [
        unverified("app", "child", CHILD.digest, "latest", reason="forbidden")
    ]
    end()
    mark = len(registry.asked)
    assert await watcher.findings() == []
    assert fetched(registry, mark) == []
