"""One request for each blob of a registry proves its data; when it fails, everyone else asks the same way."""

import asyncio

import httpx
import pytest

from exporter.registry import Purpose
from sample import content as make
from sample import media_types
from sample.content import Blob, Content
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, change, fail, manifest, status

SHARED = make.layer("shared", 100)
IMAGES = [make.image(f"image {number}", layers=1, shared=[SHARED]) for number in range(4)]
NAMES = [f"app-{number}" for number in range(4)]


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    for name, image in zip(NAMES, IMAGES, strict=True):
        registry.store(name, image, "latest")
    return registry


def asked_for(registry: ScriptedRegistry, digest: str) -> list[str]:
    """How a blob was asked for: by `HEAD`, by `last byte` or by `GET`."""
    how = []
    for asked in registry.asked:
        method, path, *byte_range = asked.split()
        if path.endswith(digest):
            how.append("last byte" if byte_range else method)
    return how


async def test_of_each_blob_one_request_is_for_the_last_byte(registry: ScriptedRegistry):
    """Of a shared one in one repository only; the others are asked by HEAD."""
    await Watcher(registry).walk()
    assert sorted(asked_for(registry, SHARED.digest)) == ["HEAD", "HEAD", "HEAD", "last byte"]
    for image in IMAGES:
        assert asked_for(registry, image.root.config.digest) == ["last byte"]
        assert asked_for(registry, image.root.layers[1].digest) == ["last byte"]
    assert f"GET {blob('app-0', SHARED.digest)} bytes=99-99" in registry.asked or any(
        asked.endswith(f"{SHARED.digest} bytes=99-99") for asked in registry.asked
    )


async def test_each_cycle_proves_anew(registry: ScriptedRegistry):
    """What was proved a cycle ago may be gone by now."""
    watcher = Watcher(registry)
    await watcher.walk()
    registry.asked.clear()
    await watcher.walk()
    assert sorted(asked_for(registry, SHARED.digest)) == ["HEAD", "HEAD", "HEAD", "last byte"]


@pytest.mark.parametrize(
    "content", [*IMAGES[:1], make.nested_index("nested", 3), make.buildkit_cache("cache")]
)
async def test_an_intact_registry_costs_the_floor(content: Content):
    """Catalog, tag lists, tags, distinct manifests and blobs a repository, and not one request more."""
    registry = ScriptedRegistry()
    for name in NAMES:
        registry.store(name, content, "latest", "v1")
        registry.store(name, IMAGES[3], "other")
    watcher = Watcher(registry)
    floor = 1 + len(NAMES) * (1 + 3) + len(registry.manifests) + len(registry.blobs)
    for _ in range(3):
        mark = len(registry.asked)
        report = await watcher.walk()
        assert findings(report) == []
        assert (report.requests, len(registry.asked) - mark) == (floor, floor)
        assert report.extra_requests == dict.fromkeys(report.extra_requests, 0)
        assert len(set(registry.asked[mark:])) == floor


def lying(registry: ScriptedRegistry, name: str, digest: str) -> None:
    """Answer as a registry with a descriptor cache whose data is gone: HEAD is right, the body is short."""

    def act(request: httpx.Request) -> httpx.Response:
        headers = {"Content-Length": "1", "Content-Range": "bytes 99-99/100"}
        return httpx.Response(206, headers=headers, stream=_Broken(request))

    registry.on("GET", blob(name, digest), act)


class _Broken(httpx.AsyncByteStream):
    def __init__(self, request: httpx.Request) -> None:
        self._request = request

    async def __aiter__(self):
        raise httpx.RemoteProtocolError("ended early", request=self._request)
        yield b""


@pytest.mark.parametrize("concurrency", [1, 2, 16])
async def test_a_failed_proof_is_every_repositorys_business(registry: ScriptedRegistry, concurrency: int):
    """Those that asked by HEAD before, or come later, read the last byte too, and find it missing."""
    for name in NAMES:
        lying(registry, name, SHARED.digest)
    report = await Watcher(registry, concurrency=concurrency).walk()
    assert findings(report) == [
        broken(name, "layer", SHARED.digest, "latest", reason="truncated") for name in NAMES
    ]
    how = asked_for(registry, SHARED.digest)
    attempts = 2  # a short body is asked for once more at once
    assert how.count("last byte") == len(NAMES) * 2 * attempts
    assert how.count("HEAD") < len(NAMES)


async def test_where_data_is_stored_for_each_repository_only_one_is_broken(registry: ScriptedRegistry):
    """That others ask the same way does not make them broken: their last byte arrives."""
    lying(registry, NAMES[0], SHARED.digest)
    registry.catalog = NAMES
    assert await Watcher(registry, concurrency=1).findings() == [
        broken(NAMES[0], "layer", SHARED.digest, "latest", reason="truncated"),
    ]
    for name in NAMES[1:]:
        assert f"GET {blob(name, SHARED.digest)} bytes=99-99" in registry.asked


async def test_who_asked_by_head_while_the_proof_was_under_way_asks_again():
    """The repository with the proof is slow; the others are long done with all else and wait for it."""
    registry = ScriptedRegistry()
    shared = make.image("alone", layers=0, shared=[SHARED])
    for name in NAMES:
        registry.store(name, shared, "latest")
    slow = SlowFirst(registry, SHARED.digest)
    for name in NAMES:
        lying(registry, name, SHARED.digest)
    watcher = Watcher(registry)
    watcher.cycle = Watcher(slow).cycle
    report = await watcher.walk()
    assert findings(report) == [
        broken(name, "layer", SHARED.digest, "latest", reason="truncated") for name in NAMES
    ]
    assert asked_for(registry, SHARED.digest)[:3] == ["HEAD", "HEAD", "HEAD"]


class SlowFirst(httpx.AsyncBaseTransport):
    """Lets the first last-byte request for a blob take a second less than the timeout."""

    def __init__(self, registry: ScriptedRegistry, digest: str) -> None:
        self._registry, self._digest, self._first = registry, digest, True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(self._digest) and request.method == "GET" and self._first:
            self._first = False
            await asyncio.sleep(9.0)
        return await self._registry.handle_async_request(request)


@pytest.mark.parametrize(
    ("action", "finding"),
    [
        (status(404, "BLOB_UNKNOWN"), broken("app-0", "layer", SHARED.digest, "latest")),
        (status(403), unverified("app-0", "layer", SHARED.digest, "latest", reason="forbidden")),
        (fail(httpx.ReadTimeout), unverified("app-0", "layer", SHARED.digest, "latest", reason="timeout")),
    ],
    ids=["no link", "forbidden", "timeout"],
)
async def test_a_proof_that_could_not_be_had_in_one_repository_is_had_in_the_others(
    registry: ScriptedRegistry, action, finding
):
    """A missing link or an error says nothing of the data: the others read the last byte themselves."""
    registry.on("*", blob("app-0", SHARED.digest), action)
    registry.catalog = NAMES
    report = await Watcher(registry, concurrency=1).walk()
    assert findings(report) == [finding]
    for name in NAMES[1:]:
        assert f"GET {blob(name, SHARED.digest)} bytes=99-99" in registry.asked


@pytest.mark.parametrize(("concurrency", "asked_twice"), [(1, 0), (16, 3)])
async def test_who_has_to_ask_twice_is_counted_apart(concurrency: int, asked_twice: int):
    """The walk's requests are those of the floor; who asked by HEAD before the proof failed comes on top."""
    registry = ScriptedRegistry()
    shared = make.image("alone", layers=0, shared=[SHARED])
    for name in NAMES:
        registry.store(name, shared, "latest")
    for name in NAMES:
        registry.blobs[name, SHARED.digest] = SHARED.data[:50]
        registry.on("HEAD", blob(name, SHARED.digest), right_length)
    report = await Watcher(registry, concurrency=concurrency).walk()
    assert report.broken_tags == len(NAMES)
    assert report.requests == 1 + len(NAMES) * 2 + len(registry.manifests) + len(registry.blobs)
    confirmation = len(NAMES) * 3  # the tags, the tag, the last byte
    assert report.extra_requests == dict.fromkeys(report.extra_requests, 0) | {
        Purpose.CONFIRMATION: confirmation + asked_twice
    }


def right_length(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Length": "100"}, stream=httpx.ByteStream(b""))


async def test_a_proof_that_fails_when_the_blob_is_lost_meanwhile(registry: ScriptedRegistry):
    """Repositories that were finished before are asked again: none is intact on the word of a HEAD."""
    registry.catalog = NAMES

    def lose() -> None:
        for name in NAMES:
            registry.blobs.pop((name, SHARED.digest), None)

    registry.on("GET", blob("app-0", SHARED.digest), change(lose), times=1)
    assert await Watcher(registry, concurrency=1).findings() == [
        broken(name, "layer", SHARED.digest, "latest") for name in NAMES
    ]


async def test_a_blob_without_a_byte_is_asked_by_head():
    """There is no last byte to read."""
    registry = ScriptedRegistry()
    empty = make.empty_layer_image("empty")
    registry.store("app", empty, "latest")
    registry.store("web", empty, "latest")
    watcher = Watcher(registry)
    assert await watcher.findings() == []
    digest = empty.root.layers[0].digest
    assert asked_for(registry, digest) == ["HEAD", "HEAD"]
    del registry.blobs["app", digest]
    registry.blobs["web", digest] = b"not empty"
    assert await watcher.findings() == [
        broken("app", "layer", digest, "latest"),
        broken("web", "layer", digest, "latest", reason="size_mismatch"),
    ]


async def test_a_blob_of_one_byte_has_a_last_byte():
    """Its range is its whole."""
    registry = ScriptedRegistry()
    image = make.image("tiny", layers=0, shared=[Blob(b"\n", media_types.OCI_LAYER)])
    registry.store("app", image, "latest")
    watcher = Watcher(registry)
    assert await watcher.findings() == []
    digest = image.root.layers[0].digest
    assert f"GET {blob('app', digest)} bytes=0-0" in registry.asked
    registry.blobs["app", digest] = b""
    assert await watcher.findings() == [broken("app", "layer", digest, "latest", reason="size_mismatch")]


async def test_no_proof_is_owed_to_a_repository_that_is_left(registry: ScriptedRegistry):
    """A tag deleted while others prove its blobs neither hangs nor leaves a finding."""
    registry.on("HEAD", manifest("app-1", "latest"), change(registry.tags["app-1"].clear), times=1)
    lying(registry, "app-0", SHARED.digest)
    registry.catalog = NAMES
    assert await Watcher(registry, concurrency=1).findings() == [
        broken("app-0", "layer", SHARED.digest, "latest", reason="truncated")
    ]
