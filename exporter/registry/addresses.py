"""What addresses have in common with each other, and which can be asked at all."""

from typing import Final

import httpx

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HIGHEST_PORT: Final = 65535


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
