"""Every way in which asking a registry can fail. No exception of a library below leaves this package."""

import json
import re
from typing import ClassVar

import httpx

_LONGEST_ERROR_BODY = 64 * 1024
_MOST_CODES = 8
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class RegistryError(Exception):
    """A question had no usable answer.

    `method` and `path` tell which; the path holds no query, since a redirect's may be signed. `detail` says
    what happened, in words that are safe to log.
    """

    retry_reason: ClassVar[str | None] = None  # why asking again may help; None: it does not

    def __init__(self, method: str, path: str, detail: str) -> None:
        super().__init__(f"{method} {path} {detail}")
        self.method = method
        self.path = path
        self.detail = detail


class AnswerError(RegistryError):
    """The registry answered with a status that is no success.

    `codes` are those of the specification's error body (distribution specification, "Error Codes"), empty
    for a foreign body and for HEAD. `redirected` says that another origin answered, which the registry sent
    us to. `retry_after` is the header, raw.
    """

    def __init__(
        self,
        method: str,
        path: str,
        status: int,
        codes: tuple[str, ...] = (),
        *,
        redirected: bool = False,
        retry_after: str | None = None,
    ) -> None:
        words = " ".join((f"answered {status}", *codes))
        super().__init__(method, path, f"{words} after a redirect" if redirected else words)
        self.status = status
        self.codes = codes
        self.redirected = redirected
        self.retry_after = retry_after


class AuthenticationError(RegistryError):
    """Not asked, since there is no way in: no token, no credentials, or a token service that is not trusted.

    `trouble` is how the token service failed, None where it was not asked.
    """

    def __init__(self, method: str, path: str, detail: str, trouble: RegistryError | None = None) -> None:
        super().__init__(method, path, f"was not asked: {detail}")
        self.trouble = trouble


class TimedOutError(RegistryError):
    """There was no whole answer in time."""

    retry_reason = "timeout"


class ConnectTimedOutError(TimedOutError):
    """No connection could be made in time."""


class ConnectionFailedError(RegistryError):
    """The connection was lost before an answer began."""

    retry_reason = "connection"


class NotConnectedError(ConnectionFailedError):
    """No connection could be made: refused, no route, no such host, TLS not agreed on."""


class PastDeadlineError(RegistryError):
    """Not asked, or not answered, before the deadline of the cycle."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(method, path, "was not answered before the deadline")


class LeftAloneError(RegistryError):
    """Not asked, because the registry or this repository has stopped answering in this cycle.

    `rate_limited` says that it answers, but refuses every request for being one too many.
    """

    def __init__(self, method: str, path: str, detail: str, *, rate_limited: bool = False) -> None:
        super().__init__(method, path, detail)
        self.rate_limited = rate_limited


class TruncatedBodyError(RegistryError):
    """The body ended before its announced length.

    `status` and `content_range`, the header's text, are the answer's.
    """

    retry_reason = "truncated"

    def __init__(self, method: str, path: str, status: int, detail: str, content_range: str = "") -> None:
        super().__init__(method, path, detail)
        self.status = status
        self.content_range = content_range


class ProtocolError(RegistryError):
    """The answer does not follow HTTP or the distribution specification."""


class TooLargeError(RegistryError):
    """The answer is larger than anything that a client would accept."""


def path_of(url: httpx.URL) -> str:
    """The path that stands in errors: as it goes over the wire, since decoded it could hold anything."""
    return url.raw_path.partition(b"?")[0].decode("ascii")


def parse_error_codes(body: bytes) -> tuple[str, ...]:
    """Read `errors[].code` of the specification's error body; empty for any other body."""
    if body.lstrip()[:1] != b"{" or len(body) > _LONGEST_ERROR_BODY:
        return ()
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        return ()
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ()
    codes = (error.get("code") for error in errors[:_MOST_CODES] if isinstance(error, dict))
    return tuple(code for code in codes if isinstance(code, str) and _CODE.fullmatch(code))
