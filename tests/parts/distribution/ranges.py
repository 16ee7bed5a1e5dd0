"""Serving a part of a blob, as Go's http.ServeContent does."""

import re
from dataclasses import dataclass

from tests.parts.distribution.answers import Answer, text_error
from tests.parts.distribution.errors import NotModelledError

_SPEC = re.compile(r"\s*(\d*)\s*-\s*(\d*)\s*")


class InvalidRangeError(Exception):
    """A Range header that makes no sense."""


class NoOverlapError(Exception):
    """A range beyond the end."""


@dataclass(frozen=True)
class Span:
    start: int
    length: int


def serve_content(data: bytes, size: int, asked: str, headers: dict[str, str]) -> Answer:
    """Answer with `data`, believed to be `size` bytes: what is missing of them the client misses too."""
    try:
        span = parse_range(asked, size)
    except NoOverlapError:
        return text_error(
            416,
            "invalid range: failed to overlap",
            # That of the whole blob was set before, and stays.
            **_fields(headers, Content_Range=f"bytes */{size}", Content_Length=str(size)),
        )
    except InvalidRangeError:
        return text_error(416, "invalid range", **_fields(headers, Content_Length=str(size)))
    if span is None:
        whole = _fields(headers, Accept_Ranges="bytes", Content_Length=str(size))
        return Answer(200, {}, data[:size]).with_headers(**whole)
    end = span.start + span.length
    part = _fields(
        headers,
        Accept_Ranges="bytes",
        Content_Length=str(span.length),
        Content_Range=f"bytes {span.start}-{end - 1}/{size}",
    )
    return Answer(206, {}, data[span.start : end]).with_headers(**part)


def parse_range(asked: str, size: int) -> Span | None:
    """Parse a Range header of one range; None asks for all.

    Raises:
        InvalidRangeError: it makes no sense.
        NoOverlapError: it begins beyond the end.

    """
    if not asked:
        return None
    if not asked.startswith("bytes="):
        raise InvalidRangeError
    if "," in asked:
        raise NotModelledError("several ranges at once")
    spec = asked.removeprefix("bytes=").strip()
    if not spec:
        return None
    found = _SPEC.fullmatch(spec)
    if found is None or not (found[1] or found[2]):
        raise InvalidRangeError
    if not found[1]:
        length = min(int(found[2]), size)
        return Span(size - length, length)
    start = int(found[1])
    if start >= size:
        raise NoOverlapError
    end = int(found[2]) if found[2] else size - 1
    if start > end:
        raise InvalidRangeError
    return Span(start, min(end, size - 1) - start + 1)


def _fields(headers: dict[str, str], **more: str) -> dict[str, str]:
    return {**{name.replace("-", "_"): value for name, value in headers.items()}, **more}
