"""Nothing is reported as broken before it was asked for again, and what that finds out counts."""

import asyncio

import pytest

from exporter.registry import Purpose
from sample import content as make
from tests.integrity.cycles import Watcher
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, manifest, status, tag_list

INDEX = make.multi_platform("app", layers=1)
ROOT = INDEX.digest
CHILD = INDEX.manifests[0].digest
CONFIG = INDEX.manifests[0].config.digest
LAYER = INDEX.manifests[0].layers[0].digest
FOREIGN = b"<html>not here</html>"


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest", "v1")
    return registry


@pytest.mark.parametrize(
    "path",
    [manifest("app", "latest"), manifest("app", ROOT), manifest("app", CHILD), blob("app", CONFIG)],
    ids=["tag", "root", "child", "blob"],
)
@pytest.mark.parametrize("answer", [404, 416], ids=str)
async def test_what_has_healed_when_asked_again_is_no_finding(
    registry: ScriptedRegistry, path: str, answer: int
):
    """One wrong answer, of whatever reference, is forgotten when the next is right."""
    registry.on("*", path, status(answer, "MANIFEST_UNKNOWN"), times=1)
    assert await Watcher(registry).findings() == []


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        (manifest("app", "v1"), broken("app", "tag", None, "v1")),
        (manifest("app", CHILD), broken("app", "child", CHILD, "latest", "v1")),
        (blob("app", CONFIG), broken("app", "config", CONFIG, "latest", "v1")),
        (blob("app", LAYER), broken("app", "layer", LAYER, "latest", "v1")),
    ],
    ids=["tag", "child", "config", "layer"],
)
async def test_what_stays_broken_was_asked_for_twice_the_second_time_by_get(
    registry: ScriptedRegistry, path: str, finding
):
    """A finding rests on an answer of the walk and on a later GET, with the tags listed in between."""
    registry.on("*", path, status(404, "BLOB_UNKNOWN"))
    report = await Watcher(registry).walk()
    assert [one.detail for one in report.findings()] == [
        f"GET {path} answered 404 BLOB_UNKNOWN",
    ]
    assert await Watcher(registry).findings() == [finding]
    lists = [number for number, asked in enumerate(registry.asked) if asked == f"GET {tag_list('app')}"]
    first, second = (
        [asked for asked in registry.asked[start:end] if path in asked]
        for start, end in ((0, lists[1]), (lists[1], lists[2]))
    )
    assert len(first) == 1
    assert second[-1].startswith("GET")


async def test_every_tag_that_leads_to_a_suspect_is_resolved_again(registry: ScriptedRegistry):
    """Confirmation costs one tag list, each such tag and each suspect, and is counted apart."""
    registry.store("app", make.image("other"), "other")
    del registry.blobs["app", LAYER]
    report = await Watcher(registry).walk()
    again = len(registry.asked) - report.requests
    assert sorted(registry.asked[-again:]) == sorted(
        [
            f"GET {tag_list('app')}",
            f"HEAD {manifest('app', 'latest')}",
            f"HEAD {manifest('app', 'v1')}",
            f"GET {blob('app', LAYER)} bytes=63-63",
        ]
    )
    assert report.extra_requests == dict.fromkeys(report.extra_requests, 0) | {Purpose.CONFIRMATION: again}


@pytest.mark.parametrize("delay", [0.0, 5.0, 3600.0])
async def test_the_delay_is_waited_for(registry: ScriptedRegistry, delay: float):
    """The second asking comes at least `confirm_delay` after the first, and not much later."""
    loop = asyncio.get_running_loop()
    moments: list[float] = []

    def gone(request):
        moments.append(loop.time())
        return status(404, "BLOB_UNKNOWN")(request)

    registry.on("*", blob("app", LAYER), gone)
    await Watcher(registry, confirm_delay=delay).walk()
    first, second = moments
    assert delay <= second - first < delay + 1.0


async def test_an_intact_registry_is_not_waited_for(registry: ScriptedRegistry):
    """Without a suspect there is nothing to confirm."""
    before = asyncio.get_running_loop().time()
    await Watcher(registry, confirm_delay=3600.0).walk()
    assert asyncio.get_running_loop().time() - before < 1.0


@pytest.mark.parametrize(
    ("path", "finding"),
    [
        (manifest("app", "v1"), unverified("app", "tag", None, "v1", reason="protocol")),
        (manifest("app", CHILD), unverified("app", "child", CHILD, "latest", "v1", reason="protocol")),
        (blob("app", LAYER), unverified("app", "layer", LAYER, "latest", "v1", reason="protocol")),
    ],
    ids=["tag", "child", "layer"],
)
async def test_a_foreign_404_is_unverified(registry: ScriptedRegistry, path: str, finding):
    """A proxy's page is no registry's word: only an error code of the specification says missing."""
    registry.on("*", path, status(404, body=FOREIGN))
    assert await Watcher(registry).findings() == [finding]


async def test_a_foreign_404_to_head_only_shows_when_asked_again(registry: ScriptedRegistry):
    """HEAD has no body; the GET of the confirmation has, and decides."""
    watcher = Watcher(registry)
    await watcher.walk()
    registry.on("*", manifest("app", CHILD), status(404, body=FOREIGN))
    assert await watcher.findings() == [unverified("app", "child", CHILD, "latest", "v1", reason="protocol")]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(401, "unauthorized"), (403, "forbidden"), (429, "rate_limited"), (503, "server_error")],
)
@pytest.mark.parametrize("kind", ["child", "layer"])
async def test_what_cannot_be_confirmed_is_unverified(
    registry: ScriptedRegistry, kind: str, answer: int, reason: str
):
    """Broken once and then an error is an error: it is not known which of the two answers was wrong."""
    digest = {"child": CHILD, "layer": LAYER}[kind]
    path = (manifest if kind == "child" else blob)("app", digest)
    registry.on("*", path, status(404, "BLOB_UNKNOWN"), times=1)
    registry.on("*", path, status(answer))
    assert await Watcher(registry).findings() == [
        unverified("app", kind, digest, "latest", "v1", reason=reason)
    ]


async def test_tags_that_cannot_be_listed_again_leave_the_suspects_unverified(registry: ScriptedRegistry):
    """Nothing is broken unless its tags are known to be there still."""
    del registry.blobs["app", LAYER]
    registry.on("GET", tag_list("app"), status(403), skip=1)
    assert await Watcher(registry).findings() == [
        unverified("app", "layer", LAYER, "latest", "v1", reason="forbidden")
    ]


async def test_a_tag_that_cannot_be_resolved_again_leaves_its_suspects_out(registry: ScriptedRegistry):
    """It is itself unverified then; the suspects stay broken for the other tag only."""
    del registry.blobs["app", LAYER]
    registry.on("HEAD", manifest("app", "v1"), status(403), skip=1)
    assert await Watcher(registry).findings() == [
        broken("app", "layer", LAYER, "latest"),
        unverified("app", "tag", None, "v1", reason="forbidden"),
    ]


async def test_a_child_that_comes_back_is_followed(registry: ScriptedRegistry):
    """What turns out intact only when asked again is walked as well, and what is broken in it confirmed."""
    del registry.blobs["app", LAYER]
    registry.on("GET", manifest("app", CHILD), status(404, "MANIFEST_UNKNOWN"), times=1)
    assert await Watcher(registry).findings() == [broken("app", "layer", LAYER, "latest", "v1")]


async def test_where_no_head_finds_anything_what_get_finds_counts(registry: ScriptedRegistry):
    """In every cycle, though each step down brings new suspects: a tag is not asked by HEAD in between."""
    paths = [manifest("app", one.digest) for one in INDEX.manifests] + [
        blob("app", digest) for digest in INDEX.blobs
    ]
    for path in (manifest("app", "latest"), manifest("app", "v1"), *paths):
        registry.on("HEAD", path, status(404, "MANIFEST_UNKNOWN"))
    watcher = Watcher(registry, suspect_delay=0.0)
    for _ in range(3):
        assert await watcher.findings() == []
    del registry.blobs["app", LAYER]
    assert await watcher.findings() == [broken("app", "layer", LAYER, "latest", "v1")]


async def test_what_changes_whenever_it_is_asked_is_unverified(registry: ScriptedRegistry):
    """A tag that moves with every look, each time to something broken, does not keep the walk for ever."""
    images = [make.image(f"moving {number}", layers=1) for number in range(20)]
    for image in images:
        registry.store("app", image)
        del registry.blobs["app", image.root.layers[0].digest]
    upcoming = iter(images)

    def move(_):
        registry.tags["app"]["latest"] = next(upcoming).digest

    registry.on("HEAD", manifest("app", "latest"), move)
    assert [(one.kind, one.verdict, one.reason, one.tags) for one in await Watcher(registry).findings()] == [
        ("layer", "unverified", "protocol", ("latest",))
    ]
