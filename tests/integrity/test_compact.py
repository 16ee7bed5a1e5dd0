"""Manifests made small come back as they were."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.integrity.compact import Packing, compact_digest, number_of_references, outline_of
from exporter.oci import Descriptor, Digest, Manifest
from tests.oci.strategies import cases, digests

MANIFESTS = cases.map(lambda case: case[2])
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(st.lists(MANIFESTS, min_size=1, max_size=3))
def test_every_manifest_comes_back_as_it_was(manifests: list[Manifest]) -> None:
    """Of whatever kind, with whatever others, and after some of these were forgotten."""
    packing = Packing()
    packed = [packing.pack(manifest) for manifest in manifests]
    assert [packing.unpack(one) for one in packed] == manifests
    assert [number_of_references(one) for one in packed] == [manifest.references for manifest in manifests]
    packing.keep(set(map(outline_of, packed[::2])))
    assert [packing.unpack(one) for one in packed[::2]] == manifests[::2]
    again = [packing.pack(manifest) for manifest in manifests]
    assert [packing.unpack(one) for one in again] == manifests
    assert [packing.unpack(one) for one in packed[::2]] == manifests[::2]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(MANIFESTS)
def test_a_head_is_the_manifest_without_what_it_lists(manifest: Manifest) -> None:
    """Its config is no list."""
    packing = Packing()
    assert packing.head(packing.pack(manifest)) == replace(manifest, entries=(), layers=())


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(MANIFESTS, digests)
def test_whatever_a_manifest_lists_it_may_list(manifest: Manifest, other: Digest) -> None:
    """Among others; where it does not, that is known of what has no entries and only SHA-256."""
    packing = Packing()
    packed, listed = packing.pack(manifest), {descriptor.digest for _, descriptor in manifest.descriptors}
    assert all(packing.may_list(packed, {compact_digest(one), compact_digest(other)}) for one in listed)
    if not manifest.entries and all(one.algorithm == "sha256" for one in listed):
        assert packing.may_list(packed, {compact_digest(other)}) is (other in listed)


def image(number: int, layers: int) -> Manifest:
    descriptors = [
        Descriptor(Digest.of(f"{number} {layer}".encode()), LAYER, number) for layer in range(layers)
    ]
    return Manifest(MANIFEST, 1000 + number, layers=tuple(descriptors))


def test_what_manifests_have_in_common_is_kept_once_and_as_long_as_one_has_it() -> None:
    """Images that differ in digests and sizes alone share the rest, however many there are."""
    packing = Packing()
    packed = [packing.pack(image(number, number % 2 + 1)) for number in range(100)]
    assert len(packing._outlines) == len(packing._numbers) == 2
    packing.keep(set(map(outline_of, packed[::2])))
    assert list(packing._outlines.values()) == list(packing._numbers)
    assert [len(outline.layers) for outline in packing._numbers] == [1]
    packing.keep(())
    assert (packing._outlines, packing._numbers) == ({}, {})


def test_a_descriptor_takes_forty_bytes() -> None:
    """Beside twelve for its manifest."""
    assert [len(Packing().pack(image(1, layers))) for layers in (0, 1, 2000)] == [12, 52, 80012]


@given(digests, digests)
def test_what_differs_stays_different(one: Digest, other: Digest) -> None:
    """Digests are told apart when they are small, too."""
    assert (compact_digest(one) == compact_digest(other)) is (one == other)
    assert compact_digest(one) == compact_digest(Digest(one))
