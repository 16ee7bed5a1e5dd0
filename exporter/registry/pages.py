"""Listings in pages: the catalog and the tags (distribution specification, "Listing Tags")."""

import json
from sys import getsizeof
from typing import Any

import httpx

from exporter.registry.addresses import origin, without_user
from exporter.registry.errors import ProtocolError
from exporter.registry.transport import Answer

LONGEST_PAGE = 8 * 1024 * 1024
MOST_NAMES = 500_000
_MOST_BYTES = 64 * 1024 * 1024  # of memory for all names of a listing
_MOST_PAGES = 10_000
_MOST_VALUES = 600_000  # in a page: small ones take much more memory than their text
# A page may bring nothing new (all of it denied or deleted); a listing that goes on so does not end.
_MOST_IDLE_PAGES = 10


class Listing:
    """The names that the pages of one listing have brought so far, each once, in order."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._names: dict[str, None] = {}
        self._bytes = 0
        self._visited: set[int] = set()  # hashes: addresses may be long
        self._idle_pages = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The distinct names, raw: they are not yet checked against any grammar."""
        return tuple(self._names)

    def add(self, answer: Answer, url: str) -> str | None:
        """Take in one page and return the address of the next, None after the last.

        Raises:
            ProtocolError: the page is no such list, its `Link` leads to another origin, or the listing does
                not come to an end.
        """
        before = len(self._names)
        for name in self._parse(answer):
            if name not in self._names:
                self._names[name] = None
                self._bytes += getsizeof(name)
        self._visited.add(hash(url))
        following = self._next(answer, url)
        if following is None:
            return None
        self._idle_pages = 0 if len(self._names) > before else self._idle_pages + 1
        if self._is_endless() or hash(following) in self._visited:
            raise _wrong(answer, f"lists {self._field} without end")
        return following

    def _is_endless(self) -> bool:
        too_much = len(self._names) > MOST_NAMES or self._bytes > _MOST_BYTES
        return too_much or self._idle_pages > _MOST_IDLE_PAGES or len(self._visited) >= _MOST_PAGES

    def _parse(self, answer: Answer) -> list[str]:
        body = answer.body
        if body.count(b"[") + body.count(b"{") + body.count(b'"') // 2 > _MOST_VALUES:
            raise _wrong(answer, f"lists {self._field} without end")
        try:
            document: Any = json.loads(body.decode())
        except (ValueError, RecursionError) as error:
            raise _wrong(answer, "answered with what is not JSON") from error
        if not isinstance(document, dict) or self._field not in document:
            raise _wrong(answer, f"answered without {self._field}")
        names = document[self._field]
        if names is None:
            return []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _wrong(answer, f"answered with {self._field} that are no list of names")
        return names

    def _next(self, answer: Answer, url: str) -> str | None:
        links = answer.headers.get(b"link")
        if not links:
            return None
        fields = [(b"Link", links.encode("latin-1"))]
        link = httpx.Response(answer.status, headers=fields).links.get("next", {}).get("url")
        if not link:
            return None
        try:
            here = httpx.URL(url)
            target = here.join(link)
        except (httpx.InvalidURL, ValueError):  # no cause: it would repeat the link
            raise _wrong(answer, "links to a next page that is no address") from None
        if origin(target) != origin(here):
            raise _wrong(answer, "links to a next page on another origin")
        if target.path != here.path and here.path.endswith(target.path):
            # Whoever stands in front takes a path away, and does not add it to the links.
            target = here.copy_with(query=target.query)
        return str(without_user(target))


def _wrong(answer: Answer, detail: str) -> ProtocolError:
    return ProtocolError(answer.method, answer.path, detail)
