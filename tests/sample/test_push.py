"""Pushing does to a real registry what a client does."""

import httpx
import pytest

from sample import content as c
from sample import media_types as types
from sample.push import PushError, push, push_all, push_manifest
from sample.store import store
from tests.parts.fixtures import StartRegistry
from tests.parts.registry_in_process import InProcessRegistry
from tests.parts.twins import tree

ACCEPT = {"Accept": ", ".join(types.MANIFESTS)}


async def test_what_is_pushed_can_be_pulled(start_registry: StartRegistry) -> None:
    """Every manifest and blob comes back byte for byte, by each tag and by digest."""
    registry = start_registry()
    content = c.multi_platform("x", attestations=True)
    pushed = await registry.push("a/b", content, "latest", "v1")
    assert set(pushed.uploaded) == set(content.blobs)
    async with registry.client() as client:
        for reference in ("latest", "v1", content.digest):
            answer = await client.get(f"/v2/a/b/manifests/{reference}", headers=ACCEPT)
            assert (answer.content, answer.headers["Docker-Content-Digest"]) == (
                content.root.data,
                content.digest,
            )
        for manifest in content.manifests:
            answer = await client.get(f"/v2/a/b/manifests/{manifest.digest}", headers=ACCEPT)
            assert (answer.content, answer.headers["Content-Type"]) == (manifest.data, manifest.media_type)
        for digest, data in content.blobs.items():
            assert (await client.get(f"/v2/a/b/blobs/{digest}")).content == data


async def test_what_the_registry_has_is_not_sent_again(start_registry: StartRegistry) -> None:
    """A second push sends nothing; one to another repository mounts what it can."""
    registry = start_registry()
    content = c.image("x")
    await registry.push("a", content, "latest")
    again = await registry.push("a", content, "latest")
    assert (set(again.skipped), again.uploaded) == (set(content.blobs), ())
    mounted = await registry.push("b", content, "latest", mount_from="a")
    assert set(mounted.mounted) == set(content.blobs)
    elsewhere = await registry.push("c", content, "latest", mount_from="nowhere")
    assert set(elsewhere.uploaded) == set(content.blobs)
    forced = await registry.push("a", content, "latest", skip_existing=False)
    assert set(forced.uploaded) == set(content.blobs)


async def test_pushing_again_does_not_heal_what_the_registry_believes_it_has(
    start_registry: StartRegistry,
) -> None:
    """Missing data is sent again when it is known to be missing; with a cache, or only cut, it is not."""
    content = c.image("x", layers=1)
    layer = content.root.layers[0].digest
    for cache, damage, healed in (
        (False, "remove_data", True),
        (True, "remove_data", False),
        (False, "truncate_data", False),
    ):
        registry = start_registry(cache=cache)
        await registry.push("a", content, "latest")
        getattr(registry.damage, damage)(layer)
        pushed = await registry.push("a", content, "latest")
        assert (layer in pushed.uploaded) == healed, (cache, damage)
        if not healed:
            assert layer in pushed.skipped


async def test_many_at_once(start_registry: StartRegistry) -> None:
    registry = start_registry()
    content = c.image("x", layers=1)
    async with registry.client() as client:
        await push_all(client, [(f"r/{number}", content, "latest") for number in range(10)], concurrency=4)
        catalog = (await client.get("/v2/_catalog")).json()
    assert sorted(catalog["repositories"]) == sorted(f"r/{number}" for number in range(10))


async def test_concurrency_is_bounded() -> None:
    """No more requests run at once than asked for."""
    registry = InProcessRegistry().start()
    running = most = 0

    class Counting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return await registry.transport.handle_async_request(request)
            finally:
                running -= 1

    async with httpx.AsyncClient(base_url=registry.url, transport=Counting()) as client:
        await push(client, "a", c.image("x", layers=20), "latest", concurrency=3)
    assert 1 < most <= 3


async def test_a_refusal_is_told_whole(start_registry: StartRegistry) -> None:
    registry = start_registry()
    index = c.multi_platform("x").root
    async with registry.client() as client:
        with pytest.raises(
            PushError, match=r"PUT .*/v2/a/manifests/latest answered 400 .*MANIFEST_BLOB_UNKNOWN"
        ):
            await push_manifest(client, "a", index, "latest")


async def test_storing_is_pushing_without_a_registry(start_registry: StartRegistry) -> None:
    """Content put straight into a storage is what a push leaves there."""
    content = c.multi_platform("x", attestations=True)
    registry = start_registry()
    await registry.push("a/b", content, "latest", "v1")
    stored = InProcessRegistry()
    store(stored.storage, "a/b", content, "latest", "v1")
    left = tree(registry.storage)
    uploads = left.pop("docker/registry/v2/repositories/a/b/_uploads", "none")
    assert uploads is None  # an empty folder
    assert left == tree(stored.storage)
