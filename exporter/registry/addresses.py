"""What addresses have in common with each other, which can be asked at all, and requests that go there."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import httpx

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HIGHEST_PORT: Final = 65535
_NOWHERE: Final = httpx.URL()
_NO_CONTENT: Final = httpx.ByteStream(b"")


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """The scheme, host and port that decide whether two URLs are of one origin (RFC 6454)."""
    return url.scheme, url.host, port_of(url)


def port_of(url: httpx.URL) -> int | None:
    """The port that is spoken to, whether or not it is spelled out."""
    return url.port or _DEFAULT_PORTS.get(url.scheme)


def names_of(url: httpx.URL) -> frozenset[str]:
    """How the settings may call the host of a URL: with its port or without."""
    host = url.host.lower()
    bracketed = f"[{host}]" if ":" in host else host
    return frozenset({host, bracketed, f"{bracketed}:{port_of(url)}"})


def is_web_address(url: httpx.URL) -> bool:
    """Tell whether there can be a web server at a URL."""
    return url.scheme in _DEFAULT_PORTS and bool(url.host) and (url.port or 1) <= _HIGHEST_PORT


def without_user(url: httpx.URL) -> httpx.URL:
    """The URL without user and password, which a transport would make a header of their own."""
    return url.copy_with(userinfo=b"") if url.userinfo else url


class AddressedRequest(httpx.Request):
    """A request without content; its `url` is made of the `address` only when it is asked for.

    Parsing that takes as long as sending it. With a stream of its own, httpx adds no headers to those given.
    """

    def __init__(
        self, method: str, address: str, headers: httpx.Headers, extensions: Mapping[str, Any]
    ) -> None:
        super().__init__(method, _NOWHERE, headers=headers, stream=_NO_CONTENT, extensions=dict(extensions))
        self.read()  # nothing, but now it is known
        self.address = address
        del self.url

    @cached_property
    def url(self) -> httpx.URL:  # type: ignore[override]
        """Where it goes."""
        return httpx.URL(self.address)
