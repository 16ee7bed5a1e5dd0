"""What a scraper can read, as it says in its request (RFC 9110, section 12)."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.metrics import Format

_OPENMETRICS_VERSIONS = frozenset({"", "1.0.0"})


@dataclass(frozen=True, slots=True)
class _Choice:
    value: str
    quality: float
    version: str


def best_format(accept: str) -> Format:
    """Choose what an `Accept` header likes best, of equals the first; text where it likes neither."""
    best, best_quality = Format.TEXT, 0.0
    for choice in _choices(accept):
        found = _format_of(choice)
        if found is not None and choice.quality > best_quality:
            best, best_quality = found, choice.quality
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an `Accept-Encoding` header allows gzip by name."""
    return any(choice.value == "gzip" and choice.quality > 0 for choice in _choices(accept_encoding))


def _format_of(choice: _Choice) -> Format | None:
    match choice.value:
        case "application/openmetrics-text" if choice.version in _OPENMETRICS_VERSIONS:
            return Format.OPENMETRICS
        case "text/plain" | "text/*" | "*/*":
            return Format.TEXT
        case _:
            return None


def _choices(header: str) -> Iterator[_Choice]:
    for part in header.split(","):
        value, *parameters = part.split(";")
        words = dict(_parameter(parameter) for parameter in parameters)
        yield _Choice(value.strip().lower(), _quality(words.get("q", "1")), words.get("version", ""))


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
