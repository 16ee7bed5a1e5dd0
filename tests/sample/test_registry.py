"""A docker-registry of our own starts, stops, restarts, and tells what it was asked."""

import asyncio
import base64
from pathlib import Path

import httpx
import pytest

from sample import content as c
from sample import media_types as types
from sample.process import ProcessError
from sample.registry import DockerRegistry, RegistryOptions
from tests.parts.access import counts
from tests.parts.fixtures import StartRegistry
from tests.parts.process import Process
from tests.parts.programs import find_program

ACCEPT = {"Accept": ", ".join(types.MANIFESTS)}


async def test_it_keeps_its_port_and_storage_over_a_restart(start_registry: StartRegistry) -> None:
    registry = start_registry()
    port, process = registry.port, registry.process
    await registry.push("a", c.image("x"), "latest")
    registry.restart()
    assert registry.port == port
    assert registry.process is not process
    assert process.returncode is not None
    async with registry.client() as client:
        assert (await client.get("/v2/_catalog")).json() == {"repositories": ["a"]}


async def test_a_stopped_one_refuses_connections(start_registry: StartRegistry) -> None:
    registry = start_registry()
    registry.stop()
    registry.stop()
    async with registry.client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/v2/")
    with pytest.raises(ProcessError, match="not running"):
        registry.requests()


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error holds what the registry wrote, and no process is left."""
    registry = DockerRegistry(tmp_path, RegistryOptions(more={"storage": {"inmemory": {}}}))
    with pytest.raises(ProcessError, match="must provide exactly one storage type"):
        registry.start()
    with pytest.raises(ProcessError, match="never started"):
        _ = registry.port


async def test_requests_are_counted_from_its_own_log(start_registry: StartRegistry) -> None:
    """All since a mark, in order, whoever asked, and none of those it takes to ask."""
    registry = start_registry()
    content = c.image("x", layers=1)
    await registry.push("a", content, "latest")
    pushed = {"HEAD blob": 2, "POST other": 2, "PUT other": 2, "PUT tag": 1}
    assert counts(registry.requests()) == pushed
    mark = registry.mark()
    assert registry.requests(mark) == []
    async with registry.client(headers={"User-Agent": "test"}) as client:
        await client.get("/v2/_catalog?n=5")
        await client.head("/v2/a/manifests/latest", headers=ACCEPT)
        await client.get("/v2/a/manifests/absent")
        await asyncio.gather(
            *(client.head(f"/v2/a/blobs/{digest}") for digest in content.blobs for _ in range(20))
        )
    asked = registry.requests(mark)
    assert [(one.method, one.target, one.status, one.agent) for one in asked[:3]] == [
        ("GET", "/v2/_catalog?n=5", 200, "test"),
        ("HEAD", "/v2/a/manifests/latest", 200, "test"),
        ("GET", "/v2/a/manifests/absent", 404, "test"),
    ]
    assert asked[0].path == "/v2/_catalog"
    assert counts(asked) == {"GET catalog": 1, "HEAD tag": 1, "GET tag": 1, "HEAD blob": 40}
    assert len(registry.requests()) > 43


async def test_the_cache_believes_what_it_saw(start_registry: StartRegistry) -> None:
    """With the cache a lost blob is there to a HEAD, and its GET ends early; a restart shows the truth."""
    registry = start_registry(cache=True)
    content = c.image("x", layers=1)
    await registry.push("a", content, "latest")
    layer = content.root.layers[0]
    registry.damage.remove_data(layer.digest)
    async with registry.client() as client:
        head = await client.head(f"/v2/a/blobs/{layer.digest}")
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(layer.size))
        with pytest.raises(httpx.RemoteProtocolError, match="received 0 bytes"):
            await client.get(f"/v2/a/blobs/{layer.digest}")
        registry.restart()
    async with registry.client() as client:
        assert (await client.head(f"/v2/a/blobs/{layer.digest}")).status_code == 404


async def test_garbage_collection_orphans_every_index(start_registry: StartRegistry) -> None:
    """The outage: the tag answers, its children are gone, though they were in use."""
    registry = start_registry()
    content = c.multi_platform("x")
    image = c.image("x")
    await registry.push("a", content, "latest")
    await registry.push("b", image, "latest")
    written = registry.garbage_collect()
    assert "0 blobs and 0 manifests eligible for deletion" in written
    written = registry.garbage_collect(delete_untagged=True)
    assert "2 manifests eligible for deletion" in written
    async with registry.client() as client:
        assert (await client.get("/v2/a/manifests/latest", headers=ACCEPT)).status_code == 200
        for child in content.root.children:
            answer = await client.get(f"/v2/a/manifests/{child.digest}", headers=ACCEPT)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
        assert (await client.get("/v2/b/manifests/latest", headers=ACCEPT)).status_code == 200


async def test_a_torn_link_ends_garbage_collection(start_registry: StartRegistry) -> None:
    """One link that is no digest, anywhere, and the collector frees nothing any more."""
    registry = start_registry()
    image = c.image("x")
    await registry.push("a", image, "latest")
    registry.damage.empty_revision_link("a", image.digest)
    with pytest.raises(ProcessError, match="failed to garbage collect: failed to mark"):
        registry.garbage_collect()


async def test_a_catalog_page_can_lose_repositories(start_registry: StartRegistry) -> None:
    """`a/0` comes before `a`: a page that ends between them loses `a`, or promises no next page."""
    registry = start_registry()
    for name in ("a/0", "a", "b"):
        await registry.push(name, c.image("x"), "latest")
    async with registry.client() as client:
        assert (await client.get("/v2/_catalog")).json() == {"repositories": ["a/0", "a", "b"]}
        page = await client.get("/v2/_catalog?n=1")
        assert (page.json(), page.headers.get("Link")) == ({"repositories": ["a/0"]}, None)
        after = await client.get("/v2/_catalog?n=5&last=a/0")
        assert after.json() == {"repositories": ["b"]}


def test_more_configuration_is_laid_over(start_registry: StartRegistry, tmp_path: Path) -> None:
    """A registry that wants a password starts like any other, and says so."""
    file = tmp_path / "htpasswd"
    with Process([find_program("htpasswd"), "-Bbc", file, "user", "secret"]) as made:
        assert made.wait(20) == 0
    registry = start_registry(more={"auth": {"htpasswd": {"realm": "test", "path": str(file)}}})
    assert httpx.get(f"{registry.url}/v2/", trust_env=False).status_code == 401
    credentials = base64.b64encode(b"user:secret").decode()
    answer = httpx.get(
        f"{registry.url}/v2/", headers={"Authorization": f"Basic {credentials}"}, trust_env=False
    )
    assert answer.status_code == 200
    assert [one.status for one in registry.requests()] == [401, 200]
