"""A caller never sees an exception of a library below: every one becomes an error of this package."""

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.oci import Digest
from exporter.registry import (
    AnswerError,
    Circuit,
    ConnectionFailedError,
    Errand,
    ProtocolError,
    RegistryClient,
    RegistryError,
    TimedOutError,
    TruncatedBodyError,
)
from exporter.registry.errors import ConnectTimedOutError, NotConnectedError
from tests.registry.failure import failure

DIGEST = Digest("sha256:" + "0123456789abcdef" * 4)
KEY = ConnectionKey("registry.example", 443, True, True, None, None, None)
ASKINGS: dict[str, Callable[[RegistryClient, Errand], Awaitable[Any]]] = {
    "ping": lambda client, errand: client.ping(errand),
    "catalog": lambda client, errand: client.catalog(errand),
    "tags": lambda client, errand: client.tags("app", errand),
    "head_manifest": lambda client, errand: client.head_manifest("app", "v1", errand),
    "get_manifest": lambda client, errand: client.get_manifest("app", "v1", errand),
    "head_blob": lambda client, errand: client.head_blob("app", DIGEST, errand),
    "last_byte": lambda client, errand: client.last_byte("app", DIGEST, 7, errand),
}
READ_BODIES = {"catalog", "tags", "get_manifest", "last_byte"}


def family(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from family(child)


def make(kind: type[Exception]) -> Exception:
    """Make an exception as the library would."""
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(None, ())  # type: ignore[arg-type]
    if issubclass(kind, UnixClientConnectorError):
        return kind("/socket", KEY, OSError(errno.ECONNREFUSED, "refused"))
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(KEY, ssl.CertificateError("expired"))
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(KEY, OSError(errno.EHOSTUNREACH, "no route"))
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"1", b"2", "registry.example", 443)
    return kind("detail of the library")


def wrapped(kind: type[Exception], cause: Exception) -> Exception:
    error = make(kind)
    error.__cause__ = cause
    return error


FOREIGN = [
    *[make(kind) for root in (httpx.TransportError, aiohttp.ClientError) for kind in family(root)],
    *[OSError(number, "detail") for number in (errno.ECONNRESET, errno.EPIPE, errno.ENETUNREACH)],
    *[OSError(), ConnectionResetError(), TimeoutError(), BrokenPipeError(), ssl.SSLError(1, "[SSL] detail")],
    *[wrapped(httpx.ConnectTimeout, make(kind)) for kind in family(aiohttp.ClientConnectionError)],
]
BEFORE_AN_ANSWER = [
    *FOREIGN,
    *[
        ValueError("detail"),
        UnicodeEncodeError("idna", "x", 0, 1, "label too long"),
    ],
]


class Failing(httpx.AsyncBaseTransport):
    """Raises at one stage of every request."""

    def __init__(self, status: int, *, asked: Exception | None = None, read: Exception | None = None) -> None:
        self._status = status
        self._asked = asked
        self._read = read
        self.closing: Exception | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._asked is not None:
            raise self._asked
        headers = {"Content-Range": "bytes 6-6/7"} if "range" in request.headers else {}
        stream = Stream(self._read, self.closing)
        return httpx.Response(self._status, headers=headers, stream=stream, request=request)


class Stream(httpx.AsyncByteStream):
    """A body that breaks off, or cannot be closed."""

    def __init__(self, read: Exception | None, closing: Exception | None) -> None:
        self._read = read
        self._closing = closing

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b""
        if self._read is not None:
            raise self._read

    async def aclose(self) -> None:
        if self._closing is not None:
            raise self._closing


def assert_clean(error: object) -> None:
    """No word of the library, which may hold anything, is in the message."""
    assert ("detail" in str(error), str(error).isprintable()) == (False, True)


def outcome(asking: str, transport: Failing) -> RegistryError | object:
    """Ask; whatever is raised beside errors of this package is the test's failure."""

    async def ask() -> object:
        client = RegistryClient("http://registry.example", transport)
        return await ASKINGS[asking](client, Errand(circuit=Circuit()))

    try:
        return asyncio.run(ask())
    except RegistryError as error:
        return error


unhurried = settings(deadline=None, max_examples=200)


@unhurried
@given(st.sampled_from(sorted(ASKINGS)), st.sampled_from(BEFORE_AN_ANSWER))
def test_any_exception_before_an_answer_becomes_an_error_of_ours(asking: str, error: Exception):
    """Whatever was asked."""
    raised = outcome(asking, Failing(200, asked=error))
    assert_clean(raised)
    assert isinstance(raised, TimedOutError | ConnectionFailedError | ProtocolError)


@unhurried
@given(st.sampled_from(sorted(READ_BODIES)), st.sampled_from(FOREIGN))
def test_any_exception_in_a_body_becomes_an_error_of_ours(asking: str, error: Exception):
    """Cut, or too late."""
    raised = outcome(asking, Failing(206 if asking == "last_byte" else 200, read=error))
    assert_clean(raised)
    assert isinstance(raised, TruncatedBodyError | TimedOutError)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("detail"),
        make(aiohttp.SocketTimeoutError),
        wrapped(httpx.ReadError, make(aiohttp.ServerTimeoutError)),
    ],
    ids=repr,
)
async def test_body_that_a_library_calls_late_is_not_cut(error: Exception, errand: Errand):
    """It may come yet."""
    client = RegistryClient("http://registry.example", Failing(200, read=error))
    assert await failure(client.catalog(errand)) == (
        TimedOutError,
        "GET /v2/_catalog stopped in the middle of its body",
    )


@unhurried
@given(st.sampled_from(sorted(ASKINGS)), st.sampled_from(FOREIGN))
def test_any_exception_in_the_body_of_a_refusal_leaves_the_refusal(asking: str, error: Exception):
    """Unless it came too late."""
    raised = outcome(asking, Failing(403, read=error))
    assert_clean(raised)
    assert isinstance(raised, AnswerError | TimedOutError)


@unhurried
@given(
    st.sampled_from(sorted(ASKINGS.keys() - READ_BODIES)),
    st.sampled_from(FOREIGN),
    st.sampled_from([200, 307]),
)
def test_exception_on_closing_changes_nothing(asking: str, error: Exception, status: int):
    """What was answered was answered."""
    expected = outcome(asking, Failing(status))
    failing = Failing(status)
    failing.closing = error
    assert repr(outcome(asking, failing)) == repr(expected)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (httpx.ConnectTimeout(""), ConnectTimedOutError, "could not connect in time"),
        (make(aiohttp.ConnectionTimeoutError), ConnectTimedOutError, "could not connect in time"),
        (httpx.ReadTimeout(""), TimedOutError, "was not answered in time"),
        (httpx.PoolTimeout(""), TimedOutError, "was not answered in time"),
        (make(aiohttp.SocketTimeoutError), TimedOutError, "was not answered in time"),
        (TimeoutError(), TimedOutError, "was not answered in time"),
        (make(aiohttp.ClientConnectorSSLError), NotConnectedError, "failed: TLS could not be agreed on"),
        (
            make(aiohttp.ClientConnectorCertificateError),
            NotConnectedError,
            "failed: TLS could not be agreed on",
        ),
        (make(aiohttp.ClientConnectorError), NotConnectedError, "failed: no route to host"),
        (
            make(aiohttp.ClientConnectorDNSError),
            NotConnectedError,
            "failed: the host name could not be resolved",
        ),
        (httpx.ConnectError("detail"), NotConnectedError, "failed: no connection"),
        (httpx.ProxyError("detail"), NotConnectedError, "failed: no connection"),
        (
            make(aiohttp.ServerDisconnectedError),
            ConnectionFailedError,
            "failed: the connection was closed before an answer",
        ),
        (OSError(errno.ECONNRESET, "detail"), ConnectionFailedError, "failed: connection reset by peer"),
        (ssl.SSLError(1, "[SSL] detail"), ConnectionFailedError, "failed: TLS broke off"),
        (httpx.ReadError("detail"), ConnectionFailedError, "failed: no connection"),
        (httpx.RemoteProtocolError("detail"), ProtocolError, "was answered with what is not HTTP"),
        (make(aiohttp.ClientResponseError), ProtocolError, "was answered with what is not HTTP"),
        # httpx-aiohttp calls a lost connection a timeout; the cause tells the truth.
        (
            wrapped(httpx.ConnectTimeout, make(aiohttp.ServerDisconnectedError)),
            ConnectionFailedError,
            "failed: the connection was closed before an answer",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_kind_of_failure_is_kept(
    error: Exception, kind: type[RegistryError], message: str, errand: Errand
):
    """What the caller decides by is the class; the words are for people."""
    client = RegistryClient("http://registry.example", Failing(200, asked=error))
    assert await failure(client.ping(errand)) == (kind, f"GET /v2/ {message}")
