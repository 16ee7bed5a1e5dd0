"""One request on the wire: bounded in size and time, redirects followed by hand, errors made our own."""

import asyncio
import os
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from exporter.registry.auth import Authentication, TokenAnswer, TokenQuestion
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
from exporter.registry.requests import Purpose, RequestObserver, Tally

DISTRIBUTION: Final = "registry-integrity-exporter"
USER_AGENT: Final = f"{DISTRIBUTION}/{version(DISTRIBUTION)}"

_ALWAYS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ERROR_BODY = 64 * 1024
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


@dataclass(frozen=True, slots=True)
class Question:
    """One request: which statuses carry a body that is wanted, and how long that may be in bytes.

    A longer body is an error, or cut where `cut` says so. `repository` is what a token is needed for: empty
    for the catalog, None for the registry's root.
    """

    method: str
    url: str
    repository: str | None
    accept: str | None = None
    byte_range: str | None = None
    bodies: frozenset[int] = frozenset()
    longest_body: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Challenged:
    """A 401 after which asking once more may help."""

    error: AnswerError


def open_transport(concurrency: int) -> httpx.AsyncBaseTransport:
    """Make a transport of at most `concurrency` connections, without cookies and without decompression."""
    context = ssl.create_default_context()

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency, ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept",),
        )

    return AiohttpTransport(verify=context, client=session)


class Wire:
    """Puts questions to one origin through a transport, each under one deadline."""

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport,
        authentication: Authentication,
        connect_timeout: float,
        observer: RequestObserver | None = None,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._origin = origin(httpx.URL(url))
        self._transport = transport
        self._authentication = authentication
        self._observer = observer

    async def ask(self, question: Question, seconds: float, purpose: Purpose, tally: Tally) -> Answer:
        """Ask once, within so many seconds altogether; follow redirects, meet a challenge.

        Raises:
            RegistryError: there is no successful answer.
        """
        url = httpx.URL(question.url)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._follow(question, url, purpose, tally)
                if isinstance(answer, _Challenged):
                    answer = await self._follow(question, url, Purpose.RETRY, tally, answer)
        except TimeoutError as error:
            detail = f"was not answered within {seconds:g} s"
            raise TimedOutError(question.method, path_of(url), detail) from error
        if isinstance(answer, _Challenged):
            raise answer.error
        return answer

    async def _follow(
        self,
        question: Question,
        url: httpx.URL,
        purpose: Purpose,
        tally: Tally,
        challenged: _Challenged | None = None,
    ) -> Answer | _Challenged:
        path = path_of(url)
        redirected = False
        for hop in range(_MOST_REDIRECTS + 1):
            authorization = None
            if origin(url) == self._origin:
                authorization = await self._authentication.header(
                    question.repository, partial(self._ask_token_service, tally=tally)
                )
            if hop == 0 and challenged is not None and self._observer is not None:
                self._observer.retried("unauthorized")
            tally.add(Purpose.REDIRECT if hop else purpose)
            request = self._request(question, url, authorization)
            response = await self._send(request, path)
            try:
                if response.status_code in _REDIRECTS:
                    url = self._target(response, question, path, url)
                    redirected = redirected or origin(url) != self._origin
                    continue
                answer = await self._read(response, question, path, redirected=redirected)
            except AnswerError as error:
                if error.status != _UNAUTHORIZED or origin(url) != self._origin or challenged is not None:
                    raise
                headers = response.headers.get_list("www-authenticate")
                if not await self._authentication.challenged(headers, question.repository, authorization):
                    raise
                return _Challenged(error)
            finally:
                await _close(response)
            if authorization is not None:
                self._authentication.worked(question.repository, authorization)
            return answer
        raise ProtocolError(question.method, path, f"was redirected more than {_MOST_REDIRECTS} times")

    async def _ask_token_service(self, question: TokenQuestion, tally: Tally) -> TokenAnswer:
        # Redirects are not followed: the secret is for this address.
        tally.add(Purpose.TOKEN)
        path = path_of(question.url)
        headers = {**_ALWAYS, **question.headers}
        request = httpx.Request(
            question.method,
            question.url,
            headers=headers,
            content=question.body or None,
            extensions={"timeout": {"connect": self._connect_timeout}},
        )
        response = await self._send(request, path)
        try:
            body = await _body_of(response, _TOKEN_BODY, question.method, path)
        except TruncatedBodyError as error:
            raise AuthenticationError(question.method, path, error.detail) from error
        finally:
            await _close(response)
        return TokenAnswer(response.status_code, body)

    def _request(self, question: Question, url: httpx.URL, authorization: str | None) -> httpx.Request:
        headers = dict(_ALWAYS)
        if question.accept is not None:
            headers["Accept"] = question.accept
        if question.byte_range is not None:
            headers["Range"] = question.byte_range
        if authorization is not None:
            headers["Authorization"] = authorization
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

    def _target(self, response: httpx.Response, question: Question, path: str, url: httpx.URL) -> httpx.URL:
        try:
            target = url.join(response.headers["location"])
        except (KeyError, httpx.InvalidURL, ValueError) as error:
            raise ProtocolError(question.method, path, "was redirected to nowhere") from error
        if target.scheme not in {"http", "https"} or not target.host:
            raise ProtocolError(question.method, path, "was redirected to what is no web address")
        if url.scheme == "https" and target.scheme == "http":
            raise ProtocolError(question.method, path, "was redirected from https to http")
        return target

    async def _read(
        self, response: httpx.Response, question: Question, path: str, *, redirected: bool
    ) -> Answer:
        status = response.status_code
        if status >= _CLIENT_ERROR:
            body = await _body_of(response, _ERROR_BODY, question.method, path, cut=True)
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
        return Answer(question.method, path, status, response.headers, body, redirected)


async def _body_of(
    response: httpx.Response, longest: int, method: str, path: str, *, cut: bool = False
) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) >= longest and cut:
                return bytes(body[:longest])
            if len(body) > longest:
                raise TooLargeError(method, path, f"answered with more than {longest} bytes")
    except (httpx.TransportError, httpx.StreamError, aiohttp.ClientError, OSError) as error:
        if _timed_out(error):
            raise TimedOutError(method, path, "stopped in the middle of its body") from error
        if response.status_code >= _CLIENT_ERROR:  # the status says it all
            return bytes(body)
        detail = f"answered {response.status_code}, but the body ended after {len(body)} bytes"
        raise TruncatedBodyError(method, path, response.status_code, detail) from error
    return bytes(body)


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
        case aiohttp.ClientSSLError():
            return NotConnectedError(method, path, "failed: TLS could not be agreed on")
        case aiohttp.ClientConnectorError() | httpx.ConnectError() | httpx.ProxyError():
            return NotConnectedError(method, path, f"failed: {_connection_trouble(cause)}")
        case aiohttp.ClientConnectionError() | httpx.NetworkError() | OSError():
            return ConnectionFailedError(method, path, f"failed: {_connection_trouble(cause)}")
        case _:
            return ProtocolError(method, path, "was answered with what is not HTTP")


def _timed_out(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    return isinstance(cause, httpx.TimeoutException | TimeoutError)


def _connection_trouble(cause: BaseException) -> str:
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return "the host name could not be resolved"
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer"
    system_error = cause.os_error if isinstance(cause, aiohttp.ClientConnectorError) else cause
    if "[SSL" in str(system_error):  # its number is none of the system's
        return "TLS broke off"
    number = getattr(system_error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else "no connection"


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """The scheme, host and port that decide whether two URLs are of one origin (RFC 6454)."""
    default = {"http": 80, "https": 443}.get(url.scheme)
    return (url.scheme, url.host, url.port or default)
