"""Made content is what its kind says, whole in itself, and the same whenever it is made."""

import json

import pytest

from sample import content as c
from sample import media_types as types
from sample.content import Content

CONTENTS: dict[str, Content] = {
    "image": c.image("x"),
    "Docker image": c.image("x", family="docker"),
    "multi-platform": c.multi_platform("x", attestations=True),
    "manifest list": c.multi_platform("x", family="docker"),
    "nested": c.nested_index("x", 3),
    "BuildKit cache": c.buildkit_cache("x"),
    "signature": c.cosign_signature(c.digest_of(b"x")),
    "referrers": c.referrers_index([c.oras_artifact("x", subject=c.image("x").root)]),
    "chart": c.helm_chart("x"),
    "artifact": c.oras_artifact("x", files=2),
    "foreign layer": c.foreign_layer_image("x"),
    "empty layer": c.empty_layer_image("x"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_everything_it_points_to_is_in_it(name: str) -> None:
    """Each descriptor names an earlier manifest or a blob, with its size; foreign layers excepted."""
    content = CONTENTS[name]
    earlier: dict[str, int] = {}
    for manifest in content.manifests:
        assert manifest.document["mediaType"] == manifest.media_type
        for child in manifest.children:
            assert earlier[child.digest] == child.size
        needed = [*manifest.layers, *([manifest.config] if manifest.config else [])]
        for blob in needed:
            if not blob.foreign:
                assert len(content.blobs[blob.digest]) == blob.size
        earlier[manifest.digest] = manifest.size
    assert content.root.digest == content.digest
    assert all(c.digest_of(data) == digest for digest, data in content.blobs.items())
    assert len({manifest.digest for manifest in content.manifests}) == len(content.manifests)


def test_a_seed_decides_all() -> None:
    """The same seed makes the same content, another seed shares nothing with it."""
    assert c.multi_platform("a") == c.multi_platform("a")
    one, other = c.multi_platform("a"), c.multi_platform("b")
    assert not set(one.blobs) & set(other.blobs)
    assert not {m.digest for m in one.manifests} & {m.digest for m in other.manifests}


def test_layers_are_as_large_as_asked_and_shared_when_given() -> None:
    shared = c.layer("base", 1000)
    one, other = (c.image(seed, layer_size=10, shared=[shared]) for seed in "ab")
    assert [layer.size for layer in one.root.layers] == [1000, 10, 10]
    assert set(one.blobs) & set(other.blobs) == {shared.digest}


def test_platforms_are_named_as_an_index_names_them() -> None:
    index = c.multi_platform("x", ["linux/amd64", "linux/arm/v7"], attestations=True).root
    assert [child.platform for child in index.children] == [
        "linux/amd64",
        "linux/arm/v7",
        "unknown/unknown",
        "unknown/unknown",
    ]
    attestation = index.document["manifests"][2]
    assert attestation["annotations"] == {
        "vnd.docker.reference.digest": index.children[0].digest,
        "vnd.docker.reference.type": "attestation-manifest",
    }


def test_kinds_are_what_tools_make_of_them() -> None:
    """The marks by which each kind of artifact is known."""
    cache = CONTENTS["BuildKit cache"].root
    assert cache.media_type == types.OCI_INDEX
    assert cache.children == ()
    assert [entry.media_type for entry in cache.entries] == [
        types.OCI_LAYER,
        types.OCI_LAYER,
        types.BUILDKIT_CACHE_CONFIG,
    ]
    artifact = CONTENTS["artifact"].root
    assert artifact.document["artifactType"] == "application/vnd.example.report"
    assert artifact.config is not None
    assert CONTENTS["artifact"].blobs[artifact.config.digest] == b"{}"
    chart = CONTENTS["chart"].root
    assert chart.config is not None
    assert chart.config.media_type == types.HELM_CONFIG
    assert [layer.foreign for layer in CONTENTS["foreign layer"].root.layers] == [True, False]
    assert b"" in CONTENTS["empty layer"].blobs.values()
    subject = json.loads(CONTENTS["referrers"].manifests[0].data)["subject"]
    assert subject["digest"] == c.image("x").digest
    assert c.signature_tag("sha256:ab") == "sha256-ab.sig"
    assert c.referrers_tag("sha256:ab") == "sha256-ab"


def test_an_index_nests_as_deep_as_asked_and_lists_twice_what_is_given_twice() -> None:
    nested = c.nested_index("x", 3)
    depth, manifest = 1, nested.root
    while inner := [one for one in manifest.children if one.media_type == types.OCI_INDEX]:
        depth, manifest = depth + 1, nested.manifest(inner[0].digest)
    assert depth == 3
    child = c.image("x")
    twice = c.index([child, child])
    assert [entry.digest for entry in twice.root.children] == [child.digest, child.digest]
    assert len(twice.manifests) == 2
