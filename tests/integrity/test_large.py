"""However large a repository is, and whatever its images list, others have their turns."""

from collections import Counter

import pytest

from exporter.integrity import compact
from exporter.integrity.graph import breakages
from exporter.oci import Descriptor
from sample import content as make
from sample.content import Blob
from tests.integrity import by_hand
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken
from tests.integrity.scripted import ScriptedRegistry
from tests.integrity.turns import turns_during

LISTED = 200
LAYER = make.layer("a layer")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often a descriptor was made of what is remembered."""
    counts: Counter[str] = Counter()
    real = compact._descriptor

    def counted(place: compact._Place, reference: tuple[bytes, int]) -> Descriptor:
        counts["descriptors"] += 1
        return real(place, reference)

    monkeypatch.setattr(compact, "_descriptor", counted)
    return counts


def same_again(registry: ScriptedRegistry, *, wrong_size: int) -> list[str]:
    """Tags whose indexes list one child again and again, which lists one layer again and again."""
    child = by_hand.image(*[LAYER.descriptor()] * LISTED)
    entry = child.descriptor()
    tags = [f"v{number}" for number in range(10)]
    for tag in tags:
        last = {**entry, "size": entry["size"] + wrong_size}
        index = by_hand.index(*[entry] * (LISTED - 1), last, annotations={"tag": tag})
        registry.store("app", by_hand.content(child, index, blobs={LAYER.digest: LAYER.data}), tag)
    return sorted(tags)


@pytest.mark.parametrize("wrong_size", [0, 1])
async def test_lists_of_lists_take_what_they_are_long_and_not_their_product(
    made: Counter[str], wrong_size: int
):
    """Else whoever may push one image could hold up scrapes, health checks and all other registries."""
    registry = ScriptedRegistry()
    tags = same_again(registry, wrong_size=wrong_size)
    watcher = Watcher(registry, concurrency=1)
    child = by_hand.image(*[LAYER.descriptor()] * LISTED)
    expected = [broken("app", "child", child.digest, *tags, reason="size_mismatch")] if wrong_size else []
    for _ in range(2):
        assert await watcher.findings() == expected
    # For each entry its child's config, in each of the walks and of the looks at what is broken.
    looks = 2 * (1 + 4 * wrong_size)
    assert made["descriptors"] < looks * len(tags) * 4 * LISTED


def many_tags(registry: ScriptedRegistry, number: int) -> Blob:
    """So many multi-platform images; returns one layer of one of them."""
    images = [make.multi_platform(f"image {one}", layers=3) for one in range(number)]
    for one, image in enumerate(images):
        registry.store("app", image, f"v{one}")
    return images[0].manifests[0].layers[0]


async def test_what_lists_nothing_broken_is_not_made_again(made: Counter[str]):
    """The indexes are, to follow them, and the one image that is broken."""
    registry = ScriptedRegistry()
    lost = many_tags(registry, 50)
    watcher = Watcher(registry, suspect_delay=0.0)
    await watcher.walk()
    made.clear()
    assert await watcher.findings() == []
    intact = made["descriptors"]  # all of them once, to ask for what they lead to
    made.clear()
    del registry.blobs["app", lost.digest]
    assert findings(await watcher.walk()) == [broken("app", "layer", lost.digest, "v0")]
    # In each of four looks two entries of an index, and of each its config; of one image all.
    assert made["descriptors"] - intact <= 4 * (50 * 4 + 5)


@pytest.mark.parametrize("listed", [0, 1, 500])
async def test_others_have_their_turns_while_tags_are_followed_to_what_is_broken(listed: int):
    """A hundred thousand of them, or a few that list as many, would hold up a scrape for too long."""
    registry = ScriptedRegistry()
    lost = many_tags(registry, 1)
    del registry.blobs["app", lost.digest]
    child = by_hand.image()
    for number in range(2000 // (listed or 1)):
        own = {"annotations": {"number": str(number)}}
        root = by_hand.index(*[child.descriptor()] * listed, **own) if listed else by_hand.image(**own)
        registry.store("app", by_hand.content(child, root), f"root-{number}")
    walks = []
    await Watcher(registry, notice_walk=lambda walk, _: walks.append(walk)).walk()
    found, turns = await turns_during(breakages(walks[0].graph))
    assert [reference.digest for reference in found] == [lost.digest]
    assert turns >= 4


@pytest.mark.parametrize("other_layer", [False, True])
async def test_a_layer_that_is_a_manifest_of_another_size_is_found_by_itself(other_layer: bool):
    """Whatever else is wrong with the image that lists it."""
    registry = ScriptedRegistry()
    child = by_hand.image(LAYER.descriptor())
    wrong = {**child.descriptor(), "size": child.size + 1}
    lost = make.layer("lost").descriptor()
    index, leaf = by_hand.index(wrong), by_hand.image(wrong, *[lost] * other_layer)
    for tag, root in (("index", index), ("leaf", leaf)):
        registry.store("app", by_hand.content(child, root, blobs={LAYER.digest: LAYER.data}), tag)
    expected = [
        broken("app", "child", child.digest, "index", reason="size_mismatch"),
        broken("app", "layer", child.digest, "leaf", reason="size_mismatch"),
        *[broken("app", "layer", lost["digest"], "leaf")] * other_layer,
    ]
    found = await Watcher(registry).findings()
    assert sorted(found, key=repr) == sorted(expected, key=repr)
