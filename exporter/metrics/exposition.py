"""Expositions: families written out in the formats that Prometheus reads."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Self

from prometheus_client import Metric
from prometheus_client import exposition as text
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

_GZIP = 16 + zlib.MAX_WBITS


class Format(Enum):
    """A format of the exposition; the value is its content type."""

    TEXT = text.CONTENT_TYPE_PLAIN_0_0_4
    OPENMETRICS = openmetrics.CONTENT_TYPE_LATEST

    def write(self, collector: Collector) -> bytes:
        """Write out a whole exposition."""
        # Prometheus can read names in other alphabets escaped; ours need no escaping.
        if self is Format.OPENMETRICS:
            written: bytes = openmetrics.generate_latest(collector)  # type: ignore[no-untyped-call]
            return written
        return text.generate_latest(collector)


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first part of an exposition, which stays the same for many scrapes: written and compressed once."""

    plain: bytearray
    compressed: bytearray
    _compressor: "zlib._Compress"

    @classmethod
    def of(cls, slices: Iterable[Metric]) -> Self:
        """Write out families for both formats at once. They must be gauges, which read the same in both.

        A family may come in several slices, one after another. Small ones keep the event loop going while a
        thread does this: what joins, encodes and frees all the samples at once lets nothing else run.
        """
        compressor = zlib.compressobj(wbits=_GZIP)
        plain, compressed = bytearray(), bytearray()
        for written in _without_repetition(slices):
            plain += written
            compressed += compressor.compress(written)
        compressed += compressor.flush(zlib.Z_SYNC_FLUSH)
        return cls(plain, compressed, compressor)

    def followed_by(self, rest: bytes, *, compress: bool) -> bytes:
        """Make an exposition whole. Only the rest is compressed anew; the result is one gzip member."""
        if not compress:
            return b"".join((self.plain, rest))
        compressor = self._compressor.copy()
        return b"".join((self.compressed, compressor.compress(rest), compressor.flush()))


@dataclass(frozen=True, slots=True)
class _Alone(Collector):
    """One family, or a slice of it, as what the library's writer takes."""

    family: Metric

    def collect(self) -> Iterable[Metric]:
        return (self.family,)


def _without_repetition(slices: Iterable[Metric]) -> Iterator[bytes]:
    """Write out slices; only the first of a family tells its HELP and TYPE."""
    name = None
    for family in slices:
        written = Format.TEXT.write(_Alone(family))
        yield written.split(b"\n", 2)[2] if family.name == name else written
        name = family.name
