"""How an answer shows that a pull-through cache gave it: docs/registries.md, "Pull-through caches"."""

from collections.abc import Callable
from typing import Final, TypeAlias

import httpx

# Is told of a repository whose answers show a cache, and what shows it.
NoticeCache: TypeAlias = Callable[[str, str], None]

# What distribution and Harbor set themselves on what they have from upstream. All that they store they serve
# with quotation marks around it, as HTTP demands.
_BARE_ETAG: Final = "an Etag that is the bare digest, as distribution and Harbor give content from upstream"
_ORIGIN: Final = b"x-artifactory-origin-remote-path"  # Artifactory, of a remote repository
_CACHE_STATUS: Final = frozenset({b"x-cache-status", b"x-proxy-cache"})  # nginx, where it is told to
_CACHED: Final = frozenset({b"HIT", b"MISS", b"EXPIRED", b"STALE", b"UPDATING", b"REVALIDATED"})


def sign_of_cache(headers: httpx.Headers) -> str | None:
    """Tell what of a successful answer for a manifest or a blob shows a cache; None: nothing does."""
    etag = digest = None
    for name, value in headers.raw:
        key = name.lower()
        if key == b"etag":
            etag = value
        elif key == b"docker-content-digest":
            digest = value
        elif key == _ORIGIN or (key in _CACHE_STATUS and value.upper() in _CACHED):
            return f"the header {name.decode('ascii', 'replace')}"
    return _BARE_ETAG if digest is not None and etag == digest else None
