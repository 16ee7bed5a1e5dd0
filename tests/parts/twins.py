"""A real docker-registry and its model in process, treated alike and compared."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from sample import media_types as types
from sample.content import Content
from sample.damage import Damage
from sample.push import Pushed, PushError
from sample.registry import Access
from sample.storage import Storage
from sample.store import store

ACCEPT = {"Accept": ", ".join(types.MANIFESTS)}
# Of Go's errors about JSON only that there was one is modelled.
_JSON_ERROR = re.compile(rb'"detail":\{"(?:Offset|Value)":.*?\}(?=[,}\]]*\])')


class Registry(Protocol):
    """What a test may do to a registry, whether it is real or in process."""

    damage: Damage

    @property
    def host(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def storage(self) -> Storage: ...
    def client(self, **options: Any) -> httpx.AsyncClient: ...
    async def push(self, repository: str, content: Content, *tags: str, **options: Any) -> Pushed: ...
    def restart(self) -> None: ...
    def garbage_collect(self, *, delete_untagged: bool = False) -> object: ...
    def mark(self) -> int: ...
    def requests(self, start: int = 0) -> list[Access]: ...


@dataclass(frozen=True)
class Question:
    """A request to both."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Seen:
    """What a client saw of an answer: `error` is what ended it early."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes = b""
    error: str = ""


@dataclass(frozen=True)
class Twins:
    """Both registries."""

    real: Registry
    model: Registry

    def both(self, act: Callable[[Registry], object]) -> None:
        """Do the same to both."""
        for registry in (self.real, self.model):
            act(registry)

    def store(self, repository: str, content: Content, *tags: str) -> None:
        """Put content into the storages of both."""
        self.both(lambda registry: store(registry.storage, repository, content, *tags))

    async def push(self, repository: str, content: Content, *tags: str) -> Pushed | str:
        """Push the same to both and return what came of it: a refusal too, as text, must be the same."""
        expected, actual = [
            await _push(registry, repository, content, *tags) for registry in (self.real, self.model)
        ]
        assert expected == actual
        return expected

    async def agree(self, questions: list[Question]) -> None:
        """Ask both; AssertionError, with all that they do not agree on."""
        found = []
        async with self.real.client() as real, self.model.client() as model:
            for question in questions:
                expected, actual = await see(real, question), await see(model, question)
                if expected != actual:
                    found.append(f"{question}\n  real  {expected}\n  model {actual}")
        assert not found, "\n".join(["not alike:", *found])


async def see(client: httpx.AsyncClient, question: Question) -> Seen:
    """Ask, and note everything of the answer but its time and whom it came from."""
    status, headers, body = None, {}, b""
    # After some 416 the real one closes the connection without a word: a client that goes on using it may see
    # that instead of the next answer.
    sent = {**question.headers, **({"Connection": "close"} if "Range" in question.headers else {})}
    try:
        async with client.stream(question.method, question.target, headers=sent) as answer:
            status, headers = answer.status_code, _comparable(answer, str(client.base_url))
            async for chunk in answer.aiter_raw():
                body += chunk
    except httpx.HTTPError as error:
        return Seen(status, headers, body, type(error).__name__)
    if question.target.endswith("/tags/list"):
        body = _sorted_tags(body)
    return Seen(status, headers, _JSON_ERROR.sub(b'"detail":"JSON"', body))


def questions_about(repository: str, content: Content, *tags: str) -> list[Question]:
    """Ask all that a walk of `content` could, and some that it would not."""
    asked = [Question("GET", f"/v2/{repository}/tags/list")]
    for reference in (*tags, *(manifest.digest for manifest in content.manifests)):
        target = f"/v2/{repository}/manifests/{reference}"
        asked += [Question("HEAD", target, ACCEPT), Question("GET", target, ACCEPT)]
    for digest, data in content.blobs.items():
        target, last = f"/v2/{repository}/blobs/{digest}", max(len(data) - 1, 0)
        asked += [
            Question("HEAD", target),
            Question("GET", target),
            Question("GET", target, {"Range": f"bytes={last}-{last}"}),
        ]
    return asked


def tree(storage: Storage, folder: str = "docker") -> dict[str, bytes | None]:
    """Return all that is stored: files with their content, folders with None."""
    if not storage.exists(folder):
        return {}
    found: dict[str, bytes | None] = {folder: None}
    for name in storage.names(folder):
        path = f"{folder}/{name}"
        found |= tree(storage, path) if storage.is_folder(path) else {path: storage.read(path)}
    return found


async def _push(registry: Registry, repository: str, content: Content, *tags: str) -> Pushed | str:
    try:
        return await registry.push(repository, content, *tags)
    except PushError as error:
        return str(error).replace(registry.url, "")


def _comparable(answer: httpx.Response, url: str) -> dict[str, str]:
    kept = {name: value.replace(url.rstrip("/"), "") for name, value in answer.headers.items()}
    for name in ("date", "transfer-encoding", "connection"):
        kept.pop(name, None)
    if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
        kept.pop("content-length")
    return kept


def _sorted_tags(body: bytes) -> bytes:
    # The real one lists them in the order of the folder, which is any.
    found = re.fullmatch(rb'(.*"tags":\[)(.*)(\].*)', body, re.DOTALL)
    return body if found is None else found[1] + b",".join(sorted(found[2].split(b","))) + found[3]
