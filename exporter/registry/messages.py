"""HTTP messages of which only those parts are made that are asked for: thousands of them have hardly any."""

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias

import aiohttp
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

    def get(self, name: bytes) -> str | None:
        """The value of a header; every byte is a character, so any value can be read."""
        value = self._values.get(name)
        return None if value is None else value.decode("latin-1")

    def has_any(self, names: frozenset[bytes]) -> bool:
        """Whether there is one of these."""
        return not names.isdisjoint(self._values)


class BareRequest(httpx.Request):
    """A request without content; its `url` and `headers` are made only when they are asked for.

    Making them takes as long as sending it.
    """

    def __init__(
        self, method: str, address: str, fields: Sequence[tuple[str, str]], extensions: dict[str, Any]
    ) -> None:
        """Address it to what httpx would write the same."""
        # Not httpx's own: that makes what is put off here.
        self.method = method
        self.extensions = extensions  # of all requests to an origin, so not to be changed
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


class BareBody(httpx.AsyncByteStream):
    """What follows the headers of an answer, read without generators."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    @property
    def over(self) -> bool:
        """Whether all of it has come, so that there is nothing to let go of."""
        return self._answer.closed

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._answer.content.readany()
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Let go of the connection, whatever has not come yet."""
        await self._answer.__aexit__(None, None, None)


class BareResponse(httpx.Response):
    """The response to a bare request; its `headers` are made only when they are asked for.

    Whoever asked reads and closes its `body`; what httpx itself needs for that is not there.
    """

    def __init__(self, answer: aiohttp.ClientResponse, request: BareRequest) -> None:
        # Not httpx's own, which makes what is put off here and more.
        self.status_code = answer.status
        self.fields: RawFields = answer.raw_headers
        self.stream = self.body = BareBody(answer)
        self.request = request
        self.extensions = {}

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        """What it says before its body."""
        return httpx.Headers(list(self.fields))


def headers_of(response: httpx.Response) -> AnswerHeaders:
    """Read the headers of a response, whoever made it."""
    return AnswerHeaders(response.fields if isinstance(response, BareResponse) else response.headers.raw)
