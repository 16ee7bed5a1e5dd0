"""Failing is not broken: each fault has one reason, and one that passes leaves no trace."""

import asyncio

import httpx
import pytest

from exporter.integrity import Outcome
from exporter.registry import Purpose
from sample import content as make
from tests.integrity.cycles import Watcher, findings
from tests.integrity.expected import broken, unverified
from tests.integrity.scripted import Action, ScriptedRegistry, blob, fail, manifest, status

IMAGE = make.image("app", layers=1)
INDEX = make.index([IMAGE])
LAYER = IMAGE.root.layers[0].digest
HTML = b"<html>Bad gateway</html>"


@pytest.fixture
def registry() -> ScriptedRegistry:
    registry = ScriptedRegistry()
    registry.store("app", INDEX, "latest")
    return registry


def body(data: bytes, promised: int, number: int = 200, **headers: str) -> Action:
    """Announce a length and send less, then close the connection."""

    def act(request: httpx.Request) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(
            number,
            headers={"Content-Length": str(promised), **given},
            stream=_Cut(request, b"" if request.method == "HEAD" else data),
        )

    return act


class _Cut(httpx.AsyncByteStream):
    def __init__(self, request: httpx.Request, data: bytes) -> None:
        self._request, self._data = request, data

    async def __aiter__(self):
        if self._data:
            yield self._data
        if self._request.method != "HEAD":
            raise httpx.RemoteProtocolError("ended early", request=self._request)


FAULTS = {
    "401": (status(401, "UNAUTHORIZED"), "unauthorized"),
    "403": (status(403, "DENIED"), "forbidden"),
    "404 foreign": (status(404, body=HTML), "protocol"),
    "404 with another code": (status(404, "UNSUPPORTED"), "protocol"),
    "405": (status(405, "UNSUPPORTED"), "protocol"),
    "408": (status(408), "timeout"),
    "429": (status(429, "TOOMANYREQUESTS"), "rate_limited"),
    "500": (status(500, "UNKNOWN"), "server_error"),
    "502": (status(502, body=HTML), "server_error"),
    "503": (status(503), "server_error"),
    "504": (status(504), "server_error"),
    "599": (status(599), "server_error"),
    "418": (status(418), "protocol"),
    "302 to nowhere": (status(302), "protocol"),
    "304": (status(304), "protocol"),
    "connect timeout": (fail(httpx.ConnectTimeout), "timeout"),
    "read timeout": (fail(httpx.ReadTimeout), "timeout"),
    "connection refused": (fail(httpx.ConnectError), "connection"),
    "connection reset": (fail(httpx.ReadError), "connection"),
    "not HTTP": (fail(httpx.RemoteProtocolError), "protocol"),
}
PATHS = {
    "manifest": ("child", manifest("app", IMAGE.digest), IMAGE.digest),
    "blob": ("layer", blob("app", LAYER), LAYER),
}


@pytest.mark.parametrize(("kind", "path", "digest"), PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_has_its_reason(
    registry: ScriptedRegistry, kind: str, path: str, digest: str, fault: str
):
    """Unverified, whether it was met by GET in the first cycle or by HEAD in the second."""
    action, reason = FAULTS[fault]
    expected = [unverified("app", kind, digest, "latest", reason=reason)]
    watcher = Watcher(registry)
    assert await watcher.findings() == []
    registry.on("*", path, action)
    assert await watcher.findings() == expected
    assert await Watcher(registry).findings() == expected


TRANSIENT = ["408", "429", "500", "502", "503", "504", "read timeout", "connection reset"]


@pytest.mark.parametrize("path", [path for _, path, _ in PATHS.values()], ids=PATHS)
@pytest.mark.parametrize("fault", TRANSIENT)
async def test_what_fails_twice_and_then_answers_is_intact(registry: ScriptedRegistry, path: str, fault: str):
    """Asked again at once, with growing pauses, on top of the floor."""
    registry.on("*", path, FAULTS[fault][0], times=2)
    report = await Watcher(registry).walk()
    assert findings(report) == []
    assert report.extra_requests[Purpose.RETRY] == 2
    assert report.requests == 3 + len(registry.manifests) + len(registry.blobs)


@pytest.mark.parametrize("fault", TRANSIENT)
async def test_what_fails_twice_and_is_then_missing_is_missing(registry: ScriptedRegistry, fault: str):
    """The last answer counts."""
    del registry.blobs["app", LAYER]
    registry.on("*", blob("app", LAYER), FAULTS[fault][0], times=2)
    assert await Watcher(registry).findings() == [broken("app", "layer", LAYER, "latest")]


@pytest.mark.parametrize("number", [429, 503])
async def test_a_refusal_that_tells_for_how_long_holds_everything_back(
    registry: ScriptedRegistry, number: int
):
    """For so long nothing is asked; then all of it is answered."""
    moments: list[float] = []

    def refuse(_: httpx.Request) -> httpx.Response:
        moments.append(asyncio.get_running_loop().time())
        headers = {"Retry-After": "40"}
        return httpx.Response(number, headers=headers, stream=httpx.ByteStream(b""))

    registry.on("*", manifest("app", IMAGE.digest), refuse, times=1)
    assert await Watcher(registry).findings() == []
    assert asyncio.get_running_loop().time() - moments[0] >= 40.0


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_of_the_catalog_is_a_finding(registry: ScriptedRegistry, fault: str):
    """The cycle has failed, and says why."""
    registry.on("*", "/v2/_catalog", FAULTS[fault][0])
    report = await Watcher(registry).walk()
    assert (report.outcome, findings(report)) == (Outcome.FAILED, [])
    assert report.trouble is not None
    assert "/v2/_catalog" in report.trouble


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_a_tag_list_has_its_reason(registry: ScriptedRegistry, fault: str):
    """The repository is unverified; it has not lost its tags."""
    action, reason = FAULTS[fault]
    watcher = Watcher(registry)
    first = await watcher.walk()
    registry.on("*", "/v2/app/tags/list", action)
    report = await watcher.walk()
    assert findings(report) == [unverified("app", "tag", None, reason=reason)]
    assert report.repositories["app"].checked == first.repositories["app"].checked


@pytest.mark.parametrize(
    "answer",
    [
        status(404, "NAME_UNKNOWN"),
        status(200, body=b'{"name": "app", "tags": null}'),
        status(200, body=b'{"tags": []}'),
    ],
    ids=["NAME_UNKNOWN", "null", "empty"],
)
async def test_a_repository_without_tags_is_no_finding(registry: ScriptedRegistry, answer: Action):
    """And verified: there is nothing to ask for."""
    registry.on("GET", "/v2/app/tags/list", answer)
    report = await Watcher(registry).walk()
    assert findings(report) == []
    assert report.outcome is Outcome.COMPLETE
    assert report.repositories["app"].last_verified is not None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(200, body=b"not JSON"), "protocol"),
        (status(200, body=b"{}"), "protocol"),
        (status(200, body=b'{"tags": {}}'), "protocol"),
        (status(200, body=b'{"tags": [1]}'), "protocol"),
        (body(b'{"tags": [', 20), "protocol"),
        (status(404, "MANIFEST_UNKNOWN"), "protocol"),
    ],
    ids=["not JSON", "no tags", "an object", "numbers", "cut", "404 with another code"],
)
async def test_a_wrong_tag_list_says_nothing_of_the_tags(
    registry: ScriptedRegistry, answer: Action, reason: str
):
    """Only NAME_UNKNOWN and null mean that there are none."""
    registry.on("GET", "/v2/app/tags/list", answer)
    assert await Watcher(registry).findings() == [unverified("app", "tag", None, reason=reason)]


@pytest.mark.parametrize(
    ("path", "answer", "finding"),
    [
        (
            manifest("app", IMAGE.digest),
            body(b"{", IMAGE.root.size, Content_Type=IMAGE.root.media_type),
            broken("app", "child", IMAGE.digest, "latest", reason="truncated"),
        ),
        (
            blob("app", LAYER),
            body(b"", 1, 206, Content_Range="bytes 63-63/64"),
            broken("app", "layer", LAYER, "latest", reason="truncated"),
        ),
        (
            manifest("app", IMAGE.digest),
            status(200, body=IMAGE.root.data[:-1]),
            broken("app", "child", IMAGE.digest, "latest", reason="digest_mismatch"),
        ),
    ],
    ids=["manifest cut", "blob cut", "manifest short, its length too"],
)
async def test_a_body_that_is_cut_short_is_broken(
    registry: ScriptedRegistry, path: str, answer: Action, finding
):
    """Every time it is asked for; once is not enough."""
    end = registry.on("GET", path, answer)
    assert await Watcher(registry).findings() == [finding]
    end()
    registry.on("GET", path, answer, times=1)
    assert await Watcher(registry).findings() == []


def page(request: httpx.Request) -> httpx.Response:
    """Ask for a login, as a portal does that answers in the registry's place."""
    body = b"" if request.method == "HEAD" else HTML
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(HTML))}
    return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))


@pytest.mark.parametrize(
    ("reference", "kind", "digest"),
    [("latest", "tag", None), (INDEX.digest, "tag", INDEX.digest), (IMAGE.digest, "child", IMAGE.digest)],
    ids=["tag", "root", "child"],
)
@pytest.mark.parametrize("cycles", [0, 1], ids=["first cycle", "second cycle"])
async def test_a_web_page_is_no_manifest(
    registry: ScriptedRegistry, reference: str, kind: str, digest: str | None, cycles: int
):
    """Whatever its status: it is neither missing nor malformed, nor is its digest that of the tag."""
    watcher = Watcher(registry)
    for _ in range(cycles):
        await watcher.walk()
    registry.on("*", manifest("app", reference), page)
    assert await watcher.findings() == [unverified("app", kind, digest, "latest", reason="protocol")]


def redirect(target: str, number: int = 307) -> Action:
    def act(_: httpx.Request) -> httpx.Response:
        return httpx.Response(number, headers={"Location": target}, stream=httpx.ByteStream(b""))

    return act


STORE = "/bucket/object"


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (status(404, body=b"<Error><Code>NoSuchKey</Code></Error>"), broken("app", "layer", LAYER, "latest")),
        (status(403, body=b"<Error/>"), unverified("app", "layer", LAYER, "latest", reason="forbidden")),
        (status(503), unverified("app", "layer", LAYER, "latest")),
        (status(416), broken("app", "layer", LAYER, "latest", reason="size_mismatch")),
    ],
    ids=["404", "403", "503", "416"],
)
async def test_the_store_that_a_registry_redirects_to_is_believed(
    registry: ScriptedRegistry, answer: Action, finding
):
    """Its 404 needs no code of the specification; its 403 says nothing."""
    registry.on("*", blob("app", LAYER), redirect(f"https://store.invalid{STORE}"))
    registry.on("*", STORE, answer)
    assert await Watcher(registry).findings() == [finding]


@pytest.mark.parametrize("target", [STORE, f"http://registry.invalid{STORE}"], ids=["relative", "absolute"])
async def test_a_redirect_within_the_registry_changes_nothing(registry: ScriptedRegistry, target: str):
    """A foreign 404 of the registry's own origin is still foreign."""
    registry.on("*", blob("app", LAYER), redirect(target))
    registry.on("*", STORE, status(404, body=HTML))
    assert await Watcher(registry).findings() == [
        unverified("app", "layer", LAYER, "latest", reason="protocol")
    ]


async def test_redirects_are_counted_apart(registry: ScriptedRegistry):
    """The floor knows nothing of them."""
    data = {"Content-Length": "1", "Content-Range": "bytes 63-63/64"}
    registry.on("*", blob("app", LAYER), redirect(f"https://store.invalid{STORE}"))
    registry.on("*", STORE, lambda _: httpx.Response(206, headers=data, stream=httpx.ByteStream(b"x")))
    report = await Watcher(registry).walk()
    assert findings(report) == []
    assert report.extra_requests[Purpose.REDIRECT] == 1
    assert report.requests == 3 + len(registry.manifests) + len(registry.blobs)


async def test_a_configured_list_needs_no_catalog(registry: ScriptedRegistry):
    """`/v2/` is asked in its place; a repository that is not there has no tags."""
    registry.store("web", IMAGE, "latest")
    report = await Watcher(registry, repositories=("app", "gone")).walk()
    assert sorted(report.repositories) == ["app", "gone"]
    assert [asked for asked in registry.asked if not asked.startswith(("GET /v2/app", "HEAD /v2/app"))] == [
        "GET /v2/",
        "GET /v2/gone/tags/list",
    ]
    registry.on("*", "/v2/", status(401))
    failed = await Watcher(registry, repositories=("app",)).walk()
    assert (failed.outcome, failed.catalog_accessible) == (Outcome.FAILED, False)


async def test_a_pull_through_cache_is_not_walked_unless_repositories_are_named(registry: ScriptedRegistry):
    """Asking would make it download; its catalog is read, so that its being down is known."""
    report = await Watcher(registry, kind="pull-through").walk()
    assert registry.asked == ["GET /v2/_catalog"]
    assert (report.outcome, list(report.repositories)) == (Outcome.COMPLETE, ["app"])
    del registry.blobs["app", LAYER]
    assert await Watcher(registry, kind="pull-through", repositories=("app",)).findings() == [
        broken("app", "layer", LAYER, "latest")
    ]
