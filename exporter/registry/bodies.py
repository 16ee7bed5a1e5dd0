"""Reading what comes after the headers: into memory, bounded, or into a sink."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from types import AsyncGeneratorType
from typing import Final, Protocol

import httpx

from exporter.registry.errors import TooLargeError
from exporter.registry.foreign_errors import ON_CLOSING, WITHIN_BODY, Asked, within_body
from exporter.registry.messages import BareResponse

_ERROR_BODY: Final = 64 * 1024
_ERROR_BODY_SECONDS: Final = 2.0


class BodySink(Protocol):
    """Takes a body of any length as it comes; it may come again from its beginning, after an error."""

    def begin(self, length: int | None) -> bool:
        """A body follows, of so many bytes, None where that is not told; false: it is not wanted."""

    async def add(self, chunk: bytes) -> bool:
        """Take the next bytes; false: the rest is not wanted."""


class PostponingSink:
    """A sink that postpones a deadline whenever something comes."""

    def __init__(self, sink: BodySink, deadline: asyncio.Timeout, seconds: float) -> None:
        self._sink = sink
        self._deadline = deadline
        self._seconds = seconds

    def begin(self, length: int | None) -> bool:
        """Pass it on."""
        return self._sink.begin(length)

    async def add(self, chunk: bytes) -> bool:
        """Pass it on; the next may take as long as this one might have."""
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
        return await self._sink.add(chunk)


async def body_of(response: httpx.Response, longest: int, asked: Asked, *, cut: bool = False) -> bytes:
    """Read a body of at most `longest` bytes; a longer one is cut, or an error.

    Raises:
        RegistryError: it is longer, or does not come to its end.
    """
    body = bytearray()
    try:
        await _read_into(body, response, longest if cut else longest + 1)
    except WITHIN_BODY as error:
        raise within_body(error, response, asked, len(body)) from error
    if len(body) > longest and not cut:
        raise TooLargeError(asked.method, asked.path, f"answered with more than {longest} bytes")
    return bytes(body[:longest])


async def error_body_of(response: httpx.Response) -> bytes:
    """Read what explains an error, as far as it comes: the status says enough without it."""
    body = bytearray()
    with suppress(TimeoutError, *WITHIN_BODY):
        async with asyncio.timeout(_ERROR_BODY_SECONDS):
            await _read_into(body, response, _ERROR_BODY)
    return bytes(body[:_ERROR_BODY])


async def pour(response: httpx.Response, length: int | None, asked: Asked, sink: BodySink) -> None:
    """Give a body of so many bytes, as announced, to a sink, as far as it is wanted.

    Raises:
        RegistryError: it does not come to its end.
    """
    if not sink.begin(length):
        return
    received = 0
    chunks = _stream_of(response).__aiter__()
    try:
        async for chunk in chunks:
            received += len(chunk)
            if not await sink.add(chunk):
                return
    except WITHIN_BODY as error:
        raise within_body(error, response, asked, received) from error
    finally:
        await _finish(chunks)


def is_over(response: httpx.Response) -> bool:
    """Whether all of it has come: then there is nothing to close."""
    return isinstance(response, BareResponse) and response.body.over


async def close(response: httpx.Response) -> None:
    """Let go of a response; what was answered was answered."""
    with suppress(*ON_CLOSING):
        await _stream_of(response).aclose()


async def _read_into(body: bytearray, response: httpx.Response, enough: int) -> None:
    """Read a body as it comes, to its end or until there are `enough` bytes."""
    chunks = _stream_of(response).__aiter__()
    try:
        async for chunk in chunks:
            body += chunk
            if len(body) >= enough:
                return
    finally:
        await _finish(chunks)


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    # Itself, since httpx's own ways to it cost more than what comes along it.
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("the transport answered with a body that cannot be awaited")
    return response.stream


async def _finish(chunks: AsyncIterator[bytes]) -> None:
    if isinstance(chunks, AsyncGeneratorType):  # else the event loop would have to close it
        await chunks.aclose()
