"""What the libraries below raise, made errors of ours."""

import os
from typing import Protocol

import aiohttp
import httpx

from exporter.registry.errors import (
    ConnectionFailedError,
    ConnectTimedOutError,
    NotConnectedError,
    ProtocolError,
    RegistryError,
    TimedOutError,
    TruncatedBodyError,
)

BEFORE_ANSWER = (httpx.TransportError, aiohttp.ClientError, OSError, ValueError)
WITHIN_BODY = (httpx.TransportError, httpx.StreamError, aiohttp.ClientError, OSError)
ON_CLOSING = (httpx.TransportError, aiohttp.ClientError, OSError)


class Asked(Protocol):
    """What was asked, as errors tell it."""

    @property
    def method(self) -> str:
        """How."""

    @property
    def path(self) -> str:
        """Where, in words that are safe to log."""


def before_answer(error: Exception, asked: Asked) -> RegistryError:
    """Make an error of what was raised instead of an answer."""
    # httpx-aiohttp calls a lost connection a timeout; the cause tells the truth.
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    method, path = asked.method, asked.path
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


def within_body(error: Exception, response: httpx.Response, asked: Asked, received: int) -> RegistryError:
    """Make an error of what was raised after so many bytes of a body."""
    if _timed_out(error):
        return TimedOutError(asked.method, asked.path, "stopped in the middle of its body")
    status, content_range = response.status_code, response.headers.get("content-range", "")
    detail = f"answered {status}, but the body ended after {received} bytes"
    return TruncatedBodyError(asked.method, asked.path, status, detail, content_range)


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
