"""HTTP messages of which only those parts are made that are asked for: thousands of them have hardly any."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias

import httpx

# Names and values as they came; of a name there may be several.
RawFields: TypeAlias = Sequence[tuple[bytes, bytes]]

_NO_CONTENT: Final = httpx.ByteStream(b"")


class AnswerHeaders:
    """The headers of an answer, by names in lower case.

    Several of one name are read as one, with commas between (RFC 9110, 5.3).
    """

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        values: dict[bytes, bytes] = {}
        for name, value in fields:
            key = name.lower()
            values[key] = b"%b, %b" % (values[key], value) if key in values else value
        self._values = values

    def get(self, name: str) -> str | None:
        """The value of a header; every byte is a character, so any value can be read."""
        value = self._values.get(name.encode())
        return None if value is None else value.decode("latin-1")


class BareRequest(httpx.Request):
    """A request without content; its `url` and `headers` are made only when they are asked for.

    Making them takes as long as sending it.
    """

    def __init__(
        self, method: str, address: str, fields: Sequence[tuple[str, str]], extensions: Mapping[str, Any]
    ) -> None:
        """Address it to what httpx would write the same."""
        # Not httpx's own: that makes what is put off here.
        self.method = method
        self.extensions = dict(extensions)
        self.stream = _NO_CONTENT
        self.address = address
        self.fields = fields

    @property
    def content(self) -> bytes:
        """What it carries: nothing."""
        return b""

    @cached_property
    def url(self) -> httpx.URL:  # type: ignore[override]
        """Where it goes."""
        return httpx.URL(self.address)

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        """What it says beside its method and address."""
        return httpx.Headers(list(self.fields))


class BareResponse(httpx.Response):
    """A response whose `headers` are made only when they are asked for."""

    def __init__(
        self, status_code: int, fields: RawFields, stream: httpx.AsyncByteStream, request: httpx.Request
    ) -> None:
        super().__init__(status_code, stream=stream, request=request)
        self.fields = fields
        del self.headers

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        """What it says before its body."""
        return httpx.Headers(list(self.fields))


def headers_of(response: httpx.Response) -> AnswerHeaders:
    """Read the headers of a response, whoever made it."""
    return AnswerHeaders(response.fields if isinstance(response, BareResponse) else response.headers.raw)
