"""Content whose media type does not tell where it is: looked for as a blob, then as a manifest."""

import asyncio

import pytest

from sample import content as make
from sample import media_types
from sample.content import Blob, Manifest
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.model import ExpectedFinding
from tests.integrity.scripted import ScriptedRegistry, blob, manifest, status

UNKNOWN = "application/vnd.example.thing"
THING = Blob(make.noise("thing"), UNKNOWN)
CHILD = make.image("child", layers=1)
LAYER = CHILD.root.layers[0].digest
DAY = 86400.0


def registry_with(root: Manifest) -> ScriptedRegistry:
    """A repository whose tag leads to this; what it lists is for the test to store."""
    registry = ScriptedRegistry()
    registry.store("app", by_hand.content(root), "latest")
    return registry


async def second_cycle(watcher: Watcher) -> list[str]:
    """The requests of a cycle after the first, below the tags."""
    await watcher.walk()
    mark = len(watcher.registry.asked)
    await watcher.walk()
    return [asked for asked in watcher.registry.asked_since(mark) if "sha256:" in asked]


async def test_an_entry_that_is_a_blob_is_a_layer():
    """Found at the first asking, its last byte read."""
    root = by_hand.index(THING.descriptor())
    registry = registry_with(root)
    registry.blobs["app", THING.digest] = THING.data
    watcher = Watcher(registry)
    report = await watcher.walk()
    assert findings(report) == []
    assert report.checked == {"tag": 1, "child": 0, "config": 0, "layer": 1}
    assert await second_cycle(watcher) == [
        f"GET {blob('app', THING.digest)} bytes=63-63",
        f"HEAD {manifest('app', root.digest)}",
    ]


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "size_mismatch"), (THING.data[:-1], "size_mismatch")], ids=["empty", "short"]
)
async def test_an_entry_that_is_a_broken_blob_is_a_broken_layer(data: bytes, reason: str):
    """A blob of the wrong length is a blob."""
    registry = registry_with(by_hand.index(THING.descriptor()))
    registry.blobs["app", THING.digest] = data
    assert await Watcher(registry).findings() == [
        broken("app", "layer", THING.digest, "latest", reason=reason)
    ]


def entry_for_child() -> dict[str, object]:
    return {**CHILD.root.descriptor(), "mediaType": UNKNOWN}


async def test_an_entry_that_is_a_manifest_is_a_child():
    """It is followed, and what is broken below it found."""
    registry = registry_with(by_hand.index(entry_for_child()))
    registry.store("app", CHILD)
    report = await Watcher(registry).walk()
    assert findings(report) == []
    assert report.checked == {"tag": 1, "child": 1, "config": 1, "layer": 1}
    del registry.blobs["app", LAYER]
    assert await Watcher(registry).findings() == [broken("app", "layer", LAYER, "latest")]


async def test_a_later_cycle_asks_for_it_by_head():
    """It is remembered where it was found: no manifest is fetched again, nothing is looked for twice."""
    root = by_hand.index(entry_for_child())
    registry = registry_with(root)
    registry.store("app", CHILD)
    last = CHILD.root.config.size - 1
    assert await second_cycle(Watcher(registry)) == sorted(
        [
            f"HEAD {manifest('app', root.digest)}",
            f"HEAD {manifest('app', CHILD.digest)}",
            f"GET {blob('app', CHILD.root.config.digest)} bytes={last}-{last}",
            f"GET {blob('app', LAYER)} bytes=63-63",
        ]
    )


async def test_an_error_below_it_from_the_first_is_not_stale():
    """It was met for the first time, and so was all that is below it."""
    registry = registry_with(by_hand.index(entry_for_child()))
    registry.store("app", CHILD)
    registry.on("*", blob("app", LAYER), status(403))
    report = await Watcher(registry).walk()
    assert findings(report) == [unverified("app", "layer", LAYER, "latest", reason="forbidden")]
    assert report.repositories["app"].stale == 0


async def test_an_error_for_what_was_found_before_is_stale():
    """It keeps its verdict, and what is below it is asked for all the same."""
    registry = registry_with(by_hand.index(entry_for_child()))
    registry.store("app", CHILD)
    watcher = Watcher(registry)
    first = await watcher.walk()
    end = registry.on("*", manifest("app", CHILD.digest), status(403))
    report = await watcher.walk()
    assert findings(report) == [unverified("app", "child", CHILD.digest, "latest", reason="forbidden")]
    assert report.repositories["app"].stale == 1
    assert report.checked == first.checked
    end()
    assert await watcher.findings() == []


async def test_an_entry_that_is_nowhere_is_a_missing_child():
    """Indexes are made for children; both places were asked again before it is reported."""
    registry = registry_with(by_hand.index(THING.descriptor()))
    assert await Watcher(registry).findings() == [broken("app", "child", THING.digest, "latest")]
    for path in (blob("app", THING.digest), manifest("app", THING.digest)):
        assert sum(path in asked for asked in registry.asked) == 2


async def test_a_manifest_that_is_lost_later_is_missing():
    """As is one that was found before."""
    registry = registry_with(by_hand.index(entry_for_child()))
    registry.store("app", CHILD)
    watcher = Watcher(registry, suspect_delay=0.0)
    await watcher.walk()
    del registry.manifests["app", CHILD.digest]
    assert await watcher.findings() == [broken("app", "child", CHILD.digest, "latest")]


@pytest.mark.parametrize(
    ("as_blob", "as_manifest", "finding"),
    [
        (status(403), None, unverified("app", "child", THING.digest, "latest", reason="forbidden")),
        (None, status(403), unverified("app", "child", THING.digest, "latest", reason="forbidden")),
        (None, status(500), unverified("app", "child", THING.digest, "latest")),
    ],
    ids=["no blob to be had", "no manifest to be had", "error for the manifest"],
)
async def test_it_is_missing_only_when_it_is_in_neither_place(as_blob, as_manifest, finding: ExpectedFinding):
    """As long as one of the two could not be asked it may be there."""
    registry = registry_with(by_hand.index(THING.descriptor()))
    for path, action in ((blob, as_blob), (manifest, as_manifest)):
        if action is not None:
            registry.on("*", path("app", THING.digest), action)
    assert await Watcher(registry).findings() == [finding]


async def test_a_tag_may_lead_to_it_too():
    """Then it is a manifest, and asked for as one once."""
    registry = registry_with(by_hand.index(entry_for_child()))
    registry.store("app", CHILD, "child")
    watcher = Watcher(registry, suspect_delay=0.0)
    report = await watcher.walk()
    assert findings(report) == []
    assert sum(manifest("app", CHILD.digest) in asked for asked in registry.asked) == 1
    registry.manifests["app", CHILD.digest] = (b"{}", media_types.OCI_MANIFEST)
    assert await Watcher(registry).findings() == [
        broken("app", "child", CHILD.digest, "latest", reason="digest_mismatch"),
        broken("app", "tag", CHILD.digest, "child", reason="digest_mismatch"),
    ]


WRONG_SIZE = CHILD.root.size + 1
SIZES = {"right": CHILD.root.size, "wrong": WRONG_SIZE}


@pytest.mark.parametrize("tagged", [False, True], ids=["not tagged", "tagged too"])
async def test_an_entry_that_is_a_manifest_of_another_size_is_a_broken_child(tagged: bool):
    """As where its type tells; that the manifest is also asked for by its tag excuses nothing."""
    registry = registry_with(by_hand.index({**entry_for_child(), "size": WRONG_SIZE}))
    registry.store("app", CHILD, *(["child"] if tagged else []))
    assert await Watcher(registry).findings() == [
        broken("app", "child", CHILD.digest, "latest", reason="size_mismatch")
    ]


@pytest.mark.parametrize("tags", ["ab", "ba"])
@pytest.mark.parametrize("kind", ["child", "layer"])
async def test_of_two_sizes_only_the_wrong_one_is_broken(kind: str, tags: str):
    """Whichever of two indexes is read first, and whatever the entry turns out to be."""
    registry = ScriptedRegistry()
    tag_of = dict(zip(SIZES, tags, strict=True))
    for name, size in SIZES.items():
        root = by_hand.index({**entry_for_child(), "size": size})
        registry.store("app", by_hand.content(root), tag_of[name])
    if kind == "child":
        registry.store("app", CHILD)
    else:
        registry.blobs["app", CHILD.digest] = CHILD.root.data
    assert await Watcher(registry, concurrency=1).findings() == [
        broken("app", kind, CHILD.digest, tag_of["wrong"], reason="size_mismatch")
    ]


@pytest.mark.parametrize("concurrency", [1, 16])
async def test_a_tag_whose_manifest_is_lost_is_broken_though_a_blob_has_its_content(concurrency: int):
    """The entry is found as a blob; whoever asks for the tag wants the manifest."""
    registry = registry_with(by_hand.index(entry_for_child()))
    registry.store("app", CHILD, "child")
    registry.blobs["app", CHILD.digest] = CHILD.root.data
    registry.on("*", manifest("app", CHILD.digest), status(404, "MANIFEST_UNKNOWN"))
    assert await Watcher(registry, concurrency=concurrency).findings() == [
        broken("app", "tag", CHILD.digest, "child")
    ]


LAYERS = by_hand.image(CHILD.root.descriptor())


async def test_a_layer_of_a_manifest_type_may_be_a_blob():
    """An artifact that carries a manifest as its content."""
    registry = registry_with(LAYERS)
    registry.blobs["app", CHILD.digest] = CHILD.root.data
    report = await Watcher(registry).walk()
    assert findings(report) == []
    assert report.checked == {"tag": 1, "child": 0, "config": 1, "layer": 1}


async def test_a_layer_that_is_stored_as_a_manifest_is_opaque_all_the_same():
    """It is a layer: what it lists is nobody's business."""
    registry = registry_with(LAYERS)
    registry.manifests["app", CHILD.digest] = (CHILD.root.data, CHILD.root.media_type)
    watcher = Watcher(registry)
    for _ in range(2):
        report = await watcher.walk()
        assert findings(report) == []
        assert report.checked == {"tag": 1, "child": 0, "config": 1, "layer": 1}


async def test_a_layer_of_a_manifest_type_that_is_nowhere_is_missing():
    """As a layer."""
    assert await Watcher(registry_with(LAYERS)).findings() == [broken("app", "layer", CHILD.digest, "latest")]


async def test_a_config_of_a_manifest_type_is_a_blob():
    """There is no other place for a config."""
    registry = registry_with(by_hand.image(config=CHILD.root.descriptor()))
    registry.blobs["app", CHILD.digest] = CHILD.root.data
    assert await Watcher(registry).findings() == []
    assert not any(manifest("app", CHILD.digest) in asked for asked in registry.asked)


@pytest.mark.parametrize("cycles", [1, 2])
async def test_what_is_opaque_as_a_layer_is_followed_as_a_child(cycles: int):
    """The same manifest may be a layer of one image and a child of an index."""
    registry = registry_with(LAYERS)
    registry.store("app", make.index([CHILD]), "index")
    watcher = Watcher(registry)
    for _ in range(cycles - 1):
        assert await watcher.findings() == []
    del registry.blobs["app", LAYER]
    assert await watcher.findings() == [broken("app", "layer", LAYER, "index")]


async def test_an_opaque_manifest_is_asked_for_by_head_later_and_may_be_lost():
    """It is remembered like any other, and its loss is a layer's."""
    registry = registry_with(LAYERS)
    registry.manifests["app", CHILD.digest] = (CHILD.root.data, CHILD.root.media_type)
    watcher = Watcher(registry, suspect_delay=0.0)
    assert f"HEAD {manifest('app', CHILD.digest)}" in await second_cycle(watcher)
    del registry.manifests["app", CHILD.digest]
    assert await watcher.findings() == [broken("app", "layer", CHILD.digest, "latest")]


async def test_an_opaque_manifest_is_fetched_again_within_a_day():
    """Its headers do not hash either: bit rot would never be found."""
    registry = registry_with(LAYERS)
    registry.manifests["app", CHILD.digest] = (CHILD.root.data, CHILD.root.media_type)
    watcher = Watcher(registry, refetch_interval=DAY, suspect_delay=0.0)
    assert await watcher.findings() == []
    rotten = CHILD.root.data.replace(LAYER[-8:].encode(), b"deadbeef")
    registry.manifests["app", CHILD.digest] = (rotten, CHILD.root.media_type)
    assert await watcher.findings() == []
    await asyncio.sleep(DAY)
    assert await watcher.findings() == [
        broken("app", "layer", CHILD.digest, "latest", reason="digest_mismatch")
    ]
