"""How an answer shows that a pull-through cache gave it: docs/registries.md, "Pull-through caches"."""

from collections.abc import Callable
from typing import Final, TypeAlias

from exporter.registry.messages import AnswerHeaders

# Is told of a repository whose answers show a cache, and what shows it.
NoticeCache: TypeAlias = Callable[[str, str], None]

# What distribution and Harbor set themselves on what they have from upstream. All that they store they serve
# with quotation marks around it, as HTTP demands.
_BARE_ETAG: Final = "an Etag that is the bare digest, as distribution and Harbor give content from upstream"
_ORIGIN: Final = b"x-artifactory-origin-remote-path"  # Artifactory, of a remote repository
_CACHE_STATUS: Final = (b"x-cache-status", b"x-proxy-cache")  # nginx, where it is told to
_SPEAKING: Final = frozenset({_ORIGIN, *_CACHE_STATUS})
_CACHED: Final = frozenset({"HIT", "MISS", "EXPIRED", "STALE", "UPDATING", "REVALIDATED"})


def sign_of_cache(headers: AnswerHeaders) -> str | None:
    """Tell what of a successful answer for a manifest or a blob shows a cache; None: nothing does."""
    if headers.has_any(_SPEAKING):
        if headers.get(_ORIGIN) is not None:
            return f"the header {_ORIGIN.decode()}"
        for name in _CACHE_STATUS:
            status = headers.get(name)
            if status is not None and status.upper() in _CACHED:
                return f"the header {name.decode()}"
    etag = headers.get(b"etag")
    return _BARE_ETAG if etag is not None and etag == headers.get(b"docker-content-digest") else None
