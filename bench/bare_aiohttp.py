"""The walk that ours is measured against: bare aiohttp, the same requests, and as plain as can be.

It looks at statuses and lengths and hashes what it fetches; at the first thing that is wrong it gives up.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeAlias

import aiohttp

from bench.measuring import Answers, Walk
from bench.shape import PAGE_SIZE
from exporter.oci.media_types import ACCEPT

_MANIFEST: Final = {"Accept": ACCEPT, "Accept-Encoding": "identity"}
_BLOB: Final = {"Accept-Encoding": "identity"}

_Job: TypeAlias = Callable[[], Awaitable[None]]


class UnexpectedAnswer(Exception):  # noqa: N818 - says what is the matter
    """The registry that is measured is not as it should be."""


@asynccontextmanager
async def open_bare_walk(url: str, connections: int) -> AsyncIterator[Walk]:
    """Open a walk of the registry at `url`; from one cycle to the next it remembers manifests."""
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, skip_auto_headers=("Accept",)) as session:
        manifests: dict[str, Any] = {}

        async def walk() -> Answers:
            cycle = _Cycle(session, url, manifests)
            await cycle.run(connections)
            return dict(cycle.answers)

        yield walk


class _Cycle:
    def __init__(self, session: aiohttp.ClientSession, url: str, manifests: dict[str, Any]) -> None:
        self.answers: Counter[str] = Counter()
        self._session = session
        self._url = url
        self._manifests = manifests
        self._jobs: asyncio.LifoQueue[_Job] = asyncio.LifoQueue()
        self._asked: set[str] = set()
        self._proved: set[str] = set()

    async def run(self, connections: int) -> None:
        for repository in await self._list("/v2/_catalog", "repositories"):
            self._jobs.put_nowait(partial(self._ask_repository, repository))
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(connections)]
            await self._jobs.join()
            for worker in workers:
                worker.cancel()

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            await job()
            self._jobs.task_done()

    async def _ask_repository(self, repository: str) -> None:
        for tag in await self._list(f"/v2/{repository}/tags/list", "tags"):
            self._jobs.put_nowait(partial(self._ask_tag, repository, tag))

    async def _ask_tag(self, repository: str, tag: str) -> None:
        answer = await self._head(f"/v2/{repository}/manifests/{tag}", _MANIFEST)
        self._follow(repository, answer.headers["Docker-Content-Digest"])

    def _follow(self, repository: str, digest: str) -> None:
        path = f"/v2/{repository}/manifests/{digest}"
        if path not in self._asked:
            self._asked.add(path)
            self._jobs.put_nowait(partial(self._ask_manifest, repository, digest, path))

    async def _ask_manifest(self, repository: str, digest: str, path: str) -> None:
        if path in self._manifests:
            manifest = self._manifests[path]
            await self._head(path, _MANIFEST)
        else:
            _, body = await self._get(path, _MANIFEST)
            if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
                raise UnexpectedAnswer(f"{path} has another digest")
            self._manifests[path] = manifest = json.loads(body)
        for child in manifest.get("manifests", ()):
            self._follow(repository, child["digest"])
        for blob in (manifest["config"], *manifest["layers"]) if "config" in manifest else ():
            self._follow_blob(repository, blob["digest"], blob["size"])

    def _follow_blob(self, repository: str, digest: str, size: int) -> None:
        path = f"/v2/{repository}/blobs/{digest}"
        if path in self._asked:
            return
        self._asked.add(path)
        if digest in self._proved:
            self._jobs.put_nowait(partial(self._ask_link, path, size))
        else:
            self._proved.add(digest)
            self._jobs.put_nowait(partial(self._ask_last_byte, path, size))

    async def _ask_link(self, path: str, size: int) -> None:
        answer = await self._head(path, _BLOB)
        if answer.headers["Content-Length"] != str(size):
            raise UnexpectedAnswer(f"{path} has another length")

    async def _ask_last_byte(self, path: str, size: int) -> None:
        headers = {**_BLOB, "Range": f"bytes={size - 1}-{size - 1}"}
        answer, body = await self._get(path, headers, 206)
        if len(body) != 1 or answer.headers["Content-Range"].rpartition("/")[2] != str(size):
            raise UnexpectedAnswer(f"{path} has another length")

    async def _list(self, path: str, field: str) -> list[str]:
        names: list[str] = []
        url = f"{path}?n={PAGE_SIZE}"
        while url:
            answer, body = await self._get(url, _BLOB)
            names += json.loads(body)[field]
            url = str(answer.links["next"]["url"]).removeprefix(self._url) if "next" in answer.links else ""
        return names

    async def _head(self, path: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        async with self._session.head(self._url + path, headers=headers) as answer:
            self._count(answer, 200)
            return answer

    async def _get(
        self, path: str, headers: dict[str, str], status: int = 200
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self._session.get(self._url + path, headers=headers) as answer:
            self._count(answer, status)
            return answer, await answer.read()

    def _count(self, answer: aiohttp.ClientResponse, status: int) -> None:
        self.answers[f"{answer.method} {answer.status}"] += 1
        if answer.status != status:
            raise UnexpectedAnswer(f"{answer.method} {answer.url} answered {answer.status}")
