"""One request on the wire: bounded in size and time, redirects followed by hand, errors made our own."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Final, Protocol

import aiohttp
import httpx

from exporter.registry.addresses import is_web_address, origin
from exporter.registry.auth import Authentication, DeniedError, TokenAnswer, TokenQuestion
from exporter.registry.errors import (
    AnswerError,
    AuthenticationError,
    ConnectionFailedError,
    ConnectTimedOutError,
    NotConnectedError,
    ProtocolError,
    RegistryError,
    TimedOutError,
    TooLargeError,
    TruncatedBodyError,
    parse_error_codes,
    path_of,
)
from exporter.registry.pace import Pace, retry_after_seconds
from exporter.registry.pacing import is_refusal, with_retries
from exporter.registry.requests import Purpose, RequestObserver, Tally

DISTRIBUTION: Final = "registry-integrity-exporter"
PROJECT_URL: Final = f"https://github.com/{DISTRIBUTION}/{DISTRIBUTION}"
USER_AGENT: Final = f"{DISTRIBUTION}/{version(DISTRIBUTION)} (+{PROJECT_URL})"

_ALWAYS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
_MOST_REDIRECTS = 5
_SLOWEST_CONNECT = 5.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ERROR_BODY = 64 * 1024
_ERROR_BODY_SECONDS = 2.0
_TOKEN_BODY = 256 * 1024
_OK = 200
_PARTIAL = 206
_CLIENT_ERROR = 400
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer; `body` is empty where it was not asked for, `path` is the first request's."""

    method: str
    path: str
    status: int
    headers: httpx.Headers
    body: bytes = b""
    redirected: bool = False

    def length(self) -> int | None:
        """The announced length in bytes, None where there is none.

        Raises:
            ProtocolError: it is not a number.
        """
        text = self.headers.get("content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(2**63)):
            raise ProtocolError(self.method, self.path, "answered with a Content-Length that is no number")
        return int(text)


class BodySink(Protocol):
    """Takes a body of any length as it comes; it may come again from its beginning, after an error."""

    def begin(self, length: int | None) -> bool:
        """A body follows, of so many bytes, None where that is not told; false: it is not wanted."""

    async def add(self, chunk: bytes) -> bool:
        """Take the next bytes; false: the rest is not wanted."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request: which statuses carry a body that is wanted, and how long that may be in bytes.

    A longer body is an error, or cut where `cut` says so. `repository` is what a token is needed for: empty
    for the catalog, None for the registry's root. What goes to a `sink` has no bounds: as long as something
    comes in time, it may go on.
    """

    method: str
    url: str
    repository: str | None
    accept: str | None = None
    byte_range: str | None = None
    bodies: frozenset[int] = frozenset()
    longest_body: int = 0
    cut: bool = False
    sink: BodySink | None = None


@dataclass(frozen=True, slots=True)
class _Unauthorized:
    """A 401 of the registry's own, and what it demands."""

    error: AnswerError
    challenges: list[str]


class Wire:
    """Puts questions to one origin through a transport, each under one deadline."""

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport,
        authentication: Authentication,
        timeout: float,
        observer: RequestObserver | None = None,
    ) -> None:
        """Ask the registry at `url`; `timeout` is for a connection, and for a token service's answer."""
        self._timeout = timeout
        self._connect_timeout = min(timeout, _SLOWEST_CONNECT)
        self._origin = origin(httpx.URL(url))
        self._transport = transport
        self._authentication = authentication
        self._observer = observer
        self._token_pace = Pace()

    async def ask(self, question: Question, seconds: float, purpose: Purpose, tally: Tally) -> Answer:
        """Ask once, within so many seconds altogether; follow redirects, meet a challenge.

        Each of the two requests that a challenge makes of one has its own deadline, and so has what a token
        service is asked.

        Raises:
            RegistryError: there is no successful answer.
        """
        ask_token_service = partial(self._ask_token_service, tally=tally)
        repository = question.repository
        try:
            authorization = await self._authentication.header(repository, ask_token_service)
            answer = await self._ask_within(seconds, question, authorization, purpose, tally)
            if isinstance(answer, _Unauthorized):
                if not await self._authentication.challenged(
                    answer.challenges, repository, authorization, ask_token_service
                ):
                    raise answer.error
                authorization = await self._authentication.header(repository, ask_token_service)
                if self._observer is not None:
                    self._observer.retried("unauthorized")
                answer = await self._ask_within(seconds, question, authorization, Purpose.RETRY, tally)
        except DeniedError as error:
            path = path_of(httpx.URL(question.url))
            raise AuthenticationError(question.method, path, error.detail, error.trouble) from error
        if isinstance(answer, _Unauthorized):
            self._authentication.refused(repository, authorization)
            raise answer.error
        self._authentication.worked(repository, authorization)
        return answer

    async def _ask_within(
        self, seconds: float, question: Question, authorization: str | None, purpose: Purpose, tally: Tally
    ) -> Answer | _Unauthorized:
        url = httpx.URL(question.url)
        try:
            async with asyncio.timeout(seconds) as deadline:
                if question.sink is not None:
                    question = replace(question, sink=_Postponing(question.sink, deadline, seconds))
                return await self._follow(question, url, authorization, purpose, tally)
        except TimeoutError as error:
            detail = f"was not answered within {seconds:g} s"
            if question.sink is not None:
                detail = f"brought nothing for {seconds:g} s"
            raise TimedOutError(question.method, path_of(url), detail) from error

    async def _follow(
        self, question: Question, url: httpx.URL, authorization: str | None, purpose: Purpose, tally: Tally
    ) -> Answer | _Unauthorized:
        path = path_of(url)
        redirected = False
        for hop in range(_MOST_REDIRECTS + 1):
            at_home = origin(url) == self._origin
            tally.add(Purpose.REDIRECT if hop else purpose)
            request = self._request(question, url, authorization if at_home else None)
            response = await self._send(request, path)
            try:
                if response.status_code in _REDIRECTS:
                    url = _target(response, question, path, url)
                    redirected = redirected or origin(url) != self._origin
                    continue
                return await self._read(response, question, path, redirected=redirected)
            except AnswerError as error:
                if error.status != _UNAUTHORIZED or not at_home:
                    raise
                return _Unauthorized(error, response.headers.get_list("www-authenticate"))
            finally:
                await _close(response)
        raise ProtocolError(question.method, path, f"was redirected more than {_MOST_REDIRECTS} times")

    async def _ask_token_service(self, question: TokenQuestion, tally: Tally) -> TokenAnswer:
        """Ask for a token, and again after a transient error; no faster than the service lets us.

        Its answer is for all who wait for the same token, so the deadline of none of them ends it.
        """

        async def ask(_purpose: Purpose) -> TokenAnswer:
            if not self._token_pace.unlimited:
                await self._token_pace.turn()
            tally.add(Purpose.TOKEN)
            try:
                async with asyncio.timeout(self._timeout):
                    answer = await self._ask_token_service_once(question)
            except TimeoutError as error:
                detail = f"was not answered within {self._timeout:g} s"
                raise TimedOutError(question.method, question.place, detail) from error
            except AnswerError as error:
                if is_refusal(error):
                    self._token_pace.refused(retry_after_seconds(error.retry_after))
                raise
            self._token_pace.answered()
            return answer

        return await with_retries(ask, Purpose.TOKEN, self._observer)

    async def _ask_token_service_once(self, question: TokenQuestion) -> TokenAnswer:
        # Redirects are not followed: the secret is for this address.
        request = httpx.Request(
            question.method,
            question.url,
            headers={**_ALWAYS, **question.headers},
            content=question.body or None,
            extensions={"timeout": {"connect": self._connect_timeout}},
        )
        response = await self._send(request, question.place)
        status, headers = response.status_code, response.headers
        try:
            body = await _body_of(response, _TOKEN_BODY, question.method, question.place)
        finally:
            await _close(response)
        if status != _OK:
            raise AnswerError(
                question.method,
                question.place,
                status,
                parse_error_codes(body),
                retry_after=headers.get("retry-after"),
            )
        return TokenAnswer(body, headers.get("date"))

    def _request(self, question: Question, url: httpx.URL, authorization: str | None) -> httpx.Request:
        headers = dict(_ALWAYS)
        if question.accept is not None:
            headers["Accept"] = question.accept
        if question.byte_range is not None:
            headers["Range"] = question.byte_range
        if authorization is not None:
            headers["Authorization"] = authorization
        # A user in an address would become a header of its own.
        url = url.copy_with(userinfo=b"")
        return httpx.Request(
            question.method, url, headers=headers, extensions={"timeout": {"connect": self._connect_timeout}}
        )

    async def _send(self, request: httpx.Request, path: str) -> httpx.Response:
        started = time.perf_counter()
        code = "error"
        try:
            response = await self._transport.handle_async_request(request)
            code = str(response.status_code)
        except (httpx.TransportError, aiohttp.ClientError, OSError, ValueError) as error:
            raise _before_answer(error, request.method, path) from error
        finally:
            if self._observer is not None:
                self._observer.requested(request.method, code, time.perf_counter() - started)
        return response

    async def _read(
        self, response: httpx.Response, question: Question, path: str, *, redirected: bool
    ) -> Answer:
        status = response.status_code
        if status >= _CLIENT_ERROR:
            body = await _error_body_of(response)
            raise AnswerError(
                question.method,
                path,
                status,
                parse_error_codes(body),
                redirected=redirected,
                retry_after=response.headers.get("retry-after"),
            )
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise ProtocolError(question.method, path, "answered encoded although identity was asked for")
        if status != _OK and (status != _PARTIAL or question.byte_range is None):
            raise ProtocolError(question.method, path, f"answered {status}")
        body = b""
        if status in question.bodies:
            body = await _body_of(response, question.longest_body, question.method, path, cut=question.cut)
        answer = Answer(question.method, path, status, response.headers, body, redirected)
        if question.sink is not None:
            await _pour(response, answer, question.sink)
        return answer


def _target(response: httpx.Response, question: Question, path: str, url: httpx.URL) -> httpx.URL:
    try:
        target = url.join(response.headers["location"])
    except (KeyError, httpx.InvalidURL, ValueError):  # no cause: it would repeat what may be signed
        raise ProtocolError(question.method, path, "was redirected to nowhere") from None
    if not is_web_address(target):
        raise ProtocolError(question.method, path, "was redirected to what is no web address")
    if url.scheme == "https" and target.scheme == "http":
        raise ProtocolError(question.method, path, "was redirected from https to http")
    return target


class _Postponing:
    """A sink that postpones a deadline whenever something comes."""

    def __init__(self, sink: BodySink, deadline: asyncio.Timeout, seconds: float) -> None:
        self._sink = sink
        self._deadline = deadline
        self._seconds = seconds

    def begin(self, length: int | None) -> bool:
        return self._sink.begin(length)

    async def add(self, chunk: bytes) -> bool:
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
        return await self._sink.add(chunk)


async def _pour(response: httpx.Response, answer: Answer, sink: BodySink) -> None:
    if not sink.begin(answer.length()):
        return
    received = 0
    try:
        async with _chunks_of(response) as chunks:
            async for chunk in chunks:
                received += len(chunk)
                if not await sink.add(chunk):
                    return
    except (httpx.TransportError, httpx.StreamError, aiohttp.ClientError, OSError) as error:
        raise _within_body(error, response, answer.method, answer.path, received) from error


async def _body_of(
    response: httpx.Response, longest: int, method: str, path: str, *, cut: bool = False
) -> bytes:
    body = bytearray()
    try:
        async with _chunks_of(response) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) >= longest and cut:
                    return bytes(body[:longest])
                if len(body) > longest:
                    raise TooLargeError(method, path, f"answered with more than {longest} bytes")
    except (httpx.TransportError, httpx.StreamError, aiohttp.ClientError, OSError) as error:
        raise _within_body(error, response, method, path, len(body)) from error
    return bytes(body)


def _within_body(
    error: Exception, response: httpx.Response, method: str, path: str, received: int
) -> RegistryError:
    if _timed_out(error):
        return TimedOutError(method, path, "stopped in the middle of its body")
    detail = f"answered {response.status_code}, but the body ended after {received} bytes"
    content_range = response.headers.get("content-range", "")
    return TruncatedBodyError(method, path, response.status_code, detail, content_range)


@asynccontextmanager
async def _chunks_of(response: httpx.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """Read a body as it comes, and close what reads it: where that is a generator, the loop would have to."""
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport answered with a body that cannot be awaited")
    chunks = response.stream.__aiter__()
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


async def _error_body_of(response: httpx.Response) -> bytes:
    """Read what explains an error, as far as it comes: the status says enough without it."""
    body = bytearray()
    with suppress(TimeoutError, httpx.TransportError, httpx.StreamError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(_ERROR_BODY_SECONDS), _chunks_of(response) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) >= _ERROR_BODY:
                    break
    return bytes(body[:_ERROR_BODY])


async def _close(response: httpx.Response) -> None:
    with suppress(httpx.TransportError, aiohttp.ClientError, OSError):  # what was answered was answered
        await response.aclose()


def _before_answer(error: Exception, method: str, path: str) -> RegistryError:
    # httpx-aiohttp calls a lost connection a timeout; the cause tells the truth.
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    match cause:
        case aiohttp.ConnectionTimeoutError() | httpx.ConnectTimeout():
            return ConnectTimedOutError(method, path, "could not connect in time")
        case TimeoutError() | httpx.TimeoutException():
            return TimedOutError(method, path, "was not answered in time")
        case (
            aiohttp.ClientConnectorError()
            | aiohttp.ClientHttpProxyError()
            | httpx.ConnectError()
            | httpx.ProxyError()
        ):
            return NotConnectedError(method, path, f"failed: {_connection_trouble(cause)}")
        case aiohttp.ClientConnectionError() | httpx.NetworkError() | OSError():
            return ConnectionFailedError(method, path, f"failed: {_connection_trouble(cause)}")
        case _:
            return ProtocolError(method, path, "was answered with what is not HTTP")


def _timed_out(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    return isinstance(cause, httpx.TimeoutException | TimeoutError)


def _connection_trouble(cause: BaseException) -> str:
    if isinstance(cause, aiohttp.ClientSSLError):
        return "TLS could not be agreed on"
    if isinstance(cause, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {cause.status}"
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return "the host name could not be resolved"
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer"
    system_error = cause.os_error if isinstance(cause, aiohttp.ClientConnectorError) else cause
    number = getattr(system_error, "errno", None)
    closed_meanwhile = isinstance(system_error, ConnectionResetError) and number is None
    if "[SSL" in str(system_error) or closed_meanwhile:  # the number is none of the system's
        return "TLS broke off"
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else "no connection"
