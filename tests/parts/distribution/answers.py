"""Requests and answers, as far as the registry cares."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.parts.distribution.errors import Refusal

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BUFFER = 2048
"""Go counts a body for the client only when it fits this buffer; a longer one comes in chunks."""


@dataclass(frozen=True)
class Question:
    """A request; `headers` are named in lower case, each with all its values."""

    method: str
    host: str
    target: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header's first value, or nothing."""
        return next(iter(self.headers.get(name, ())), "")


@dataclass(frozen=True)
class Answer:
    """A status, headers, and the bytes that really come, which may be fewer than the headers say."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_headers(self, **headers: str) -> "Answer":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Answer(self.status, {**self.headers, **named}, self.body)


Handler = Callable[[Question], Answer]


def json_answer(document: Any, status: int = 200) -> Answer:
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    return counted(Answer(status, {"Content-Type": JSON}, body))


def refusal_answer(refusal: Refusal) -> Answer:
    return counted(Answer(refusal.status, {"Content-Type": JSON}, refusal.body))


def text_error(status: int, text: str, **headers: str) -> Answer:
    """Answer as Go's http.Error does, which leaves alone the headers that were set before."""
    plain = {"Content_Type": TEXT, "X_Content_Type_Options": "nosniff"}
    error = Answer(status, {}, text.encode() + b"\n").with_headers(**{**headers, **plain})
    return counted(error) if "Content-Length" not in error.headers else _cut(error)


def counted(answer: Answer) -> Answer:
    """Add the length that Go adds to a short body."""
    if len(answer.body) > BUFFER:
        return answer
    return answer.with_headers(Content_Length=str(len(answer.body)))


def _cut(answer: Answer) -> Answer:
    # Go writes nothing at all when that would be more than it has said there is.
    fits = len(answer.body) <= int(answer.headers["Content-Length"])
    return answer if fits else Answer(answer.status, answer.headers, b"")
