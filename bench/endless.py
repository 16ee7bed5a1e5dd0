"""A registry in this process, as large as one likes: it makes every answer when asked and keeps none."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Final

import httpx

from bench.shape import PAGE_SIZE, Shape

# More repositories than a walk has under way at a time.
_REPOSITORIES_AT_HAND: Final = 64


class _Repository:
    """What one repository answers with."""

    def __init__(self, shape: Shape, name: str) -> None:
        contents = dict(shape.contents(name))
        self.tags = json.dumps({"name": name, "tags": list(contents)}).encode()
        self.manifests = {tag: content.root for tag, content in contents.items()}
        self.sizes: dict[str, int] = {}
        for content in contents.values():
            self.manifests.update((manifest.digest, manifest) for manifest in content.manifests)
            self.sizes.update((digest, len(data)) for digest, data in content.blobs.items())


class EndlessRegistry(httpx.AsyncBaseTransport):
    """Answers as a registry of this shape, in which everything is intact."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._repository = lru_cache(_REPOSITORIES_AT_HAND)(lambda name: _Repository(shape, name))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        await asyncio.sleep(0)  # whoever waits for a real registry lets others go on
        path = request.url.path.removeprefix("/v2/")
        if path == "_catalog":
            self._repository.cache_clear()  # a new cycle: however few they are, it makes all of them anew
            return self._catalog(request.url.params.get("last"))
        repository, endpoint, reference = path.rsplit("/", 2)
        found = self._repository(repository)
        if endpoint == "tags":
            return _answer(200, found.tags)
        if endpoint == "manifests":
            manifest = found.manifests[reference]
            body = manifest.data if request.method == "GET" else b""
            more = {"Content-Type": manifest.media_type, "Docker-Content-Digest": manifest.digest}
            return _answer(200, body, manifest.size, more)
        size = found.sizes[reference]
        if "Range" in request.headers:
            return _answer(206, b"!", 1, {"Content-Range": f"bytes {size - 1}-{size - 1}/{size}"})
        return _answer(200, b"", size)

    def _catalog(self, last: str | None) -> httpx.Response:
        first = 0 if last is None else int(last.rpartition("-")[2]) + 1
        following = min(first + PAGE_SIZE, self._shape.repositories)
        names = [self._shape.name(number) for number in range(first, following)]
        more = {}
        if following < self._shape.repositories:
            more["Link"] = f'</v2/_catalog?last={names[-1]}&n={PAGE_SIZE}>; rel="next"'
        return _answer(200, json.dumps({"repositories": names}).encode(), None, more)


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body


def _answer(
    status: int, body: bytes, length: int | None = None, more: dict[str, str] | None = None
) -> httpx.Response:
    headers = {"Content-Length": str(len(body) if length is None else length), **(more or {})}
    return httpx.Response(status, headers=headers, stream=_Body(body))
