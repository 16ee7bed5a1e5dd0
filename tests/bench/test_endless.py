"""The registry in this process: whatever its size, it answers as a registry with everything intact."""

import hashlib

import httpx
import pytest

from bench.endless import EndlessRegistry
from bench.our_walk import open_endless_walk
from bench.shape import PAGE_SIZE, RequestKind, Shape


@pytest.mark.parametrize("repositories", [2, 70, PAGE_SIZE + 1])
async def test_a_walk_finds_it_intact_at_the_price_of_the_floor(repositories: int):
    """Also when it has more repositories than are kept at hand, or than a page of the catalog lists."""
    shape = Shape(repositories, 1, 1)
    async with open_endless_walk(repositories, 1, 1, connections=4) as walk:
        cold, warm = await walk(), await walk()
    floor = shape.floor
    assert sum(cold.values()) == sum(warm.values()) == sum(floor.values())
    fetched = floor[RequestKind.PAGE] + floor[RequestKind.MANIFEST]
    assert cold == {
        "GET 200": fetched,
        "HEAD 200": floor[RequestKind.TAG] + floor[RequestKind.LINK],
        "GET 206": floor[RequestKind.LAST_BYTE],
    }
    assert warm["GET 200"] == floor[RequestKind.PAGE]


async def test_it_serves_what_the_shape_says():
    """A manifest has the digest that it is asked for by; a blob has its length, and one byte at the end."""
    shape = Shape(2, 1, 1)
    name = shape.name(1)
    _, content = next(shape.contents(name))
    transport = EndlessRegistry(shape)
    async with httpx.AsyncClient(transport=transport, base_url="http://registry.invalid/v2/") as client:
        manifest = await client.get(f"{name}/manifests/{content.digest}")
        digest, data = next(iter(content.blobs.items()))
        head = await client.head(f"{name}/blobs/{digest}")
        last = len(data) - 1
        byte = await client.get(f"{name}/blobs/{digest}", headers={"Range": f"bytes={last}-{last}"})
    assert f"sha256:{hashlib.sha256(manifest.content).hexdigest()}" == content.digest
    assert manifest.headers["Docker-Content-Digest"] == content.digest
    assert (head.headers["Content-Length"], head.content) == (str(len(data)), b"")
    assert (byte.status_code, byte.headers["Content-Range"]) == (206, f"bytes {last}-{last}/{len(data)}")
    assert len(byte.content) == 1
