"""The server over real sockets: what each address answers, to whom, and how it starts and stops."""

import asyncio
import errno
import gzip
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from exporter.daemon import LastReports
from exporter.integrity.finding import Finding, Impact, Kind, Reason, Verdict
from exporter.integrity.report import Outcome, RegistryKind, Report, RepositoryReport
from exporter.integrity.shards import Shard
from exporter.metrics import ExportedRegistry, ExporterMetrics
from exporter.oci import Digest
from exporter.web import ListenError, create_app, start_server
from exporter.web.negotiation import accepts_gzip, best_format

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
GONE = Finding(
    verdict=Verdict.BROKEN,
    reason=Reason.MISSING,
    impact=Impact.PULL,
    stale=False,
    repository="team/app",
    kind=Kind.CHILD,
    digest=Digest("sha256:" + "c" * 64),
    media_type=None,
    size=None,
    platform="linux/amd64",
    tags=("latest", "v7"),
    detail="answered 404 MANIFEST_UNKNOWN",
    first_seen=NOON,
)


def report(*findings: Finding, **fields: object) -> Report:
    """A complete cycle of the registry `private` that found these."""
    repository = RepositoryReport(
        "team/app", walked=True, tags=4, checked=dict.fromkeys(Kind, 0), findings=findings
    )
    usual = Report(
        registry="private",
        url="https://registry.example",
        kind=RegistryKind.PRIVATE,
        outcome=Outcome.COMPLETE,
        catalog_accessible=True,
        started_at=NOON,
        finished_at=NOON,
        duration_seconds=8.1,
        requests=20,
        extra_requests={},
        repositories={"team/app": repository},
    )
    return replace(usual, **fields)


class Site:
    """An application with what it shows."""

    def __init__(self, *names: str) -> None:
        self.reports = LastReports()
        urls = {name: f"https://{name}.example" for name in names}
        registries = [ExportedRegistry(name, url, 900) for name, url in urls.items()]
        self.metrics = ExporterMetrics(registries, self.reports, "1.2.3")
        self.app = create_app(self.metrics, self.reports, urls, "1.2.3")

    async def publish(self, last: Report) -> None:
        self.reports.replace(last)
        await self.metrics.refresh()


@pytest.fixture
def site() -> Site:
    """The site of two registries, of which nothing is known yet."""
    return Site("private", "edge")


@pytest.fixture
async def client(site: Site) -> AsyncIterator[TestClient]:
    """A client of that site, which neither asks for compression nor unpacks it."""
    async with TestClient(
        TestServer(site.app), auto_decompress=False, skip_auto_headers=["Accept-Encoding"]
    ) as it:
        yield it


async def test_metrics_are_text_unless_asked_otherwise(site: Site, client: TestClient):
    """Without an `Accept` header, the classic text format comes, uncompressed."""
    await site.publish(report(GONE))
    response = await client.get("/metrics")
    assert (response.status, response.headers["Content-Type"]) == (200, TEXT)
    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    text = await response.text()
    assert 'registry_integrity_broken_tags{registry="private",repository="team/app"} 2.0\n' in text
    assert 'registry_integrity_cycles_total{outcome="complete",registry="edge"} 0.0\n' in text


async def test_metrics_as_prometheus_asks_for_them(site: Site, client: TestClient):
    """Prometheus gets OpenMetrics, compressed, and can read it."""
    await site.publish(report(GONE))
    response = await client.get(
        "/metrics",
        headers={
            "Accept": PROMETHEUS_2,
            "Accept-Encoding": "gzip",
        },
    )
    assert response.headers["Content-Type"] == OPENMETRICS
    assert response.headers["Content-Encoding"] == "gzip"
    text = gzip.decompress(await response.read()).decode()
    assert text.endswith("# EOF\n")
    assert "registry_integrity_cycles" in [family.name for family in text_string_to_metric_families(text)]


async def test_a_large_exposition_is_sent_in_pieces(
    site: Site, client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    """All of it arrives, and no piece is so large that nothing else runs for long."""
    pieces: list[int] = []
    write = web.StreamResponse.write

    async def counting(self: web.StreamResponse, data: memoryview) -> None:
        pieces.append(len(data))
        await write(self, data)

    monkeypatch.setattr(web.StreamResponse, "write", counting)
    names = [f"team/{'x' * 100}-{number}" for number in range(1000)]
    many = {name: RepositoryReport(name, walked=True, checked=dict.fromkeys(Kind, 0)) for name in names}
    await site.publish(report(repositories=many))
    response = await client.get("/metrics")
    body = await response.read()
    assert response.headers["Content-Length"] == str(len(body)) == str(sum(pieces))
    assert (max(pieces), len(pieces)) == (2**18, -(-len(body) // 2**18))
    assert body.count(b"registry_integrity_tags{") == 1000
    assert (await client.head("/metrics")).status == 200
    assert sum(pieces) == len(body)


async def test_names_limit_the_answer(client: TestClient):
    """`name[]` may be given several times."""
    response = await client.get(
        "/metrics?name[]=registry_integrity_build_info&name[]=registry_integrity_interval_seconds"
    )
    samples = [line for line in (await response.text()).splitlines() if not line.startswith("#")]
    assert sorted(samples) == [
        'registry_integrity_build_info{version="1.2.3"} 1.0',
        'registry_integrity_interval_seconds{registry="edge"} 900.0',
        'registry_integrity_interval_seconds{registry="private"} 900.0',
    ]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("image/png", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"; charset=utf-8', OPENMETRICS),
        ("Application/OpenMetrics-Text;Version=1.0.0;q=0.2", OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=none", TEXT),
        ("application/openmetrics-text;q=nan", TEXT),
        ("application/openmetrics-text;q=0.4,text/plain;version=0.0.4;q=0.5", TEXT),
        ("text/plain;q=0.5,application/openmetrics-text;q=0.6", OPENMETRICS),
        ("text/plain,application/openmetrics-text", TEXT),
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
    ],
)
def test_format_is_negotiated(accept: str, content_type: str):
    """The better liked format wins, the first of equal ones, text where neither is asked for."""
    assert best_format(accept).value == content_type


@pytest.mark.parametrize(
    ("accept_encoding", "compress"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("identity, br", False),
        ("x-gzip-like", False),
    ],
)
def test_gzip_is_negotiated(accept_encoding: str, compress: bool):
    """Only where the header allows it by name."""
    assert accepts_gzip(accept_encoding) is compress


async def test_ready_once_every_registry_was_contacted(site: Site, client: TestClient):
    """Until then 503 names those that are missing; healthy it is all the time."""
    response = await client.get("/-/ready")
    assert (response.status, await response.text()) == (503, "not yet contacted: private, edge\n")
    site.metrics.requests("private").requested("GET", "401", 0.1)
    response = await client.get("/-/ready")
    assert (response.status, await response.text()) == (503, "not yet contacted: edge\n")
    site.metrics.cycle_ended("edge", Outcome.FAILED)
    response = await client.get("/-/ready")
    assert (response.status, await response.text()) == (200, "ready\n")
    response = await client.get("/-/healthy")
    assert (response.status, await response.text()) == (200, "healthy\n")


PATHS = ["/", "/style.css", "/metrics", "/-/healthy", "/-/ready"]


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_the_body(client: TestClient, path: str):
    """Same status and type, no body."""
    got, head = await client.get(path), await client.head(path)
    assert (head.status, head.headers["Content-Type"]) == (got.status, got.headers["Content-Type"])
    assert await head.read() == b""


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_refused(client: TestClient, path: str, method: str):
    """Nothing here can be changed."""
    response = await client.request(method, path)
    assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


async def test_unknown_paths_are_not_found(client: TestClient):
    """Nor do paths lead out of the package."""
    for path in (
        "/nothing",
        "/metrics/",
        "/-/nothing",
        "/templates/index.html",
        "/../pyproject.toml",
        "/%00",
    ):
        assert (await client.get(path)).status == 404, path


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_reload(method: str):
    """Whoever asks for it waits for the outcome, and is told what is wrong."""
    site, outcomes = Site("private"), [None, "timeout: 'x': expected a duration (config.yml, line 1)", None]

    async def reload() -> str | None:
        return outcomes.pop(0)

    app = create_app(site.metrics, site.reports, {}, "1.2.3", reload=reload)
    async with TestClient(TestServer(app)) as client:
        answers = [await client.request(method, "/-/reload") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 500, 200]
        assert await answers[0].text() == "reloaded\n"
        assert await answers[1].text() == (
            "failed to reload the configuration:\ntimeout: 'x': expected a duration (config.yml, line 1)\n"
        )
        answer = await client.get("/-/reload")
        assert (answer.status, answer.headers["Allow"]) == (405, "POST,PUT")
        assert outcomes == []


async def test_reload_is_off_unless_allowed(client: TestClient):
    """Without `web.enable_lifecycle` nobody may ask for it."""
    answer = await client.post("/-/reload")
    assert (answer.status, await answer.text()) == (
        403,
        "reloading is off: web.enable_lifecycle is not set\n",
    )
    assert (await client.get("/-/reload")).status == 405


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
async def test_headers_that_protect(client: TestClient, path: str):
    """Every answer forbids what a page of ours never does, and does not tell what it runs on."""
    headers = (await client.get(path)).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] == "registry-integrity-exporter"


class Page(HTMLParser):
    """What a browser would see: elements, links, and the cells of table rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._in_cell = False
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


async def page_of(client: TestClient) -> tuple[str, Page]:
    response = await client.get("/")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = await response.text()
    return text, Page(text)


async def test_page_before_the_first_report(client: TestClient):
    """Each registry stands there with its URL, and nothing is claimed of it."""
    text, page = await page_of(client)
    assert page.rows[1:] == [
        ["private", "https://private.example", "no cycle has ended yet"],
        ["edge", "https://edge.example", "no cycle has ended yet"],
    ]
    assert "Version 1.2.3" in text
    assert "Shard" not in text
    assert "Nothing broken or unverified is known." in text
    assert page.links == ["style.css", "metrics", "-/healthy", "-/ready"]
    for link in page.links:
        assert (await client.get(f"/{link}")).status in {200, 503}


async def test_page_of_a_shard_says_so():
    """Or else one would wonder where the other repositories are."""
    site = Site("private")
    app = create_app(site.metrics, site.reports, {"private": "https://private.example"}, "1.2.3", Shard(2, 8))
    async with TestClient(TestServer(app)) as client:
        text, _ = await page_of(client)
    assert "Shard 2/8: this exporter walks, and this page shows, only its share of the repositories" in text


async def test_page_shows_registries_and_findings(site: Site, client: TestClient):
    """One row for each registry, one for each finding and one for its evidence."""
    slow = replace(
        GONE,
        verdict=Verdict.UNVERIFIED,
        reason=Reason.TIMEOUT,
        stale=True,
        kind=Kind.TAG,
        digest=None,
        platform=None,
        tags=("old",),
        detail="no answer within 10 s",
    )
    await site.publish(
        report(GONE, slow, outcome=Outcome.INCOMPLETE, trouble="team/app was not walked whole")
    )
    _, page = await page_of(client)
    assert page.rows[1:3] == [
        [
            "private",
            "https://private.example",
            "incomplete: team/app was not walked whole",
            "2026-03-01 12:00:00 UTC",
            "1",
            "4",
            "2",
        ],
        ["edge", "https://edge.example", "no cycle has ended yet"],
    ]
    assert page.rows[4:] == [
        [
            "private",
            "team/app",
            "latest, v7",
            "broken",
            "missing",
            "pull",
            "child",
            "linux/amd64",
            "2026-03-01 12:00:00 UTC",
        ],
        ["", f"{GONE.digest} answered 404 MANIFEST_UNKNOWN"],
        [
            "private",
            "team/app",
            "old",
            "unverified (stale)",
            "timeout",
            "pull",
            "tag",
            "",
            "2026-03-01 12:00:00 UTC",
        ],
        ["", "no answer within 10 s"],
    ]


async def test_page_cuts_long_lists(site: Site, client: TestClient):
    """At most 200 findings, and ten tags of each, are shown; the others are counted."""
    many = tuple(f"v{number}" for number in range(1200))
    findings = [replace(GONE, digest=Digest.of(bytes([number]))) for number in range(250)]
    await site.publish(report(replace(GONE, tags=many), *findings))
    text, page = await page_of(client)
    assert len(page.rows) == 1 + 2 + 1 + 2 * 200
    assert page.rows[4][2] == "v0, v1, v2, v3, v4, v5, v6, v7, v8, v9 and 1190 more"
    assert "51 more are not shown." in text


async def test_hostile_words_are_escaped():
    """What comes from a registry, an operator or an error stays text, in every place of the page."""
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}\ud800"
    shown = hostile.replace("\ud800", "?")
    site = Site()
    site.app = create_app(site.metrics, site.reports, {hostile: f"javascript:{hostile}"}, hostile)
    finding = replace(
        GONE, repository=hostile, digest=hostile, platform=hostile, tags=(hostile,), detail=hostile
    )
    await site.publish(report(finding, registry=hostile, outcome=Outcome.FAILED, trouble=hostile))
    async with TestClient(TestServer(site.app)) as client:
        text, page = await page_of(client)
    assert {"script", "img"}.isdisjoint(page.tags)
    assert not [name for name in page.attributes if name.startswith("on") or name == "style"]
    assert page.links == ["style.css", "metrics", "-/healthy", "-/ready"]
    assert page.rows[1][:3] == [shown, f"javascript:{shown}", f"failed: {shown}"]
    row, evidence = page.rows[3:5]
    assert [row[0], row[1], row[2], row[7], evidence[1]] == [*[shown] * 4, f"{shown} {shown}"]
    assert "<script" not in text


async def test_page_can_be_used_without_eyes_and_without_scripts(site: Site, client: TestClient):
    """It has a language, one main heading, headers for columns and rows, no script and no inline style."""
    await site.publish(report(GONE))
    text, page = await page_of(client)
    assert '<html lang="en">' in text
    assert page.tags.count("h1") == 1
    assert page.tags.count("main") == 1
    assert text.count('scope="col"') == 7 + 9
    assert text.count('scope="row"') == 2
    assert {"script", "style", "iframe", "form"}.isdisjoint(page.tags)


@asynccontextmanager
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


async def test_empty_host_listens_on_both_families(site: Site):
    """One socket takes IPv4 and IPv6, on a free port when none is given, and tells which."""
    server = await start_server(site.app, "", 0)
    try:
        assert server.port > 0
        assert server.addresses == ((f"[::]:{server.port}" if has_ipv6() else f"0.0.0.0:{server.port}"),)
        async with http() as session:
            for host in ("127.0.0.1", "[::1]") if has_ipv6() else ("127.0.0.1",):
                async with session.get(f"http://{host}:{server.port}/-/healthy") as response:
                    assert response.status == 200
    finally:
        await server.close()


@pytest.mark.parametrize("error", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
async def test_empty_host_without_ipv6(site: Site, monkeypatch: pytest.MonkeyPatch, error: int):
    """Where the kernel has no IPv6, or has it switched off, IPv4 is served alone."""
    create_server = socket.create_server

    def without_ipv6(
        address: tuple[str, int], *, family: int = socket.AF_INET, **options: object
    ) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(error, os.strerror(error))
        return create_server(address, **options)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(socket, "create_server", without_ipv6)
    server = await start_server(site.app, "", 0)
    await server.close()
    assert server.addresses == (f"0.0.0.0:{server.port}",)


async def test_host_is_listened_on_alone(site: Site):
    """An address means this address."""
    server = await start_server(site.app, "127.0.0.1", 0)
    try:
        assert server.addresses == (f"127.0.0.1:{server.port}",)
        async with http() as session, session.get(f"http://127.0.0.1:{server.port}/-/healthy") as response:
            assert response.status == 200
    finally:
        await server.close()


async def test_name_with_several_addresses_has_one_port(site: Site, monkeypatch: pytest.MonkeyPatch):
    """A name may stand for an IPv4 and an IPv6 address; one that is not there does not hurt the other."""

    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0)),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    server = await start_server(site.app, "several.example", 0)
    await server.close()
    assert server.addresses == (f"127.0.0.1:{server.port}", f"127.0.0.2:{server.port}")


@pytest.mark.parametrize("host", ["", "127.0.0.1"])
async def test_address_in_use_is_a_typed_error(site: Site, host: str):
    """The error names the address and says why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            await start_server(site.app, host, port)
    assert str(caught.value) == f"cannot listen on {host}:{port}: Address already in use"


async def test_foreign_address_is_a_typed_error(site: Site):
    """An address that this machine has not, or a name that nobody knows."""
    with pytest.raises(
        ListenError, match=r"^cannot listen on 192\.0\.2\.1:9949: Cannot assign requested address$"
    ):
        await start_server(site.app, "192.0.2.1", 9949)
    with pytest.raises(ListenError, match=r"^cannot listen on \[2001:db8::1\]:9949: \w"):
        await start_server(site.app, "2001:db8::1", 9949)
    with pytest.raises(ListenError, match=r"^cannot listen on nowhere\.invalid:9949: \w"):
        await start_server(site.app, "nowhere.invalid", 9949)


async def test_port_is_free_after_close(site: Site):
    """Closing ends idle connections too, so that nothing is left of the server."""
    tasks = asyncio.all_tasks()
    server = await start_server(site.app, "127.0.0.1", 0)
    async with http() as session:
        async with session.get(f"http://127.0.0.1:{server.port}/-/healthy") as response:
            await response.read()
        await server.close()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"http://127.0.0.1:{server.port}/-/healthy")
    assert asyncio.all_tasks() == tasks
    await (await start_server(Site().app, "127.0.0.1", server.port)).close()


async def test_close_lets_a_request_under_way_finish():
    """A scrape in the middle of its answer still gets the whole of it."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response(text="whole")

    app = web.Application()
    app.router.add_get("/", slow)
    server = await start_server(app, "127.0.0.1", 0)
    async with http() as session, asyncio.TaskGroup() as group:
        asked = group.create_task(session.get(f"http://127.0.0.1:{server.port}/"))
        await begun.wait()
        closing = group.create_task(server.close())
        await asyncio.sleep(0.05)
        go_on.set()
        async with await asked as response:
            assert await response.text() == "whole"
        await closing


async def test_close_does_not_wait_for_ever():
    """A request that hangs is given up."""
    begun = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        begun.set()
        return await asyncio.get_running_loop().create_future()

    app = web.Application()
    app.router.add_get("/", hang)
    server = await start_server(app, "127.0.0.1", 0)
    async with http() as session:
        asked = asyncio.create_task(session.get(f"http://127.0.0.1:{server.port}/"))
        await begun.wait()
        async with asyncio.timeout(4):
            await server.close()
        with pytest.raises(aiohttp.ClientError):
            await asked


async def raw(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_server_errors_are_in_the_structured_log():
    """A bug in a handler is logged, and the answer does not show it; a scrape is not logged."""

    async def bug(_request: web.Request) -> web.Response:
        raise ZeroDivisionError("secret detail")

    site = Site()
    site.app.router.add_get("/bug", bug)
    server = await start_server(site.app, "127.0.0.1", 0)
    with capture_logs() as logs:
        async with http() as session:
            async with session.get(f"http://127.0.0.1:{server.port}/bug") as response:
                assert response.status == 500
                assert "secret detail" not in await response.text()
                assert response.headers["X-Content-Type-Options"] == "nosniff"
            async with session.get(f"http://127.0.0.1:{server.port}/metrics") as response:
                assert response.status == 200
        await server.close()
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("Error handling request from 127.0.0.1", "error")
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_requests_that_are_no_http_make_no_noise():
    """Scanners send anything: that is told at the debug level only."""
    server = await start_server(Site().app, "127.0.0.1", 0)
    with capture_logs() as logs:
        assert b" 400 " in await raw(server.port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert b" 400 " in await raw(server.port, b"GET / HTTP/1.1\r\nHost: a\r\nbroken header\r\n\r\n")
        await server.close()
    assert logs
    assert {line["log_level"] for line in logs} == {"debug"}
