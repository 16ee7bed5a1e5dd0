"""Our walk and the one over bare aiohttp, measured in turns on the same server."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.measuring import Measured
from bench.results import Goal, Row, Written, compare, count, mebibytes, milliseconds, per_second
from bench.shape import RequestKind, Shape
from bench.side import Side, run_in_turns

BARE: Final = "bare aiohttp"
EXACTLY: Final = Goal(1, 1)


class UnequalWork(Exception):  # noqa: N818 - says what is the matter
    """The two sides did not ask the same, so that there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Cycles:
    """The two cycles of a process: one that knows nothing, and one that knows all manifests."""

    cold: Measured
    warm: Measured


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides' cycles."""

    ours: Cycles
    bare: Cycles


def walk_both(url: str, connections: int, *, bare_first: bool) -> Pair:
    """Measure both sides in turns, of which the one or the other has the first.

    Raises:
        UnequalWork: they did not ask the same.
    """
    order = (Side.BARE, Side.OURS) if bare_first else (Side.OURS, Side.BARE)
    done = run_in_turns(order, url=url, connections=connections)
    pair = Pair(Cycles(*done[Side.OURS]), Cycles(*done[Side.BARE]))
    check_work(pair)
    return pair


def check_work(pair: Pair) -> None:
    """See to it that both sides asked the same, and were answered the same.

    Raises:
        UnequalWork: they were not.
    """
    check_cycles(pair.ours.cold, pair.bare.cold)
    check_cycles(pair.ours.warm, pair.bare.warm)


def check_cycles(ours: Measured, bare: Measured) -> None:
    """See to it that both sides asked the same in a cycle, and were answered the same.

    Raises:
        UnequalWork: they were not.
    """
    if ours.answers != bare.answers:
        raise UnequalWork(f"ours: {ours.answers}, bare: {bare.answers}")


def request_rows(pairs: Sequence[Pair], shape: Shape) -> list[Row]:
    """Compare the requests that were made with those that no walk can do without.

    That a warm cycle makes all its `HEAD` requests says that it fetches no manifest.
    """
    floor = sum(shape.floor.values())
    heads = floor - shape.floor[RequestKind.PAGE] - shape.floor[RequestKind.LAST_BYTE]
    made = [
        ("requests of a cold cycle", floor, [pair.ours.cold.requests for pair in pairs]),
        ("requests of a warm cycle", floor, [pair.ours.warm.requests for pair in pairs]),
        ("HEAD requests of a warm cycle", heads, [pair.ours.warm.answers["HEAD 200"] for pair in pairs]),
    ]
    return [
        compare(what, ours, "floor", [least] * len(ours), written=count, goal=EXACTLY)
        for what, least, ours in made
    ]


def walk_rows(pairs: Sequence[Pair], *, speed: Goal, cpu: Goal | None = None) -> list[Row]:
    """Compare the two sides; the goals are a warm cycle's."""
    return [
        _row("speed of a warm cycle", pairs, lambda cycles: cycles.warm.rate, per_second, speed),
        _row("speed of a cold cycle", pairs, lambda cycles: cycles.cold.rate, per_second),
        _row(
            "CPU time of a request, warm",
            pairs,
            lambda cycles: cycles.warm.cpu_per_request,
            milliseconds,
            cpu,
        ),
        _row("CPU time of a request, cold", pairs, lambda cycles: cycles.cold.cpu_per_request, milliseconds),
        _row("peak memory", pairs, lambda cycles: cycles.warm.peak_memory, mebibytes),
    ]


def limit_rows(pairs: Sequence[Pair], limits: Sequence[float]) -> list[Row]:
    """Compare the speed of each side's warm cycle with the server's own limit."""
    sides = [
        ("speed of a warm cycle", [pair.ours.warm.rate for pair in pairs]),
        (f"speed of {BARE}, warm", [pair.bare.warm.rate for pair in pairs]),
    ]
    return [compare(what, rates, "limit by hey", limits, written=per_second) for what, rates in sides]


def in_json(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Turn pairs into what JSON can hold."""
    return [asdict(pair) for pair in pairs]


def _row(
    what: str,
    pairs: Sequence[Pair],
    value: Callable[[Cycles], float],
    written: Written,
    goal: Goal | None = None,
) -> Row:
    ours, bare = (value(pair.ours) for pair in pairs), (value(pair.bare) for pair in pairs)
    return compare(what, ours, BARE, bare, written=written, goal=goal)
