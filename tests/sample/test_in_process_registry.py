"""The registry in process answers as the real one does, whatever was done to what it stores."""

import contextlib
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sample import content as c
from sample import media_types as types
from sample import storage as layout
from sample.content import Content, Manifest
from sample.process import ProcessError
from sample.registry import DockerRegistry, RegistryOptions
from sample.registry_program import InstalledRegistry
from sample.store import store
from tests.parts.deeds import DEEDS, Deed
from tests.parts.distribution.garbage import GarbageCollectionError
from tests.parts.programs import find_program
from tests.parts.registry_in_process import InProcessRegistry
from tests.parts.twins import ACCEPT, Question, Registry, Twins, questions_about, tree

TAG = "latest"
KINDS: dict[str, Callable[[str], Content]] = {
    "OCI image": c.image,
    "Docker image": lambda seed: c.image(seed, family="docker"),
    "OCI index": lambda seed: c.multi_platform(seed, attestations=True),
    "manifest list": lambda seed: c.multi_platform(seed, family="docker"),
    "nested index": lambda seed: c.nested_index(seed, 3),
    "BuildKit cache": c.buildkit_cache,
    "signature": lambda seed: c.cosign_signature(c.digest_of(seed.encode())),
    "Helm chart": c.helm_chart,
    "artifact": c.oras_artifact,
    "foreign layer": c.foreign_layer_image,
    "Docker foreign layer": lambda seed: c.foreign_layer_image(seed, family="docker"),
    "empty layer": c.empty_layer_image,
    "index without a child": lambda _: c.index([]),
}
EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", params=[False, True], ids=["no cache", "cache"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Both registries, for tests that keep to a repository of their own."""
    with _twins(tmp_path_factory, cache=request.param) as twins:
        yield twins


@pytest.fixture(scope="module")
def uncached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Both registries without a cache, for tests that put into the storage what they need."""
    with _twins(tmp_path_factory, cache=False) as twins:
        yield twins


@pytest.fixture(params=[False, True], ids=["no cache", "cache"])
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Both registries, empty, for one test."""
    with _twins(tmp_path_factory, cache=request.param) as twins:
        yield twins


@contextlib.contextmanager
def _twins(tmp_path_factory: pytest.TempPathFactory, *, cache: bool) -> Iterator[Twins]:
    options = RegistryOptions(cache=cache)
    program = InstalledRegistry(find_program("docker-registry"))
    with (
        DockerRegistry(tmp_path_factory.mktemp("registry"), options, program) as real,
        InProcessRegistry(options) as model,
    ):
        yield Twins(real, model)


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository of this test's own."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")


@pytest.mark.parametrize("deed", DEEDS, ids=str)
async def test_damage_that_was_seen_whole_before(shared: Twins, repository: str, deed: Deed) -> None:
    """Content damaged after it was pushed is answered for alike, and again once it was pushed again."""
    content = c.multi_platform(repository, ["linux/amd64"], layers=1)
    questions = questions_about(repository, content, TAG)
    await shared.push(repository, content, TAG)
    shared.both(lambda registry: deed.do(registry.damage, repository, content, TAG))
    await shared.agree(questions)
    await shared.push(repository, content, TAG)
    await shared.agree(questions)
    folder = layout.repository_folder(repository)
    assert tree(shared.real.storage, folder) == tree(shared.model.storage, folder)


@pytest.mark.parametrize("deed", DEEDS, ids=str)
async def test_damage_that_was_never_seen_whole(shared: Twins, repository: str, deed: Deed) -> None:
    """Content that was damaged before the registry ever looked at it is answered for alike."""
    content = c.multi_platform(repository, ["linux/amd64"], layers=1)

    def prepare(registry: Registry) -> None:
        store(registry.storage, repository, content, TAG)
        deed.do(registry.damage, repository, content, TAG)

    shared.both(prepare)
    questions = questions_about(repository, content, TAG)
    # Twice, for the first answer may have filled the cache for the second.
    await shared.agree(questions + questions)


@pytest.mark.parametrize("kind", KINDS)
async def test_intact_content(twins: Twins, repository: str, kind: str) -> None:
    """Every kind of content is taken in, stored and served alike."""
    content = KINDS[kind](repository)
    await twins.push(repository, content, TAG, "second")
    questions = questions_about(repository, content, TAG, "second")
    questions += [Question("GET", f"/v2/{repository}/manifests/{digest}", ACCEPT) for digest in content.blobs]
    await twins.agree(questions)
    assert tree(twins.real.storage) == tree(twins.model.storage)


async def test_damage_shared_by_repositories(shared: Twins, repository: str) -> None:
    """What one repository has put in the cache decides what another is told."""
    content = c.image(repository, layers=1)
    names = [f"{repository}/{name}" for name in ("pushed", "mounted", "linked")]
    await shared.push(names[0], content, TAG)
    shared.store(names[2], content, TAG)
    for registry in (shared.real, shared.model):
        pushed = await registry.push(names[1], content, TAG, skip_existing=False, mount_from=names[0])
        assert sorted(pushed.mounted) == sorted(content.blobs)
    questions = [question for name in names for question in questions_about(name, content, TAG)]
    shared.both(lambda registry: registry.damage.truncate_data(content.root.layers[0].digest))
    await shared.agree(questions)
    shared.both(lambda registry: registry.restart())
    await shared.agree(questions)


async def test_a_link_to_another_digest(shared: Twins, repository: str) -> None:
    """A link that names another blob, present or not, leads there."""
    content = c.image(repository, layers=3)
    here, there, nowhere = (layer.digest for layer in content.root.layers)

    def prepare(registry: Registry) -> None:
        store(registry.storage, repository, content, TAG)
        registry.storage.write(layout.layer_link(repository, here), there.encode())
        registry.storage.write(layout.layer_link(repository, nowhere), c.digest_of(b"nothing").encode())
        registry.storage.write(layout.tag_link(repository, "moved"), here.encode())

    shared.both(prepare)
    questions = questions_about(repository, content, TAG, "moved")
    await shared.agree(questions + questions)


async def test_deleting(shared: Twins, repository: str) -> None:
    """A manifest takes its tags along, a blob is gone for this repository alone, no tag can be deleted."""
    content = c.multi_platform(repository)
    await shared.push(repository, content, TAG, "second")
    layer = content.manifests[0].layers[0].digest
    questions = [
        Question("DELETE", f"/v2/{repository}/manifests/{TAG}"),
        Question("DELETE", f"/v2/{repository}/manifests/unknown"),
        Question("DELETE", f"/v2/{repository}/blobs/{layer}"),
        Question("DELETE", f"/v2/{repository}/blobs/{layer}"),
        Question("DELETE", f"/v2/{repository}/manifests/{content.manifests[0].digest}"),
        *questions_about(repository, content, TAG, "second"),
        Question("DELETE", f"/v2/{repository}/manifests/{content.digest}"),
        Question("DELETE", f"/v2/{repository}/manifests/{content.digest}"),
        *questions_about(repository, content, TAG, "second"),
    ]
    await shared.agree(questions)


async def test_odd_questions(shared: Twins, repository: str) -> None:
    """What nobody should ask is answered alike too."""
    content = c.image(repository, layers=1, layer_size=3000)
    await shared.push(repository, content, TAG)
    shared.both(lambda registry: registry.storage.write(f"{layout.tags_folder('no/tags')}/x", b""))
    shared.both(lambda registry: registry.storage.remove(f"{layout.tags_folder('no/tags')}/x"))
    layer = f"/v2/{repository}/blobs/{content.root.layers[0].digest}"
    config = f"/v2/{repository}/blobs/{next(iter(content.blobs))}"
    manifest = f"/v2/{repository}/manifests/{content.digest}"
    ranges = ["bytes=0-", "bytes=-1", "bytes=-9999", "bytes=9999-", "bytes=5-2", "bytes=", "lines=1-2"]
    ranges += ["bytes=0-9999", "bytes=3000-3000", "bytes=x-y"]
    accepts = ["*/*", "", types.OCI_INDEX, f"{types.OCI_MANIFEST};q=0.5, text/html"]
    questions = [
        *(Question(method, layer, {"Range": value}) for value in ranges for method in ("GET", "HEAD")),
        *(Question("GET", config, {"Range": value}) for value in ranges),
        *(Question("GET", manifest, {"Accept": value}) for value in accepts),
        Question("GET", manifest, {"If-None-Match": f'"{content.digest}"'}),
        Question("GET", f"/v2/{repository}/manifests/sha256:{'0' * 64}", {"If-None-Match": "other"}),
        Question("HEAD", f"/v2/{repository}/manifests/absent", ACCEPT),
        Question("GET", f"/v2/{repository}/manifests/sha256:{'0' * 40}", ACCEPT),
        Question("GET", f"/v2/{repository}/blobs/sha256:{'0' * 40}"),
        Question("GET", f"/v2/{repository}/blobs/sha512:{'0' * 128}"),
        Question("GET", f"/v2/{repository}/blobs/md5:{'0' * 32}"),
        Question("GET", "/v2/"),
        Question("HEAD", "/v2/"),
        Question("GET", "/v2/absent/tags/list"),
        Question("GET", "/v2/no/tags/tags/list"),
        Question("HEAD", f"/v2/{repository}/tags/list"),
        Question("GET", f"/v2/{repository}/tags/list?n=1&last=a"),
        Question("POST", f"/v2/{repository}/tags/list"),
        Question("GET", "/v2/UPPER/tags/list"),
        Question("GET", "/v2/a/-/tags/list"),
        Question("GET", "/v2/registry.example.com:5000/a/tags/list"),
        Question("PUT", layer),
        Question("GET", "/v3/"),
        Question("HEAD", "/v2/_catalog"),
        *(Question("GET", f"/v2/_catalog?n={n}") for n in ("0", "-1", "x", "1.5", "1000", "1001", "5000")),
    ]
    await shared.agree(questions)


async def test_a_long_list(uncached: Twins, repository: str) -> None:
    """A list too long for Go to count comes without its length, and a page of it with a link."""
    content = c.image(repository)
    tags = [f"tag-{number:03}-{'x' * 20}" for number in range(100)]
    uncached.store(repository, content, *tags)
    for number in range(30):
        name = f"long/{repository}/{number:02}/{'y' * 60}"
        uncached.store(name, content)
    questions = [
        Question("GET", f"/v2/{repository}/tags/list"),
        Question("GET", "/v2/_catalog"),
        Question("GET", f"/v2/_catalog?n=20&last=long/{repository}/05"),
    ]
    await uncached.agree(questions)


async def test_no_storage(twins: Twins, repository: str) -> None:
    """A storage that is not there lists nothing, and comes back whole."""
    content = c.multi_platform(repository, layers=1)
    questions = [*questions_about(repository, content, TAG), Question("GET", "/v2/_catalog")]
    await twins.agree(questions)
    await twins.push(repository, content, TAG)
    twins.both(lambda registry: registry.damage.move_storage_away())
    await twins.agree(questions)
    twins.both(lambda registry: registry.damage.move_storage_back())
    await twins.agree(questions)


NAMES = st.lists(st.sampled_from(["a", "b", "0", "1x", "z-9"]), min_size=1, max_size=3).map("/".join)


@EXAMPLES
@given(names=st.sets(NAMES, max_size=8), other=st.sets(NAMES, max_size=2), size=st.integers(0, 4), last=NAMES)
async def test_any_catalog(uncached: Twins, names: set[str], other: set[str], size: int, last: str) -> None:
    """The catalog comes in the same pages, whatever is in it; folders that are no repositories included."""

    def prepare(registry: Registry) -> None:
        if registry.storage.exists(layout.REPOSITORIES):
            registry.storage.remove_tree(layout.REPOSITORIES)
        for name in names:
            registry.storage.write(f"{layout.repository_folder(name)}/_layers/x", b"")
        for name in other:
            registry.storage.write(f"{layout.repository_folder(name)}/_manifests/x", b"")

    uncached.both(prepare)
    questions = [Question("GET", f"/v2/_catalog?n={size}{after}") for after in ("", f"&last={last}")]
    await uncached.agree(questions)


def _documents() -> st.SearchStrategy[bytes]:
    """Manifests with a byte or a few changed, which may leave them JSON, or manifests, or neither."""
    intact = [kind("bent").root.data for kind in KINDS.values()]
    places = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=2)

    def bend(data: bytes, changes: list[tuple[int, int]]) -> bytes:
        bent = bytearray(data)
        for place, byte in changes:
            bent[place % len(bent)] = byte
        return bytes(bent)

    return st.builds(bend, st.sampled_from(intact), places)


ODD_DOCUMENTS = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"schemaVersion":2}',
    b'{"schemaVersion":2,"manifests":null}',
    b'{"schemaVersion":2,"manifests":[]}',
    b'{"schemaVersion":2,"manifests":"many"}',
    b'{"schemaVersion":2,"manifests":[null]}',
    b'{"schemaVersion":2,"layers":[{"size":1.5}]}',
    b'{"schemaVersion":2,"layers":[{"size":"1"}]}',
    b'{"schemaVersion":2,"layers":{"size":1}}',
    b'{"schemaVersion":2.0}',
    b'{"schemaVersion":true}',
    b'{"schemaVersion":3}',
    b'{"SchemaVersion":2,"MEDIATYPE":"x"}',
    b'{"schemaVersion":2} ',
    b'{"schemaVersion":2}x',
    b'{"schemaVersion":2,"annotations":{"a":1}}',
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","config":{}}',
    b'{"schemaVersion":2,"mediaType":"application/json"}',
    b'{"schemaVersion":2,"x":NaN}',
    b'{"schemaVersion":2,"x":"\xff\xfe"}',
    b'{"schemaVersion":2,"x":"\x01"}',
    b"\xef\xbb\xbf{}",
    b'{"schemaVersion":99999999999999999999}',
]


async def test_odd_manifests(uncached: Twins, repository: str) -> None:
    """Bytes that are no manifest, or hardly one, are taken for the same."""
    await _compare_stored(uncached, repository, *ODD_DOCUMENTS)


@EXAMPLES
@given(data=_documents())
async def test_any_manifest(uncached: Twins, data: bytes) -> None:
    """A manifest with some bytes changed is taken for the same."""
    await _compare_stored(uncached, "bent", data)


async def _compare_stored(twins: Twins, repository: str, *documents: bytes) -> None:
    questions = []
    for data in documents:
        manifest = Manifest(data, types.OCI_MANIFEST)
        content = Content((manifest,), {})
        twins.store(repository, content)
        questions.append(Question("GET", f"/v2/{repository}/manifests/{manifest.digest}", ACCEPT))
    await twins.agree(questions)


@pytest.mark.parametrize("delete_untagged", [False, True], ids=["unreferenced", "untagged"])
@pytest.mark.parametrize("deed", [None, *DEEDS], ids=str)
def test_garbage_collection(
    tmp_path_factory: pytest.TempPathFactory, deed: Deed | None, delete_untagged: bool
) -> None:
    """The garbage collector deletes the same, or gives up on the same."""
    program = InstalledRegistry(find_program("docker-registry"))
    real = DockerRegistry(tmp_path_factory.mktemp("registry"), program=program)
    model = InProcessRegistry()
    shared_layer = c.layer("shared")
    contents = {
        "a/index": c.multi_platform("index", attestations=True, shared=[shared_layer]),
        "a/image": c.image("image", shared=[shared_layer]),
    }
    for registry in (real, model):
        for name, content in contents.items():
            store(registry.storage, name, content, TAG, "second")
        store(registry.storage, "a/image", c.image("newer"), TAG)
        if deed is not None:
            deed.do(registry.damage, "a/index", contents["a/index"], TAG)
    outcomes = []
    for registry in (real, model):
        try:
            registry.garbage_collect(delete_untagged=delete_untagged)
        except (GarbageCollectionError, ProcessError):
            outcomes.append("failed")
        else:
            outcomes.append("done")
    assert outcomes[0] == outcomes[1]
    assert tree(real.storage) == tree(model.storage)


def test_garbage_collection_without_a_tag(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A repository that is known by digest alone stops the collector of untagged manifests."""
    program = InstalledRegistry(find_program("docker-registry"))
    real = DockerRegistry(tmp_path_factory.mktemp("registry"), program=program)
    store(real.storage, "a/digest", c.image("digest"))
    model = InProcessRegistry()
    store(model.storage, "a/digest", c.image("digest"))
    with pytest.raises(ProcessError, match="unknown repository name"):
        real.garbage_collect(delete_untagged=True)
    with pytest.raises(GarbageCollectionError):
        model.garbage_collect(delete_untagged=True)
    assert tree(real.storage) == tree(model.storage)
