"""Counting what was asked of a registry, by what a walk would call it."""

import re
from collections import Counter
from collections.abc import Iterable

from sample.registry import Access

_KINDS = {
    "base": re.compile(r"/v2/"),
    "catalog": re.compile(r"/v2/_catalog"),
    "tags": re.compile(r"/v2/.+/tags/list"),
    "manifest": re.compile(r"/v2/.+/manifests/[^/:]+:[^/]+"),
    "tag": re.compile(r"/v2/.+/manifests/[^/:]+"),
    "blob": re.compile(r"/v2/.+/blobs/[^/]+:[^/]+"),
}


def kind_of(access: Access) -> str:
    """Name what was asked for: base, catalog, tags (a list), tag, manifest (by digest), blob, or other."""
    kinds = (kind for kind, path in _KINDS.items() if path.fullmatch(access.path))
    return next(kinds, "other")


def counts(requests: Iterable[Access]) -> dict[str, int]:
    """Count requests by method and kind: `{"GET catalog": 1, "HEAD tag": 3, "HEAD blob": 7}`."""
    return dict(Counter(f"{access.method} {kind_of(access)}" for access in requests))
