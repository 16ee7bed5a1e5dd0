"""Pushing content through a registry's API, as a client does."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from sample.content import Content, Manifest


class PushError(Exception):
    """The registry refused a part of a push; the message holds its answer."""


@dataclass(frozen=True)
class Pushed:
    """What one push did: the digests of the blobs uploaded, mounted, and skipped as already there."""

    digest: str
    uploaded: tuple[str, ...]
    mounted: tuple[str, ...]
    skipped: tuple[str, ...]


async def push(
    client: httpx.AsyncClient,
    repository: str,
    content: Content,
    *tags: str,
    concurrency: int = 8,
    skip_existing: bool = True,
    mount_from: str | None = None,
) -> Pushed:
    """Push `content`, its root under each of the tags, or by digest when there is none.

    The client's base URL is the registry's. With `skip_existing` a blob that the registry says it has is not
    sent, as every real client does: that is why pushing again heals only what the registry knows is missing.
    """
    pusher = _BlobPusher(client, repository, asyncio.Semaphore(concurrency), skip_existing, mount_from)
    blobs = await pusher.push(content.blobs)
    for manifest in content.manifests[:-1]:
        await push_manifest(client, repository, manifest)
    for reference in tags or (content.digest,):
        await push_manifest(client, repository, content.root, reference)
    how = {how: tuple(digest for digest, was in blobs.items() if was == how) for how in set(blobs.values())}
    return Pushed(
        digest=content.digest,
        uploaded=how.get("uploaded", ()),
        mounted=how.get("mounted", ()),
        skipped=how.get("skipped", ()),
    )


async def push_all(
    client: httpx.AsyncClient,
    contents: Iterable[tuple[str, Content, str]],
    *,
    concurrency: int = 8,
) -> None:
    """Push many at once: (repository, content, tag) each."""
    limit = asyncio.Semaphore(concurrency)

    async def one(repository: str, content: Content, tag: str) -> None:
        async with limit:
            await push(client, repository, content, tag, concurrency=2)

    async with asyncio.TaskGroup() as group:
        for repository, content, tag in contents:
            group.create_task(one(repository, content, tag))


async def push_blob(client: httpx.AsyncClient, repository: str, digest: str, data: bytes) -> None:
    """Upload one blob in one piece, whether or not the registry has it."""
    started = _expect(await client.post(f"/v2/{repository}/blobs/uploads/"), 202)
    location = httpx.URL(started.headers["Location"]).copy_merge_params({"digest": digest})
    _expect(
        await client.put(location, content=data, headers={"Content-Type": "application/octet-stream"}), 201
    )


async def push_manifest(
    client: httpx.AsyncClient, repository: str, manifest: Manifest, reference: str | None = None
) -> None:
    """Upload one manifest, under a tag or else by its digest."""
    answer = await client.put(
        f"/v2/{repository}/manifests/{reference or manifest.digest}",
        content=manifest.data,
        headers={"Content-Type": manifest.media_type},
    )
    _expect(answer, 201)


@dataclass(frozen=True)
class _BlobPusher:
    client: httpx.AsyncClient
    repository: str
    limit: asyncio.Semaphore
    skip_existing: bool
    mount_from: str | None

    async def push(self, blobs: Mapping[str, bytes]) -> dict[str, str]:
        async with asyncio.TaskGroup() as group:
            tasks = {digest: group.create_task(self._one(digest, data)) for digest, data in blobs.items()}
        return {digest: task.result() for digest, task in tasks.items()}

    async def _one(self, digest: str, data: bytes) -> str:
        async with self.limit:
            if self.skip_existing and await self._exists(digest):
                return "skipped"
            if self.mount_from is not None and await self._mount(digest, self.mount_from):
                return "mounted"
            await push_blob(self.client, self.repository, digest, data)
            return "uploaded"

    async def _exists(self, digest: str) -> bool:
        return (await self.client.head(f"/v2/{self.repository}/blobs/{digest}")).is_success

    async def _mount(self, digest: str, mount_from: str) -> bool:
        answer = await self.client.post(
            f"/v2/{self.repository}/blobs/uploads/", params={"mount": digest, "from": mount_from}
        )
        if answer.status_code == httpx.codes.ACCEPTED:  # the registry opened an upload instead: give it up
            _expect(await self.client.delete(answer.headers["Location"]), 204)
            return False
        _expect(answer, 201)
        return True


def _expect(answer: httpx.Response, status: int) -> httpx.Response:
    if answer.status_code != status:
        request = answer.request
        raise PushError(
            f"{request.method} {request.url} answered {answer.status_code} {answer.text.strip()[:500]}"
        )
    return answer
