"""A registry that holds exactly what it is given and answers as its script says."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from sample.content import Content

URL: Final = "http://registry.invalid"

# Answers in the registry's place; None leaves the answer to the registry.
Action = Callable[[httpx.Request], httpx.Response | None]


def tag_list(repository: str) -> str:
    """The path of a repository's tags."""
    return f"/v2/{repository}/tags/list"


def manifest(repository: str, reference: str) -> str:
    """The path of a manifest."""
    return f"/v2/{repository}/manifests/{reference}"


def blob(repository: str, digest: str) -> str:
    """The path of a blob."""
    return f"/v2/{repository}/blobs/{digest}"


def status(number: int, code: str | None = None, body: bytes = b"") -> Action:
    """Answer with a status; `code` makes the specification's error body."""
    content = json.dumps({"errors": [{"code": code}]}).encode() if code else body

    def act(request: httpx.Request) -> httpx.Response:
        return httpx.Response(number, stream=_Stream(b"" if request.method == "HEAD" else content))

    return act


def fail(error: type[httpx.TransportError]) -> Action:
    """Give no answer."""

    def act(request: httpx.Request) -> httpx.Response:
        raise error("scripted", request=request)

    return act


def change(what: Callable[[], Any]) -> Action:
    """Let something happen in the registry, then answer as usual."""

    def act(_: httpx.Request) -> None:
        what()

    return act


@dataclass
class _Fault:
    method: str
    path: str
    action: Action
    skip: int
    times: int | None

    def claims(self, request: httpx.Request) -> bool:
        if self.method not in {"*", request.method} or request.url.path != self.path:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class ScriptedRegistry(httpx.AsyncBaseTransport):
    """Repositories, manifests and blobs in dictionaries, open to every change.

    `catalog` replaces the list of repositories. `ranges` says whether ranges are served, `digest_header`
    whether manifests come with one. `asked` holds every request: `GET /v2/app/blobs/sha256:… bytes=3-3`;
    `before_answer` is called with the number of each, from 1 on.
    """

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.catalog: list[str] | None = None
        self.ranges = True
        self.digest_header = True
        self.asked: list[str] = []
        self.before_answer: Callable[[int], None] = lambda _: None
        self.most_at_once = 0
        self._at_once = 0
        self._faults: list[_Fault] = []

    def store(self, repository: str, content: Content, *tags: str) -> None:
        """Store all of an image and let the tags point to it."""
        self.tags.setdefault(repository, {}).update(dict.fromkeys(tags, content.digest))
        for one in content.manifests:
            self.manifests[repository, one.digest] = (one.data, one.media_type)
        for digest, data in content.blobs.items():
            self.blobs[repository, digest] = data

    def remove(self, repository: str) -> None:
        """Forget a repository."""
        del self.tags[repository]
        for stored in (self.manifests, self.blobs):
            for key in [key for key in stored if key[0] == repository]:
                del stored[key]

    def on(
        self, method: str, path: str, action: Action, *, skip: int = 0, times: int | None = None
    ) -> Callable[[], None]:
        """Answer such requests by the action, after `skip` of them, `times` often; returns what ends it."""
        fault = _Fault(method, path, action, skip, times)
        self._faults.append(fault)
        return lambda: self._faults.remove(fault)

    def asked_since(self, mark: int) -> list[str]:
        """What was asked after so many requests, sorted."""
        return sorted(self.asked[mark:])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(0.001)
            return self._answer(request)
        finally:
            self._at_once -= 1

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = (request.method, request.url.path, request.headers.get("range"))
        self.asked.append(" ".join(filter(None, asked)))
        self.before_answer(len(self.asked))
        for fault in self._faults:
            if fault.claims(request) and (answer := fault.action(request)) is not None:
                return answer
        answer = self._route(request)
        answer.headers.setdefault("Content-Length", "0")
        return answer

    def _route(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v2/")
        if path == "":
            return _document({})
        if path == "_catalog":
            return _document({"repositories": sorted(self.tags) if self.catalog is None else self.catalog})
        if path.endswith("/tags/list"):
            return self._tags(path.removesuffix("/tags/list"))
        for kind, answer in (("/manifests/", self._manifest), ("/blobs/", self._blob)):
            if kind in path:
                repository, _, reference = path.rpartition(kind)
                return answer(request, repository, reference)
        raise AssertionError(f"asked for {path}")

    def _tags(self, repository: str) -> httpx.Response:
        if repository not in self.tags:
            return _unknown("NAME_UNKNOWN")
        return _document({"name": repository, "tags": sorted(self.tags[repository]) or None})

    def _manifest(self, request: httpx.Request, repository: str, reference: str) -> httpx.Response:
        digest = self.tags.get(repository, {}).get(reference, reference)
        if (repository, digest) not in self.manifests:
            return _unknown("MANIFEST_UNKNOWN")
        data, media_type = self.manifests[repository, digest]
        headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
        if self.digest_header:
            headers["Docker-Content-Digest"] = digest
        return httpx.Response(200, headers=headers, stream=_Stream(_body(request, data)))

    def _blob(self, request: httpx.Request, repository: str, digest: str) -> httpx.Response:
        if (repository, digest) not in self.blobs:
            return _unknown("BLOB_UNKNOWN")
        data = self.blobs[repository, digest]
        asked = request.headers.get("range")
        if asked is None or not self.ranges:
            headers = {"Content-Length": str(len(data))}
            return httpx.Response(200, headers=headers, stream=_Stream(_body(request, data)))
        first = int(asked.removeprefix("bytes=").partition("-")[0])
        if first >= len(data):
            return httpx.Response(416, headers={"Content-Range": f"bytes */{len(data)}"}, stream=_Stream(b""))
        headers = {"Content-Length": "1", "Content-Range": f"bytes {first}-{first}/{len(data)}"}
        return httpx.Response(206, headers=headers, stream=_Stream(data[first : first + 1]))


class _Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self):
        if self._body:
            yield self._body


def _body(request: httpx.Request, data: bytes) -> bytes:
    return b"" if request.method == "HEAD" else data


def _document(document: Any) -> httpx.Response:
    return httpx.Response(200, stream=_Stream(json.dumps(document).encode()))


def _unknown(code: str) -> httpx.Response:
    body = json.dumps({"errors": [{"code": code}]}).encode()
    return httpx.Response(404, stream=_Stream(body))
