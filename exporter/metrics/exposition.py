"""Expositions: families written out in the formats that Prometheus reads."""

import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Self

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

    plain: bytes
    compressed: bytes
    _compressor: "zlib._Compress"

    @classmethod
    def of(cls, collector: Collector) -> Self:
        """Write out families for both formats at once. They must be gauges, which read the same in both."""
        plain = Format.TEXT.write(collector)
        compressor = zlib.compressobj(wbits=_GZIP)
        return cls(plain, compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH), compressor)

    def followed_by(self, rest: bytes, *, compress: bool) -> bytes:
        """Make an exposition whole. Only the rest is compressed anew; the result is one gzip member."""
        if not compress:
            return self.plain + rest
        compressor = self._compressor.copy()
        return self.compressed + compressor.compress(rest) + compressor.flush()
