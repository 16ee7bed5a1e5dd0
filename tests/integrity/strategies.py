"""Random worlds: registries whose images share layers and children, with random damage."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import strategies as st

from sample import content as make
from sample import media_types
from sample.content import Blob, Content
from tests.integrity.world import Deed, World, harmless_bit

_LAYERS = (
    make.layer("common 1"),
    make.layer("common 2", 200),
    Blob(b"\n", media_types.OCI_LAYER),  # its last byte is its first
    Blob(b"", media_types.OCI_LAYER),
)
_IMAGES = (
    make.image("one", layers=1, shared=_LAYERS[:1]),
    make.image("two", layers=1, shared=_LAYERS[:2], platform="linux/arm64"),
    make.image("three", layers=0, shared=_LAYERS, platform="linux/arm/v7"),
    make.image("four", layers=2, family="docker"),
)
_ATTESTATIONS = tuple(make.attestation(image, "built") for image in _IMAGES[:2])
_SIGNATURE = make.cosign_signature(_IMAGES[0].digest)
_ARTIFACT = make.oras_artifact("report", files=2, subject=_IMAGES[0].root)
_CHILDREN = (*_IMAGES, *_ATTESTATIONS, _ARTIFACT)
_OTHERS = (
    *_IMAGES[:2],
    _SIGNATURE,
    _ARTIFACT,
    make.buildkit_cache("cache"),
    make.helm_chart("chart"),
    make.foreign_layer_image("windows"),
    make.nested_index("nested", 3),
)
_REPOSITORIES = ("app", "base", "base/team", "web")
_TAGS = ("latest", "v1", "v1.0")


def _indexes() -> st.SearchStrategy[Content]:
    children = st.lists(st.sampled_from(_CHILDREN), min_size=1, max_size=4)
    flat = children.map(make.index)
    nested = st.tuples(flat, st.lists(st.sampled_from(_CHILDREN), max_size=2)).map(
        lambda parts: make.index([parts[0], *parts[1]])
    )
    return st.one_of(flat, flat, nested)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a registry of one to four repositories and up to nine damages, each to another file."""
    pool = draw(st.lists(st.one_of(_indexes(), st.sampled_from(_OTHERS)), min_size=2, max_size=5))
    tags = st.dictionaries(st.sampled_from(_TAGS), st.sampled_from(pool), min_size=1)
    repositories = draw(st.dictionaries(st.sampled_from(_REPOSITORIES), tags, min_size=1))
    cache = draw(st.booleans())
    world = World(
        repositories,
        collected=draw(st.integers(0, 4)) == 4,
        cache=cache,
        warm=cache and draw(st.booleans()),
        remembered=draw(st.booleans()),
        heads_only=draw(st.integers(0, 3)) == 3,
        pushed_again=not cache and draw(st.integers(0, 3)) == 3,
    )
    possible = sorted(set(possible_deeds(world)), key=repr)
    kinds = sorted({deed.damage for deed in possible})
    deeds: dict[tuple[str, ...], Deed] = {}
    for _ in range(draw(st.sampled_from((0, 1, 2, 3, 4, 6, 9)))):
        kind = draw(st.sampled_from(kinds))  # first the kind, so that rare files are damaged as often
        deed = draw(st.sampled_from([deed for deed in possible if deed.damage == kind]))
        if not any(_overlap(deed.file, done) for done in deeds):
            deeds[deed.file] = deed
    return replace(world, deeds=tuple(deeds.values()))


def possible_deeds(world: World) -> Iterable[Deed]:
    """Every damage to every file of a registry, those that a garbage collection takes away excepted."""
    return [*_deeds_to_links(world), *_deeds_to_data(world)]


def _deeds_to_links(world: World) -> Iterable[Deed]:
    for name, tags in world.repositories.items():
        yield Deed("remove_repository", name)
        yield Deed("remove_layers_folder", name)
        yield Deed("remove_manifests_folder", name)
        tagged = {content.digest for content in tags.values()}
        for tag in tags:
            for damage in ("remove_tag_link", "empty_tag_link", "garble_tag_link", "remove_tag"):
                yield Deed(damage, name, tag)
        kept = {manifest.digest for content in tags.values() for manifest in content.manifests}
        for digest in tagged if world.collected else kept:
            for damage in ("remove_revision_link", "empty_revision_link", "garble_revision_link"):
                yield Deed(damage, name, digest)
        for digest in {digest for content in tags.values() for digest in content.blobs}:
            for damage in ("remove_layer_link", "empty_layer_link", "garble_layer_link"):
                yield Deed(damage, name, digest)


def _deeds_to_data(world: World) -> Iterable[Deed]:
    roots = {content.digest for content in world.contents}
    for content in world.contents:
        for manifest in content.manifests:
            if world.collected and manifest.digest not in roots:
                continue
            for damage in ("remove_data", "empty_data", "truncate_data", "break_data"):
                yield Deed(damage, subject=manifest.digest)
            yield Deed("flip_data", subject=manifest.digest, bit=harmless_bit(manifest))
        needed = content.blobs.keys() if not world.collected else _listed_by_roots(world)
        for digest in needed & content.blobs.keys():
            yield Deed("remove_data", subject=digest)
            if content.blobs[digest]:
                for damage in ("empty_data", "truncate_data", "flip_data"):
                    yield Deed(damage, subject=digest)


def _listed_by_roots(world: World) -> set[str]:
    listed: set[str] = set()
    for content in world.contents:
        root = content.root
        listed.update(layer.digest for layer in root.layers)
        if root.config is not None:
            listed.add(root.config.digest)
    return listed


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one damage takes away what the other is done to."""
    if one == other:
        return True
    if "data" in {one[0], other[0]}:
        return False
    folders = {"repository", "layers", "manifests", "tag folder"}
    if not folders & {one[0], other[0]}:
        return False
    first, second = sorted((one[1], other[1]))
    return first == second or second.startswith(first + "/")
