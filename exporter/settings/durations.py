"""Durations as an operator writes them: `500ms`, `10s`, `15m`, `24h`, `1h30m`, `7d`."""

import re
from typing import Final

_MILLISECONDS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST_DAYS: Final = 365
# Twelve digits are more than the longest duration needs, and few enough to convert.
_GRAMMAR = re.compile("".join(f"(?:(?P<{unit}>[0-9]{{1,12}}){unit})?" for unit in _MILLISECONDS))
DURATION_PATTERN: Final = "(?=.)" + "".join(f"(?:[0-9]{{1,12}}{unit})?" for unit in _MILLISECONDS)
"""The grammar of durations as a regular expression that all languages read."""


def parse_duration(text: str) -> float:
    """Read a duration, the larger unit first, into seconds.

    Raises:
        ValueError: the text is no duration, or one longer than 365 days.
    """
    match = _GRAMMAR.fullmatch(text)
    if not text or match is None:
        raise ValueError("expected a duration such as 500ms, 10s, 15m or 1h30m")
    total = sum(int(match[unit] or 0) * worth for unit, worth in _MILLISECONDS.items())
    if total > _LONGEST_DAYS * _MILLISECONDS["d"]:
        raise ValueError(f"expected a duration of at most {_LONGEST_DAYS}d")
    return total / 1000


def format_duration(seconds: float) -> str:
    """Write a duration, rounded to milliseconds, so that `parse_duration` reads it again."""
    rest = round(seconds * 1000)
    words = []
    for unit, worth in _MILLISECONDS.items():
        count, rest = divmod(rest, worth)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"
