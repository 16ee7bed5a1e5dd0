"""The damage model against examples that were worked out by hand."""

import pytest

from sample import content as make
from tests.integrity.expected import broken, unverified
from tests.integrity.model import ExpectedFinding, Model
from tests.integrity.strategies import possible_deeds
from tests.integrity.world import Deed, World, harmless_bit

SHARED = make.layer("shared")
AMD64 = make.image("app", shared=[SHARED], layers=0)
ARM64 = make.image("app", platform="linux/arm64", shared=[SHARED], layers=1)
ATTESTATION = make.attestation(AMD64, "built")
INDEX = make.index([AMD64, ARM64, ATTESTATION])
STORED = {"app": {"latest": INDEX, "v1": INDEX}, "web": {"amd64": AMD64}}

CHILD = AMD64.digest
CONFIG = AMD64.root.config.digest
STATEMENT = ATTESTATION.root.layers[0].digest


def model(*deeds: Deed, **world: bool) -> list[ExpectedFinding]:
    """The findings of the model, in no particular order."""
    report = Model(World(STORED, deeds, **world)).report
    return [finding for repository in report.values() for finding in repository.findings]


SHARED_LOST = [
    broken("app", "layer", SHARED.digest, "latest", "v1"),
    broken("web", "layer", SHARED.digest, "amd64"),
]
EXAMPLES = {
    "nothing done": ([], []),
    "tag link removed": (
        [Deed("remove_tag_link", "app", "v1")],
        [broken("app", "tag", None, "v1")],
    ),
    "tag link garbled": ([Deed("garble_tag_link", "app", "v1")], [unverified("app", "tag", None, "v1")]),
    "tag removed": ([Deed("remove_tag", "app", "v1")], []),
    "repository removed": ([Deed("remove_repository", "app")], []),
    "root's revision link removed": (
        [Deed("remove_revision_link", "app", INDEX.digest)],
        [broken("app", "tag", None, "latest"), broken("app", "tag", None, "v1")],
    ),
    "child's revision link removed": (
        [Deed("remove_revision_link", "app", CHILD)],
        [broken("app", "child", CHILD, "latest", "v1")],
    ),
    "child's data removed": (
        [Deed("remove_data", subject=CHILD)],
        [broken("app", "child", CHILD, "latest", "v1"), broken("web", "tag", None, "amd64")],
    ),
    "child's data truncated": (
        [Deed("truncate_data", subject=CHILD)],
        [unverified("app", "child", CHILD, "latest", "v1"), unverified("web", "tag", None, "amd64")],
    ),
    "child's bit flipped": (
        [Deed("flip_data", subject=CHILD, bit=harmless_bit(AMD64.root))],
        [
            broken("app", "child", CHILD, "latest", "v1", reason="digest_mismatch"),
            broken("web", "tag", CHILD, "amd64", reason="digest_mismatch"),
        ],
    ),
    "layer link removed": (
        [Deed("remove_layer_link", "web", SHARED.digest)],
        [broken("web", "layer", SHARED.digest, "amd64")],
    ),
    "layer data removed": ([Deed("remove_data", subject=SHARED.digest)], SHARED_LOST),
    "layer bit flipped": ([Deed("flip_data", subject=SHARED.digest)], []),
    "config truncated": (
        [Deed("truncate_data", subject=CONFIG)],
        [
            broken("app", "config", CONFIG, "latest", "v1", reason="size_mismatch"),
            broken("web", "config", CONFIG, "amd64", reason="size_mismatch"),
        ],
    ),
    "attestation's layer removed": (
        [Deed("remove_data", subject=STATEMENT)],
        [broken("app", "layer", STATEMENT, "latest", "v1", impact="metadata")],
    ),
    "a child and what is below it": (
        [Deed("remove_revision_link", "app", CHILD), Deed("remove_data", subject=CONFIG)],
        [broken("app", "child", CHILD, "latest", "v1"), broken("web", "config", CONFIG, "amd64")],
    ),
}


@pytest.mark.parametrize(("deeds", "findings"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples(deeds: list[Deed], findings: list[ExpectedFinding]):
    """Of each damage, on a registry without cache, in the first cycle."""
    assert sorted(model(*deeds), key=repr) == sorted(findings, key=repr)


def test_with_a_warm_cache_lost_data_is_truncated_and_a_lost_link_is_served():
    """As the registry answers then."""
    lost = [Deed("remove_data", subject=SHARED.digest)]
    assert {one.reason for one in model(*lost, warm=True)} == {"truncated"}
    assert model(Deed("remove_layer_link", "web", SHARED.digest), warm=True) == []
    assert model(*lost, warm=True, heads_only=True) == []


def test_what_is_remembered_hides_bit_rot_and_shows_what_is_below_an_error():
    """A manifest that was read before is asked for by HEAD, which does not hash."""
    flipped = Deed("flip_data", subject=CHILD, bit=harmless_bit(AMD64.root))
    assert model(flipped, remembered=True) == []
    below = [Deed("empty_revision_link", "app", CHILD), Deed("remove_layer_link", "app", CONFIG)]
    assert model(*below) == [unverified("app", "child", CHILD, "latest", "v1")]
    assert sorted(model(*below, remembered=True), key=repr) == [
        unverified("app", "child", CHILD, "latest", "v1"),
        broken("app", "config", CONFIG, "latest", "v1"),
    ]


def test_garbage_collection_takes_untagged_children():
    """Each of them in the repository where no tag points to it; what is tagged elsewhere keeps its data."""
    assert sorted(model(collected=True), key=repr) == sorted(
        [
            broken("app", "child", AMD64.digest, "latest", "v1"),
            broken("app", "child", ARM64.digest, "latest", "v1"),
            broken("app", "child", ATTESTATION.digest, "latest", "v1", impact="metadata"),
        ],
        key=repr,
    )


def test_pushing_again_heals_what_is_missing_and_nothing_else():
    """The client skips what is there, in whatever state."""
    lost = [Deed("remove_data", subject=SHARED.digest), Deed("remove_revision_link", "app", CHILD)]
    assert model(*lost, pushed_again=True) == []
    cut = Deed("truncate_data", subject=SHARED.digest)
    assert sorted(model(cut, pushed_again=True), key=repr) == sorted(model(cut), key=repr) != []


def test_every_damage_of_the_table_can_be_drawn():
    """What the strategy draws from has every damage to every kind of file in it."""
    drawn = {deed.damage for deed in possible_deeds(World(STORED))}
    assert drawn == {
        *(
            f"{how}_{link}_link"
            for how in ("remove", "empty", "garble")
            for link in ("tag", "revision", "layer")
        ),
        *(f"{how}_data" for how in ("remove", "empty", "truncate", "flip", "break")),
        "remove_tag",
        "remove_repository",
        "remove_layers_folder",
        "remove_manifests_folder",
    }
