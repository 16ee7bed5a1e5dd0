"""A manifest is fetched once, then asked for by HEAD, and fetched again before a day is over."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.integrity.compact import compact_digest
from exporter.integrity.manifests import ManifestCache, MetManifests
from exporter.integrity.report import RepositoryReport
from exporter.integrity.walk import RepositoryWalk
from exporter.oci import Descriptor, Digest, Manifest
from exporter.registry import Purpose
from sample import content as make
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, change, fail, manifest, status, tag_list
from tests.integrity.turns import turns_during

INDEX = make.multi_platform("app", layers=1)
CHILD = INDEX.manifests[0]
CHILD_DIGEST = Digest(CHILD.digest)
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
    assert {compact_digest(Digest(one.digest)) for one in INDEX.manifests} <= set(cache._contents)
    del registry.tags["app"]["latest"]
    registry.remove("web2")
    await watcher.walk()
    left = compact_digest(Digest(other.digest))
    assert set(cache._contents) == {left}
    assert {name: set(known) for name, known in cache._due.items()} == {"app": {left}, "web": {left}}
    assert cache.taken == 2


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
    assert set(watcher.cycle._cache._contents) == {compact_digest(Digest(digest)) for digest in ALL}


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


def stored(number: int) -> str:
    """A repository of which there are as many as one likes."""
    return f"app-{number}"


@pytest.fixture
def crowd() -> ScriptedRegistry:
    """Ten repositories, each with an image of its own."""
    registry = ScriptedRegistry()
    for number in range(10):
        registry.store(stored(number), make.image(stored(number), layers=1), "latest")
    return registry


async def test_what_there_is_room_for_stays_and_the_rest_is_refused(crowd: ScriptedRegistry):
    """Making room for newcomers would, in a walk that comes by all of them, miss every time."""
    watcher = Watcher(crowd, manifest_cache_size=6)
    first = await watcher.walk()
    assert (first.manifests_remembered, first.manifests_refused) == (6, 4)
    for _ in range(3):
        mark = len(crowd.asked)
        report = await watcher.walk()
        assert len(fetched(crowd, mark)) == 4
        assert (report.manifests_remembered, report.manifests_refused) == (6, 4)
        assert (report.requests, report.checked) == (first.requests, first.checked)


async def test_what_is_gone_makes_room(crowd: ScriptedRegistry):
    """By the end of the cycle that did not see it any more."""
    watcher = Watcher(crowd, manifest_cache_size=6, suspect_delay=0.0)
    await watcher.walk()
    remembered = sorted(watcher.cycle._cache._due)
    for name in remembered[:4]:
        crowd.remove(name)
    await watcher.walk()
    assert (await watcher.walk()).manifests_refused == 0
    mark = len(crowd.asked)
    assert (await watcher.walk()).manifests_remembered == 6
    assert fetched(crowd, mark) == []


async def test_a_full_cache_is_told_once_and_again_after_there_was_room(crowd: ScriptedRegistry):
    """Not in every cycle."""
    watcher = Watcher(crowd, manifest_cache_size=9)
    with capture_logs() as logs:
        await watcher.walk()
        await watcher.walk()
        crowd.remove(stored(0))
        await watcher.walk()
        await watcher.walk()
        crowd.store(stored(0), make.image(stored(0), layers=1), "latest")
        await watcher.walk()
    told = {
        "event": "no room to remember all manifests: those left out are fetched in every cycle",
        "log_level": "warning",
        "registry": "registry",
        "number": 1,
        "manifest_cache_size": 9,
    }
    assert logs == [told, told]


async def test_room_is_taken_by_what_is_remembered_and_by_how_long_it_is():
    """A manifest of thousands of layers is not one of many."""
    layers = tuple(Descriptor(CHILD_DIGEST, "a/b", size) for size in range(250))
    cache = ManifestCache(DAY, size=5)
    cache.remember("app", Digest.of(b"long"), Manifest("a/b", 1, layers=layers), now=0.0)
    assert (cache.taken, cache.refuses, cache.refused) == (3, False, 0)
    cache.remember("web", Digest.of(b"long"), Manifest("a/b", 1, layers=layers), now=0.0)
    cache.remember("web", Digest.of(b"longer"), Manifest("a/b", 1, layers=layers), now=0.0)
    assert (cache.taken, cache.refuses, cache.refused) == (4, False, 1)
    cache.remember("web", Digest.of(b"short"), Manifest("a/b", 1), now=0.0)
    assert (cache.taken, cache.refuses, cache.refused) == (5, True, 1)
    cache.remember("web", Digest.of(b"short"), Manifest("a/b", 1), now=0.0)
    assert (cache.taken, cache.refused) == (5, 1), "it is known"
    cache.forget("web", Digest.of(b"short"))
    cache.forget("web", Digest.of(b"unknown"))
    assert cache.taken == 4
    cache.keep("web", [])
    assert cache.taken == 4
    await cache.keep_repositories(["app", "web"])
    assert cache.taken == 3
    await cache.keep_repositories([])
    assert cache.taken == 0


async def test_it_refuses_until_a_cycle_has_refused_nothing():
    """What had no room in the last cycle has none in the next, and is not new there."""
    cache = ManifestCache(DAY, size=2)
    layers = tuple(Descriptor(CHILD_DIGEST, "a/b", size) for size in range(250))
    seen = [cache.refuses]
    for manifest_ in (Manifest("a/b", 1, layers=layers), Manifest("a/b", 1), Manifest("a/b", 1)):
        cache.remember("app", Digest.of(b"app"), manifest_, now=0.0)
        await cache.keep_repositories(["app"])
        seen.append(cache.refuses)
    assert (seen, cache.taken, cache.refused) == ([False, True, False, False], 1, 1)


async def test_others_have_their_turns_while_all_that_is_remembered_is_gone_through():
    """Half a million manifests would hold up a scrape for longer than it may take."""
    cache = ManifestCache(DAY)
    digests = [Digest.of(str(number).encode()) for number in range(5000)]
    for digest in digests:
        cache.remember("app" if digest < digests[0] else "web", digest, Manifest("a/b", 1), now=0.0)

    _, turns = await turns_during(cache.keep_repositories(["web"]))
    assert turns >= 5
    left = [digest for digest in digests if cache.get("web", digest) is not None]
    assert left == [digest for digest in digests if digest >= digests[0]]
    assert cache.taken == len(left)
    assert len(cache._contents) == len(left)


def test_what_was_forgotten_meanwhile_is_fetched_again():
    """The same manifest may be asked for in two ways at once, of which one finds it lost."""
    cache = ManifestCache(DAY)
    cache.remember("app", CHILD_DIGEST, Manifest("a/b", 1), now=0.0)
    assert not cache.due("app", CHILD_DIGEST, 1.0)
    cache.forget("app", CHILD_DIGEST)
    assert cache.due("app", CHILD_DIGEST, 1.0)
    assert cache.due("web", CHILD_DIGEST, 1.0)


@pytest.mark.parametrize("size", [0, 500_000])
async def test_a_walk_keeps_no_manifest_as_an_object(size: int, registry: ScriptedRegistry):
    """The objects of a repository with a hundred thousand references would take a hundred megabytes."""
    left: list[int] = []

    def count(walk: RepositoryWalk, _: RepositoryReport) -> None:
        assert all(Digest(one.digest) in walk.graph.manifests for one in INDEX.manifests)
        left.append(sum(isinstance(one, Manifest | Descriptor) for one in gc.get_objects()))

    before = sum(isinstance(one, Manifest | Descriptor) for one in gc.get_objects())
    watcher = Watcher(registry, manifest_cache_size=size, notice_walk=count)
    await watcher.walk()
    await watcher.walk()
    assert left == [before, before]


def test_what_is_remembered_is_kept_once_and_read_as_it_was_met():
    """A walk has its own only of what is not remembered, or is read in another way here."""
    cache, other_type = ManifestCache(DAY, size=1), Manifest("c/d", 1)
    known, unknown = (Manifest("a/b", 1, layers=(Descriptor(CHILD_DIGEST, "a/b", size),)) for size in (1, 2))
    digest, other = Digest.of(b"known"), Digest.of(b"unknown")
    cache.remember("app", digest, known, now=0.0)
    met = MetManifests(cache)
    assert (digest in met, met.get(digest)) == (False, None)
    met.add(digest, known)
    met.add(other, unknown)
    assert (met.get(digest), met.get(other)) == (known, unknown)
    assert (digest in met, other in met) == (True, True)
    assert met._remembered[digest] is cache._contents[compact_digest(digest)]
    for otherwise in (other_type, replace(known, size=2)):
        met.add(digest, otherwise)
        assert (met.get(digest), cache.get("app", digest), digest in met) == (otherwise, known, True)
    met.add(digest, known)
    assert (met.get(digest), set(met._own)) == (known, {other})
    cache.forget("app", digest)
    cache.keep("app", [])
    assert met.get(digest) == known


@pytest.mark.parametrize("size", [0, 500_000])
async def test_what_is_not_remembered_is_judged_alike(size: int, registry: ScriptedRegistry):
    """What could not be asked of it is stale, and later broken, as of any other."""
    watcher = Watcher(registry, manifest_cache_size=size, suspect_delay=0.0)
    await watcher.walk()
    end = registry.on("*", blob("app", CHILD.config.digest), status(403))
    report = await watcher.walk()
    assert findings(report) == [
        unverified("app", "config", CHILD.config.digest, "latest", reason="forbidden")
    ]
    assert report.repositories["app"].stale == 1
    end()
    del registry.blobs["app", CHILD.config.digest]
    assert await watcher.findings() == [broken("app", "config", CHILD.config.digest, "latest")]
    end = registry.on("*", blob("app", CHILD.config.digest), status(403))
    assert [finding.stale for finding in (await watcher.walk()).findings()] == [True]


async def test_a_long_manifest_that_has_no_room_is_judged_alike():
    """There is room for others, but not for this one: what it leads to has an earlier verdict, too."""
    registry = ScriptedRegistry()
    registry.store("app", make.image("short"), "short")
    layers = [make.layer(str(number)) for number in range(250)]
    long = by_hand.image(*[layer.descriptor() for layer in layers])
    content = by_hand.content(long, blobs={layer.digest: layer.data for layer in layers})
    registry.store("app", content, "long")
    watcher = Watcher(registry, manifest_cache_size=2)
    for _ in range(2):
        report = await watcher.walk()
        assert (report.manifests_remembered, report.manifests_refused) == (1, 1)
    registry.on("*", blob("app", layers[100].digest), status(403))
    for _ in range(2):
        report = await watcher.walk()
        assert findings(report) == [
            unverified("app", "layer", layers[100].digest, "long", reason="forbidden")
        ]
        assert report.repositories["app"].stale == 1


def empty_catalog(registry: ScriptedRegistry) -> None:
    """Answer once as if there were no repositories."""
    registry.on("GET", "/v2/_catalog", _answer(b'{"repositories": []}'), times=1)


def no_tags(registry: ScriptedRegistry) -> None:
    """Answer once as if no repository had tags."""
    for name in registry.tags:
        registry.on("GET", tag_list(name), status(404, "NAME_UNKNOWN"), times=1)


def few_tags(registry: ScriptedRegistry) -> None:
    """Answer once as if there were one repository, with one tag."""
    registry.on("GET", tag_list("app"), _answer(b'{"tags": ["v0"]}'), times=1)
    registry.on("GET", "/v2/_catalog", _answer(b'{"repositories": ["app"]}'), times=1)


def _answer(body: bytes) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(200, stream=httpx.ByteStream(body))


@pytest.mark.parametrize("outage", [empty_catalog, no_tags, few_tags])
async def test_what_is_not_believed_makes_nothing_forgotten(
    outage: Callable[[ScriptedRegistry], None], registry: ScriptedRegistry
):
    """A short outage of the storage must not make a whole registry be fetched again."""
    registry.store("web", make.image("web"), "latest")
    registry.store("app", make.image("first"), "v0")
    watcher = Watcher(registry)
    first = await watcher.walk()
    mark = len(registry.asked)
    outage(registry)
    registry.on("*", blob("app", CHILD.config.digest), status(403))
    report = await watcher.walk()
    assert fetched(registry, mark) == []
    assert findings(report) == [
        unverified("app", "config", CHILD.config.digest, "latest", reason="forbidden")
    ]
    assert report.repositories["app"].stale == 1
    assert (report.tags, report.manifests_remembered) == (first.tags, first.manifests_remembered) == (3, 5)


async def test_what_was_not_believed_and_cannot_be_walked_again_is_not_forgotten(registry: ScriptedRegistry):
    """The repeat finds the repositories back, but may not list one of them."""
    registry.store("web", make.image("web"), "latest")
    registry.store("app", make.image("first"), "v0")
    watcher = Watcher(registry)
    remembered = (await watcher.walk()).manifests_remembered
    few_tags(registry)
    registry.on("GET", tag_list("app"), status(403), times=1)
    report = await watcher.walk()
    assert (report.repositories["app"].walked, report.manifests_remembered) == (False, remembered)


async def test_what_a_tag_that_is_broken_for_good_led_to_is_forgotten(crowd: ScriptedRegistry):
    """Whatever is left of its repository makes room for others."""
    for number in range(1, 10):
        crowd.store(stored(0), make.image(str(number)), f"v{number}")
    watcher = Watcher(crowd, suspect_delay=0.0)
    assert (await watcher.walk()).manifests_remembered == 19
    crowd.tags[stored(0)] = {"latest": crowd.tags[stored(0)]["latest"]}
    for method in ("HEAD", "GET"):
        crowd.on(method, manifest(stored(0), "latest"), status(404, "MANIFEST_UNKNOWN"))
    report = await watcher.walk()
    assert findings(report) == [broken(stored(0), "tag", None, "latest")]
    assert report.manifests_remembered == 9


@pytest.mark.parametrize("lost", [["latest"], ["latest", "v1"]])
async def test_what_turns_out_to_be_gone_is_forgotten(lost: list[str], registry: ScriptedRegistry):
    """With the second walk, which is believed; of a repository that is left without tags all of it."""
    other = make.image("other")
    registry.store("app", other, "v1")
    watcher = Watcher(registry, suspect_delay=0.0)
    await watcher.walk()
    for tag in lost:
        del registry.tags["app"][tag]
    report = await watcher.walk()
    assert report.manifests_remembered == len(watcher.cycle._cache._contents) == 2 - len(lost)
