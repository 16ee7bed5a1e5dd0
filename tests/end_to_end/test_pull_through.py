"""Pull-through caches: what a walk of one makes it fetch from upstream, by upstream's own log."""

import json
from pathlib import Path
from typing import Any

import pytest

from sample import content
from sample.registry import DockerRegistry
from tests.parts.exporter import run
from tests.parts.fixtures import StartNginx, StartRegistry
from tests.parts.waiting import wait_until

IMAGE = content.multi_platform("cached", layers=2, layer_size=100_000)
CACHED = IMAGE.manifests[0].config.digest
OTHER = content.image("not cached", layers=1)
CACHE = "a pull-through cache by its looks, which downloads what it is asked for: see kind: pull-through"
QUIET = {"REGISTRY_INTEGRITY_LOG_FORMAT": "json"}


async def upstream_and_cache(start_registry: StartRegistry) -> tuple[DockerRegistry, DockerRegistry]:
    """A registry with images, and a cache of it that has one blob of one repository, and so lists that."""
    upstream = start_registry()
    await upstream.push("team/app", IMAGE, "latest", "v1")
    await upstream.push("team/other", OTHER, "latest")
    cache = start_registry(more={"proxy": {"remoteurl": upstream.url}})
    async with cache.client() as client:
        answer = await client.get(f"/v2/team/app/blobs/{CACHED}")
        assert answer.content == IMAGE.blobs[CACHED]

        async def catalog() -> Any:
            return (await client.get("/v2/_catalog")).json()

        # It stores a blob beside handing it out.
        await wait_until(catalog, lambda listed: listed == {"repositories": ["team/app"]}, what="a catalog")
    return upstream, cache


def walked(url: str, folder: Path, *, status: int, **environment: str) -> list[dict[str, Any]]:
    """Walk a registry once; return what was logged."""
    variables = {f"REGISTRY_INTEGRITY_{name}": value for name, value in environment.items()}
    ended, lines = run("probe", f"--registry=cache={url}", folder=folder, environment={**QUIET, **variables})
    assert ended == status
    return [json.loads(line) for line in lines if line.startswith("{")]


def warnings(lines: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(line["registry"], line["repository"], line["sign"]) for line in lines if line["event"] == CACHE]


@pytest.mark.parametrize(
    "settings",
    [
        {"KIND": "pull-through"},
        {"OVERRIDES": '[{"repository": "team/*", "kind": "pull-through"}]'},
    ],
    ids=["registry", "override"],
)
async def test_walking_a_cache_asks_upstream_for_nothing(
    start_registry: StartRegistry, tmp_path: Path, settings: dict[str, str]
) -> None:
    """Not one request for a blob, nor any other, reaches the registry behind it."""
    upstream, cache = await upstream_and_cache(start_registry)
    mark, mark_of_cache = upstream.mark(), cache.mark()
    lines = walked(cache.url, tmp_path, status=0, **settings)
    assert upstream.requests(mark) == []
    assert [access.target for access in cache.requests(mark_of_cache)] == ["/v2/_catalog?n=1000"]
    assert warnings(lines) == []


async def test_a_cache_that_is_not_said_to_be_one_is_found_out(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """The first blob that it fetches shows it; this is what such a walk costs: all that it had not."""
    upstream, cache = await upstream_and_cache(start_registry)
    mark = upstream.mark()
    lines = walked(cache.url, tmp_path, status=0)
    fetched = {
        access.path
        for access in upstream.requests(mark)
        if access.method == "GET" and "/blobs/" in access.path
    }
    assert fetched == {f"/v2/team/app/blobs/{digest}" for digest in IMAGE.blobs.keys() - {CACHED}}
    sign = "an Etag that is the bare digest, as distribution and Harbor give content from upstream"
    assert warnings(lines) == [("cache", "team/app", sign)]


async def test_a_repository_of_a_cache_is_walked_when_it_is_named(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    """Only that one, and without a warning."""
    upstream, cache = await upstream_and_cache(start_registry)
    mark = upstream.mark()
    lines = walked(cache.url, tmp_path, status=0, KIND="pull-through", REPOSITORIES="team/other")
    asked = {access.path for access in upstream.requests(mark)} - {"/v2/"}
    assert {path.split("/")[3] for path in asked} == {"other"}
    assert any("/blobs/" in path for path in asked)
    assert warnings(lines) == []


async def test_an_nginx_that_keeps_blobs_is_found_out_where_it_says_so(
    start_registry: StartRegistry, start_nginx: StartNginx, tmp_path: Path
) -> None:
    """With the header that its documentation proposes, at the first tag; without, not at all."""
    registry = start_registry()
    await registry.push("team/app", IMAGE, "latest")
    cached = f"proxy_pass {registry.url}; proxy_cache kept; proxy_cache_valid 200 1h;"
    header = "add_header X-Cache-Status $upstream_cache_status;"
    zone = "proxy_cache_path kept keys_zone=kept:1m;"
    telling = start_nginx(f"location / {{ {cached} {header} }}", http=zone)
    silent = start_nginx(f"location / {{ {cached} }}", http=zone)
    mark = registry.mark()
    told = walked(telling.url, tmp_path, status=0)
    # Of a range that it has not kept, nginx fetches the whole.
    sizes = {access.path: access.size for access in registry.requests(mark) if "/blobs/" in access.path}
    assert set(sizes.values()) == {len(data) for data in IMAGE.blobs.values()}
    assert warnings(told) == [("cache", "team/app", "the header x-cache-status")]
    assert warnings(walked(silent.url, tmp_path, status=0)) == []
