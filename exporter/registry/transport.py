"""One request on the wire: bounded in size and time, redirects followed by hand, errors made our own."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final, NamedTuple

import httpx

from exporter.registry.addresses import is_web_address, origin, without_user
from exporter.registry.auth import Authentication, DeniedError, TokenAnswer, TokenQuestion
from exporter.registry.bodies import BodySink, PostponingSink, body_of, close, error_body_of, is_over, pour
from exporter.registry.errors import (
    AnswerError,
    AuthenticationError,
    ProtocolError,
    RegistryError,
    TimedOutError,
    parse_error_codes,
    path_of,
)
from exporter.registry.foreign_errors import BEFORE_ANSWER, Asked, before_answer
from exporter.registry.messages import AnswerHeaders, BareRequest, headers_of
from exporter.registry.pace import Pace
from exporter.registry.pacing import ask_again, note_answer, retry_reason
from exporter.registry.requests import Purpose, RequestObserver, Tally
from exporter.registry.time_limits import TimeLimits

DISTRIBUTION: Final = "registry-integrity-exporter"
PROJECT_URL: Final = f"https://github.com/{DISTRIBUTION}/{DISTRIBUTION}"
USER_AGENT: Final = f"{DISTRIBUTION}/{version(DISTRIBUTION)} (+{PROJECT_URL})"

_ALWAYS: Final = (("User-Agent", USER_AGENT), ("Accept-Encoding", "identity"))
_MOST_REDIRECTS = 5
_SLOWEST_CONNECT = 5.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOKEN_BODY = 256 * 1024
_OK = 200
_PARTIAL = 206
_CLIENT_ERROR = 400
_UNAUTHORIZED = 401
_MOST_DIGITS = len(str(2**63))


class Question(NamedTuple):  # there is one to each request, and a dataclass takes thrice as long to make
    """One request: which statuses carry a body that is wanted, and how long that may be in bytes.

    The `url` is of the registry's own origin, as httpx writes it, and without a user. A longer body is an
    error, or cut where `cut` says so. `repository` is what a token is needed for: empty for the catalog, None
    for the registry's root. What goes to a `sink` has no bounds: as long as something comes in time, it may
    go on.
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

    @property
    def path(self) -> str:
        """What errors call it by."""
        return path_of(httpx.URL(self.url))


class Answer(NamedTuple):
    """A successful answer; `body` is empty where it was not asked for."""

    question: Question
    status: int
    headers: AnswerHeaders
    body: bytes = b""
    redirected: bool = False

    @property
    def method(self) -> str:
        """How it was asked for."""
        return self.question.method

    @property
    def path(self) -> str:
        """Where it was asked for, before any redirect."""
        return self.question.path

    def length(self) -> int | None:
        """The announced length in bytes, None where there is none.

        Raises:
            ProtocolError: it is not a number.
        """
        text = self.headers.get(b"content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
            raise ProtocolError(self.method, self.path, "answered with a Content-Length that is no number")
        return int(text)


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
        self._extensions = {"timeout": {"connect": self._connect_timeout}}
        self._transport = transport
        self._authentication = authentication
        self._observer = observer
        self._token_pace = Pace()
        self._limits: dict[float, TimeLimits] = {}

    async def ask(self, question: Question, seconds: float, purpose: Purpose, tally: Tally) -> Answer:
        """Ask once, within so many seconds altogether; follow redirects, meet a challenge.

        Each of the two requests that a challenge makes of one has its own deadline, and so has what a token
        service is asked.

        Raises:
            RegistryError: there is no successful answer.
        """
        repository = question.repository
        ask_token_service = partial(self._ask_token_service, tally)
        try:
            grant = self._authentication.ready(repository)
            if grant is None:
                grant = await self._authentication.grant(repository, ask_token_service)
            answer = await self._ask_within(seconds, question, grant.header, purpose, tally)
            if isinstance(answer, _Unauthorized):
                if not await self._authentication.challenged(
                    answer.challenges, repository, grant.header, ask_token_service
                ):
                    raise answer.error
                grant = await self._authentication.grant(repository, ask_token_service)
                if self._observer is not None:
                    self._observer.retried("unauthorized")
                answer = await self._ask_within(seconds, question, grant.header, Purpose.RETRY, tally)
        except DeniedError as error:
            raise AuthenticationError(question.method, question.path, error.detail, error.trouble) from error
        if isinstance(answer, _Unauthorized):
            self._authentication.refused(repository, grant.header)
            raise answer.error
        if not grant.worked:
            self._authentication.worked(repository, grant.header)
        return answer

    async def _ask_within(
        self, seconds: float, question: Question, authorization: str | None, purpose: Purpose, tally: Tally
    ) -> Answer | _Unauthorized:
        detail = "was not answered within"
        try:
            if question.sink is None:
                with self._limits_of(seconds).limit():
                    return await self._follow(question, authorization, purpose, tally)
            detail = "brought nothing for"
            async with asyncio.timeout(seconds) as deadline:
                question = question._replace(sink=PostponingSink(question.sink, deadline, seconds))
                return await self._follow(question, authorization, purpose, tally)
        except TimeoutError as error:
            raise TimedOutError(question.method, question.path, f"{detail} {seconds:g} s") from error

    def _limits_of(self, seconds: float) -> TimeLimits:
        limits = self._limits.get(seconds)
        if limits is None:
            limits = self._limits[seconds] = TimeLimits(seconds)
        return limits

    async def _follow(
        self, question: Question, authorization: str | None, purpose: Purpose, tally: Tally
    ) -> Answer | _Unauthorized:
        address = question.url
        at_home, redirected = True, False
        for _ in range(_MOST_REDIRECTS + 1):
            tally.add(purpose)
            request = self._request(question, address, authorization if at_home else None)
            response = await self._send(request, question)
            try:
                if response.status_code in _REDIRECTS:
                    purpose = Purpose.REDIRECT
                    target = _target(response, question, address)
                    address = str(target)
                    at_home = origin(target) == self._origin
                    redirected = redirected or not at_home
                    continue
                return await self._read(response, question, redirected=redirected)
            except AnswerError as error:
                if error.status != _UNAUTHORIZED or not at_home:
                    raise
                return _Unauthorized(error, response.headers.get_list("www-authenticate"))
            finally:
                if not is_over(response):
                    await close(response)
        detail = f"was redirected more than {_MOST_REDIRECTS} times"
        raise ProtocolError(question.method, question.path, detail)

    async def _ask_token_service(self, tally: Tally, question: TokenQuestion) -> TokenAnswer:
        """Ask for a token, and again after a transient error; no faster than the service lets us.

        Its answer is for all who wait for the same token, so the deadline of none of them ends it.
        """

        async def ask() -> TokenAnswer:
            if not self._token_pace.unlimited:
                await self._token_pace.turn()
            tally.add(Purpose.TOKEN)
            try:
                async with asyncio.timeout(self._timeout):
                    answer = await self._ask_token_service_once(question)
            except TimeoutError as error:
                detail = f"was not answered within {self._timeout:g} s"
                raise TimedOutError(question.method, question.path, detail) from error
            except AnswerError as error:
                note_answer(self._token_pace, error)
                raise
            note_answer(self._token_pace, None)
            return answer

        try:
            return await ask()
        except RegistryError as error:
            if retry_reason(error) is None:
                raise
            return await ask_again(error, ask, self._observer)

    async def _ask_token_service_once(self, question: TokenQuestion) -> TokenAnswer:
        # Redirects are not followed: the secret is for this address.
        request = httpx.Request(
            question.method,
            question.url,
            headers={**dict(_ALWAYS), **question.headers},
            content=question.body or None,
            extensions=self._extensions,
        )
        response = await self._send(request, question)
        status, headers = response.status_code, response.headers
        try:
            body = await body_of(response, _TOKEN_BODY, question)
        finally:
            await close(response)
        if status != _OK:
            raise AnswerError(
                question.method,
                question.path,
                status,
                parse_error_codes(body),
                retry_after=headers.get("retry-after"),
            )
        return TokenAnswer(body, headers.get("date"))

    def _request(self, question: Question, address: str, authorization: str | None) -> httpx.Request:
        fields = [*_ALWAYS]
        if question.accept is not None:
            fields.append(("Accept", question.accept))
        if question.byte_range is not None:
            fields.append(("Range", question.byte_range))
        if authorization is not None:
            fields.append(("Authorization", authorization))
        return BareRequest(question.method, address, fields, self._extensions)

    async def _send(self, request: httpx.Request, asked: Asked) -> httpx.Response:
        started = time.perf_counter()
        code = "error"
        try:
            response = await self._transport.handle_async_request(request)
            code = str(response.status_code)
        except BEFORE_ANSWER as error:
            raise before_answer(error, asked) from error
        finally:
            if self._observer is not None:
                self._observer.requested(request.method, code, time.perf_counter() - started)
        return response

    async def _read(self, response: httpx.Response, question: Question, *, redirected: bool) -> Answer:
        status, headers = response.status_code, headers_of(response)
        if status >= _CLIENT_ERROR:
            body = await error_body_of(response)
            raise AnswerError(
                question.method,
                question.path,
                status,
                parse_error_codes(body),
                redirected=redirected,
                retry_after=headers.get(b"retry-after"),
            )
        if (headers.get(b"content-encoding") or "identity").lower() != "identity":
            detail = "answered encoded although identity was asked for"
            raise ProtocolError(question.method, question.path, detail)
        if status != _OK and (status != _PARTIAL or question.byte_range is None):
            raise ProtocolError(question.method, question.path, f"answered {status}")
        body = b""
        if status in question.bodies:
            body = await body_of(response, question.longest_body, question, cut=question.cut)
        answer = Answer(question, status, headers, body, redirected)
        if question.sink is not None:
            await pour(response, answer.length(), question, question.sink)
        return answer


def _target(response: httpx.Response, question: Question, address: str) -> httpx.URL:
    url = httpx.URL(address)
    try:
        target = url.join(response.headers["location"])
    except (KeyError, httpx.InvalidURL, ValueError):  # no cause: it would repeat what may be signed
        raise ProtocolError(question.method, question.path, "was redirected to nowhere") from None
    if not is_web_address(target):
        raise ProtocolError(question.method, question.path, "was redirected to what is no web address")
    if url.scheme == "https" and target.scheme == "http":
        raise ProtocolError(question.method, question.path, "was redirected from https to http")
    return without_user(target)
