"""What a scenario found out: rows that name both sides, and all that was measured."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should be: at least, at most, or both the same."""

    least: float = -math.inf
    most: float = math.inf

    def met(self, ratio: float) -> bool:
        """Tell whether a ratio is as it should be."""
        return self.least <= ratio <= self.most

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.least:g}"
        return f"at most {self.most:g}" if math.isinf(self.least) else f"at least {self.least:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: what of, our value, the other side with its name, and ours by theirs in each run."""

    what: str
    ours: str
    other: str
    ratios: Sequence[float]
    goal: Goal | None = None

    @property
    def ratio(self) -> float:
        """The median of the runs."""
        return median(self.ratios)

    @property
    def met(self) -> bool:
        """Whether the ratio is as it should be."""
        return self.goal is None or self.goal.met(self.ratio)


@dataclass(frozen=True, slots=True)
class Result:
    """What one scenario found out; `measured` is everything that was measured, ready for JSON."""

    title: str
    rows: Sequence[Row]
    measured: Mapping[str, Any]


Written = Callable[[float], str]


def compare(
    what: str,
    ours: Iterable[float],
    name: str,
    other: Iterable[float],
    *,
    written: Written,
    goal: Goal | None = None,
) -> Row:
    """Compare two sides that were measured in the same runs; `name` is the other one's."""
    mine, theirs = list(ours), list(other)
    ratios = [left / right for left, right in zip(mine, theirs, strict=True)]
    return Row(what, written(median(mine)), f"{name}: {written(median(theirs))}", ratios, goal)


def count(value: float) -> str:
    """Write a number of things."""
    return f"{value:,.0f}"


def per_second(value: float) -> str:
    """Write a rate."""
    return f"{value:,.0f}/s"


def seconds(value: float) -> str:
    """Write a long time."""
    return f"{value:,.2f} s"


def milliseconds(value: float) -> str:
    """Write a short time, given in seconds."""
    return f"{value * 1000:.3f} ms"


def mebibytes(value: float) -> str:
    """Write an amount of memory, given in bytes."""
    return f"{value / 2**20:,.0f} MiB"


_HEADINGS: Final = ("what", "ours", "beside", "ratio", "runs", "goal")


def table(rows: Iterable[Row]) -> str:
    """Write rows as a table in Markdown, its columns aligned."""
    lines = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    spread = f"{min(row.ratios):.3f} to {max(row.ratios):.3f}" if len(row.ratios) > 1 else ""
    goal = "" if row.goal is None else f"{row.goal}: {'met' if row.met else 'missed'}"
    return (row.what, row.ours, row.other, f"{row.ratio:.3f}", spread, goal)
