"""How blobs are asked for: by their last byte where ranges work, by HEAD where not or where told so."""

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.integrity import BlobCheck
from exporter.registry import Purpose
from sample import content as make
from sample import media_types
from sample.content import Blob
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import ScriptedRegistry, blob, change, status

SMALL, LARGE = make.layer("small", 10), make.layer("large", 100_000)
IMAGE = make.image("app", layers=1, shared=[LARGE, SMALL])
CONFIG = IMAGE.root.config.digest
LAYER = IMAGE.root.layers[2].digest
IGNORED = "the registry ignores ranges: blobs are checked by HEAD, which does not prove their data"


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", IMAGE, "latest")
    return registry


def ways(registry: ScriptedRegistry, mark: int = 0) -> dict[str, list[str]]:
    """How each blob was asked for since."""
    how: dict[str, list[str]] = {}
    for asked in registry.asked[mark:]:
        method, path, *byte_range = asked.split()
        if "/blobs/" in path:
            how.setdefault(path.rpartition("/")[2], []).append("last byte" if byte_range else method)
    return how


@pytest.mark.parametrize("check", BlobCheck)
async def test_where_ranges_work_the_choice_decides(registry: ScriptedRegistry, check: BlobCheck):
    """Every blob by its last byte with `auto` and `range`, every one by HEAD with `head`, once each."""
    way = "HEAD" if check is BlobCheck.HEAD else "last byte"
    watcher = Watcher(registry, blob_check=check)
    for _ in range(2):
        mark = len(registry.asked)
        assert await watcher.findings() == []
        assert ways(registry, mark) == {digest: [way] for digest in IMAGE.blobs}


async def test_auto_tries_ranges_on_the_smallest_blob(registry: ScriptedRegistry):
    """What a registry that ignores them begins to send is then as little as can be."""
    registry.ranges = False
    await Watcher(registry).walk()
    assert ways(registry) == {
        SMALL.digest: ["last byte"],
        **{digest: ["HEAD"] for digest in IMAGE.blobs if digest != SMALL.digest},
    }


@pytest.mark.parametrize("concurrency", [1, 16])
async def test_only_one_blob_is_tried_however_many_are_asked_for(
    registry: ScriptedRegistry, concurrency: int
):
    """While one tries ranges out the others wait, in every repository."""
    registry.ranges = False
    for number in range(10):
        registry.store(f"app-{number}", make.image(f"image {number}"), "latest")
    await Watcher(registry, concurrency=concurrency).walk()
    assert sum(way == ["last byte"] for way in ways(registry).values()) == 1


@pytest.mark.parametrize("check", [BlobCheck.AUTO, BlobCheck.RANGE])
async def test_ranges_that_are_ignored_are_given_up_for_good_and_said_once(
    registry: ScriptedRegistry, check: BlobCheck
):
    """From the first answer of the whole blob on, in this cycle and the next."""
    registry.ranges = False
    watcher = Watcher(registry, blob_check=check, concurrency=1)
    with capture_logs() as logs:
        for _ in range(3):
            assert await watcher.findings() == []
    assert [(entry["event"], entry["registry"]) for entry in logs] == [(IGNORED, "registry")]
    how = ways(registry)
    assert sum("last byte" in way for way in how.values()) == 1
    assert all(len(way) == 3 for way in how.values())


async def test_the_whole_blob_of_another_length_is_a_size_mismatch(registry: ScriptedRegistry):
    """A server that ignores ranges still tells how long the blob is."""
    registry.ranges = False
    registry.blobs["app", SMALL.digest] = SMALL.data[:-1]
    registry.blobs["app", LARGE.digest] = b""
    assert await Watcher(registry).findings() == [
        broken("app", "layer", digest, "latest", reason="size_mismatch")
        for digest in sorted([SMALL.digest, LARGE.digest])
    ]


async def test_a_whole_blob_without_a_length_proves_and_teaches_nothing(registry: ScriptedRegistry):
    """It may be any page at all: the blob is asked for by `HEAD`, on top, and ranges stay to be tried."""

    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b"<html>"))

    registry.on("GET", blob("app", SMALL.digest), page)
    with capture_logs() as logs:
        report = await Watcher(registry, concurrency=1).walk()
    assert (findings(report), logs) == ([], [])
    assert ways(registry)[SMALL.digest] == ["last byte", "HEAD"]
    assert sum("last byte" in way for way in ways(registry).values()) > 1
    assert report.extra_requests[Purpose.CONFIRMATION] == 1


async def test_a_blob_of_one_byte_teaches_nothing_of_ranges(registry: ScriptedRegistry):
    """Its range is its whole, which a server that knows ranges may send as such."""
    tiny = Blob(b"\n", media_types.OCI_LAYER)
    registry.store("app", make.image("tiny", layers=1, shared=[tiny, LARGE]), "latest")
    registry.on("GET", blob("app", tiny.digest), whole(1))
    with capture_logs() as logs:
        assert await Watcher(registry, concurrency=1).findings() == []
    assert logs == []
    assert set(map(tuple, ways(registry).values())) == {("last byte",)}


async def test_a_single_answer_of_a_whole_blob_does_not_outweigh_ranges_that_worked(
    registry: ScriptedRegistry,
):
    """A cache in front may answer one blob whole; the others' data goes on being proved."""
    watcher = Watcher(registry, concurrency=1)
    await watcher.walk()
    registry.on("GET", blob("app", LAYER), whole(64), times=1)
    with capture_logs() as logs:
        await watcher.walk()
    assert logs == []
    mark = len(registry.asked)
    await watcher.walk()
    assert ways(registry, mark) == {digest: ["last byte"] for digest in IMAGE.blobs}


def whole(length: int):
    def act(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers={"Content-Length": str(length)}, stream=httpx.ByteStream(b"x" * length)
        )

    return act


async def test_head_is_for_good_whatever_a_confirmation_sees(registry: ScriptedRegistry):
    """A confirmation asks by GET; that its range worked does not make the walk use ranges."""
    watcher = Watcher(registry, blob_check=BlobCheck.HEAD)
    registry.on("HEAD", blob("app", LAYER), status(404), times=1)
    assert await watcher.findings() == []
    assert ways(registry)[LAYER] == ["HEAD", "last byte"]
    mark = len(registry.asked)
    await watcher.walk()
    assert ways(registry, mark) == {digest: ["HEAD"] for digest in IMAGE.blobs}


async def test_given_up_ranges_are_not_taken_up_again_by_a_confirmation(registry: ScriptedRegistry):
    """From the first answer that ignores them on, HEAD, even if a later range happens to work."""
    registry.ranges = False
    watcher = Watcher(registry, suspect_delay=0.0)
    await watcher.walk()
    registry.ranges = True
    registry.on("HEAD", blob("app", LAYER), status(404), times=1)
    assert await watcher.findings() == []
    mark = len(registry.asked)
    await watcher.walk()
    assert ways(registry, mark) == {digest: ["HEAD"] for digest in IMAGE.blobs}


async def test_head_does_not_see_lost_data_behind_a_right_head_but_a_wrong_one_is_confirmed(
    registry: ScriptedRegistry,
):
    """Its price is said in the docs; what HEAD does see is confirmed by GET."""
    registry.on("HEAD", blob("app", LAYER), whole(64))
    del registry.blobs["app", LAYER]
    del registry.blobs["app", CONFIG]
    assert await Watcher(registry, blob_check=BlobCheck.HEAD).findings() == [
        broken("app", "config", CONFIG, "latest")
    ]


@pytest.mark.parametrize("number", [401, 403, 405])
@pytest.mark.parametrize("check", [BlobCheck.HEAD, BlobCheck.AUTO])
async def test_where_head_is_refused_the_last_byte_decides(
    registry: ScriptedRegistry, number: int, check: BlobCheck
):
    """Some registries and gateways let GET through and not HEAD."""
    registry.store("web", IMAGE, "latest")
    for name in ("app", "web"):
        for digest in IMAGE.blobs:
            registry.on("HEAD", blob(name, digest), status(number))
    watcher = Watcher(registry, blob_check=check)
    assert await watcher.findings() == []
    del registry.blobs["web", LAYER]
    assert await watcher.findings() == [broken("web", "layer", LAYER, "latest")]
    registry.on("GET", blob("app", CONFIG), status(403))
    registry.on("GET", blob("web", CONFIG), status(403))
    assert unverified("app", "config", CONFIG, "latest", reason="forbidden") in await watcher.findings()


@pytest.mark.parametrize("number", [408, 429, 500])
async def test_another_refusal_of_head_is_unverified(registry: ScriptedRegistry, number: int):
    """Only what says that HEAD is not welcome makes the walk try GET."""
    reason = {408: "timeout", 429: "rate_limited", 500: "server_error"}[number]
    registry.on("HEAD", blob("app", LAYER), status(number))
    assert await Watcher(registry, blob_check=BlobCheck.HEAD).findings() == [
        unverified("app", "layer", LAYER, "latest", reason=reason)
    ]


def partial(total: str, first: int = 63, body: bytes = b"x"):
    def act(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Range": f"bytes {first}-{first}/{total}", "Content-Length": str(len(body))}
        return httpx.Response(206, headers=headers, stream=httpx.ByteStream(body))

    return act


@pytest.mark.parametrize(
    ("action", "finding"),
    [
        (partial("64"), None),
        (partial("*"), None),
        (partial("65"), broken("app", "layer", LAYER, "latest", reason="size_mismatch")),
        (partial("64", body=b""), broken("app", "layer", LAYER, "latest", reason="truncated")),
        (partial("*", body=b""), broken("app", "layer", LAYER, "latest", reason="truncated")),
        (partial("64", first=0), unverified("app", "layer", LAYER, "latest", reason="protocol")),
        (status(206), unverified("app", "layer", LAYER, "latest", reason="protocol")),
        (status(416), broken("app", "layer", LAYER, "latest", reason="size_mismatch")),
        (status(204), unverified("app", "layer", LAYER, "latest", reason="protocol")),
    ],
    ids=[
        "right total",
        "no total",
        "wrong total",
        "no byte",
        "no byte, no total",
        "another range",
        "no Content-Range",
        "416",
        "204",
    ],
)
async def test_an_answer_to_a_range_is_judged(registry: ScriptedRegistry, action, finding):
    """Status and headers before the body."""
    registry.on("GET", blob("app", LAYER), action)
    assert await Watcher(registry).findings() == ([finding] if finding else [])


async def test_auto_goes_on_trying_while_answers_say_nothing_of_ranges(registry: ScriptedRegistry):
    """Errors and missing blobs teach nothing; the first that serves a byte does."""
    registry.ranges = False
    for digest in list(IMAGE.blobs)[:3]:
        del registry.blobs["app", digest]
    report = await Watcher(registry).walk()
    assert len(findings(report)) == 3
    mark = len(registry.asked)
    registry.on("GET", "/v2/app/tags/list", change(lambda: registry.store("app", IMAGE)))
    watcher = Watcher(registry)
    assert await watcher.findings() == []
    assert sum(way == ["last byte"] for way in ways(registry, mark).values()) == 1
