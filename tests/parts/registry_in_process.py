"""A registry without a process or a socket: as docker-registry 2.8.2, a thousand times faster to set up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import httpx

from sample.content import Content
from sample.damage import Damage
from sample.push import Pushed, push
from sample.registry import Access, RegistryOptions
from sample.storage import Storage
from tests.parts.distribution.answers import Answer, Question
from tests.parts.distribution.errors import NotModelledError, PanicError
from tests.parts.distribution.garbage import GarbageCollector
from tests.parts.distribution.service import Service
from tests.parts.memory_storage import MemoryStorage

Intercept = Callable[[httpx.Request], httpx.Response | None]


class InProcessRegistry:
    """The same to a test as `sample.registry.DockerRegistry`, `options.more` excepted.

    `intercept`, where set, sees each request before it is answered: it may damage the storage, raise one of
    httpx's errors, or answer in the registry's place.
    """

    def __init__(self, options: RegistryOptions | None = None, storage: Storage | None = None) -> None:
        self.options = options or RegistryOptions()
        if self.options.more:
            raise NotModelledError("more configuration than cache and delete")
        self.storage: Storage = storage or MemoryStorage()
        self.damage = Damage(self.storage)
        self.host = "registry.invalid"  # a name that never resolves: nothing real is asked by mistake
        self.url = f"http://{self.host}"
        self.intercept: Intercept | None = None
        self.transport = InProcessTransport(self)
        self._requests: list[tuple[Access, httpx.Request]] = []
        self._service: Service | None = None

    def start(self) -> Self:
        """Let it answer; until then connections to it fail."""
        self._service = Service(self.storage, cache=self.options.cache, delete=self.options.delete)
        return self

    def stop(self) -> None:
        """Let connections to it fail."""
        self._service = None

    def restart(self) -> None:
        """Lose its memory."""
        self.stop()
        self.start()

    def garbage_collect(self, *, delete_untagged: bool = False) -> None:
        """Collect garbage as the registry's own command does."""
        GarbageCollector(self.storage, delete_untagged).run()

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Make a client for it; close it after use."""
        return httpx.AsyncClient(
            **{"base_url": self.url, "transport": self.transport, "trust_env": False, **options}
        )

    async def push(self, repository: str, content: Content, *tags: str, **options: Any) -> Pushed:
        """Push through its API; see `sample.push.push`."""
        async with self.client() as client:
            return await push(client, repository, content, *tags, **options)

    def mark(self) -> int:
        """Return a mark of now, to count requests from."""
        return len(self._requests)

    def requests(self, start: int = 0) -> list[Access]:
        """Return what it answered since a mark."""
        return [access for access, _ in self._requests[start:]]

    def asked(self, start: int = 0) -> list[httpx.Request]:
        """Return the requests themselves, with the headers that no access log has."""
        return [request for _, request in self._requests[start:]]

    def answer(self, request: httpx.Request, body: bytes) -> Answer:
        """Answer one request and note it.

        Raises:
            httpx.ConnectError: it is not running.
            httpx.RemoteProtocolError: it closed the connection without an answer.

        """
        if self._service is None:
            raise httpx.ConnectError("All connection attempts failed", request=request)
        try:
            answer = self._service.answer(_question(request, body))
        except PanicError as error:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            ) from error
        target = request.url.raw_path.decode("ascii")
        agent = request.headers.get("User-Agent", "")
        access = Access(request.method, target, answer.status, len(answer.body), agent)
        self._requests.append((access, request))
        return answer

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class InProcessTransport(httpx.AsyncBaseTransport):
    """httpx's way to an in-process registry."""

    def __init__(self, registry: InProcessRegistry) -> None:
        self._registry = registry

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # as a real one would, let others run meanwhile
        if self._registry.intercept is not None:
            answered = self._registry.intercept(request)
            if answered is not None:
                return answered
        answer = self._registry.answer(request, await request.aread())
        return httpx.Response(
            answer.status,
            headers=dict(answer.headers),
            stream=_Body(request, answer),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )


class _Body(httpx.AsyncByteStream):
    """The bytes that come, and then the error of a client that was promised more."""

    def __init__(self, request: httpx.Request, answer: Answer) -> None:
        self._request = request
        self._body = answer.body
        self._expected = 0 if _has_no_body(request, answer) else int(answer.headers.get("Content-Length", -1))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body
        if len(self._body) < self._expected:
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body "
                f"(received {len(self._body)} bytes, expected {self._expected})",
                request=self._request,
            )


def _has_no_body(request: httpx.Request, answer: Answer) -> bool:
    return request.method == "HEAD" or answer.status in (204, 304)


def _question(request: httpx.Request, body: bytes) -> Question:
    names = dict.fromkeys(name.lower() for name in request.headers)
    return Question(
        method=request.method,
        host=request.url.netloc.decode("ascii"),
        target=request.url.raw_path.decode("ascii"),
        path=request.url.path,
        query=dict(request.url.params),
        headers={name: tuple(request.headers.get_list(name)) for name in names},
        body=body,
    )
