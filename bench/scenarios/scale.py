"""Cycles of ever larger registries in the same process: whether time and memory grow as the work does."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from statistics import fmean
from typing import TypeAlias

from bench.measuring import Measured
from bench.options import Options
from bench.results import Goal, Result, Row, Written, compare, mebibytes, milliseconds
from bench.shape import Shape
from bench.side import Side, run_beside_smaller

_MILLION = 10**6
_MEMORY_FOR_A_MILLION = 400 * 2**20
_FASTEST_GROWTH = 1.05  # ten times the work, at most 10.5 times the time


_Cycles: TypeAlias = Sequence[tuple[Measured, Sequence[Measured]]]


@dataclass(frozen=True, slots=True)
class _Step:
    """In each run a cold and a warm cycle of a larger registry, each with those that had turns with it."""

    smaller: Shape
    larger: Shape
    runs: Sequence[_Cycles]


def run(options: Options) -> Result:
    """Measure each size in turns with the one before, which is walked as often as it is smaller."""
    shapes = _shapes(options)
    pairs = list(pairwise(shapes))
    runs = [
        [_beside_smaller(smaller, larger, options.connections) for smaller, larger in pairs]
        for _ in range(options.scale_runs)
    ]
    steps = [_Step(*pair, its) for pair, its in zip(pairs, zip(*runs, strict=True), strict=True)]
    return Result(
        f"registry in the same process, {shapes[0]} and {' and '.join(_times(options))} as many repositories",
        [*_growth_rows(steps), *_memory_rows(steps)],
        {"steps": [asdict(step) for step in steps]},
    )


def _beside_smaller(smaller: Shape, larger: Shape, connections: int) -> _Cycles:
    return run_beside_smaller(
        Side.ENDLESS,
        {**asdict(larger), "connections": connections},
        {**asdict(smaller), "connections": connections},
        larger.repositories // smaller.repositories,
    )


def _shapes(options: Options) -> list[Shape]:
    smallest = math.ceil(options.scale_references / options.shape.references_of_a_repository)
    return [replace(options.shape, repositories=smallest * factor) for factor in options.scale_factors]


def _times(options: Options) -> list[str]:
    first, *others = options.scale_factors
    return [f"x{factor / first:g}" for factor in others]


def _growth_rows(steps: Sequence[_Step]) -> list[Row]:
    """Compare the CPU time of a request, which should not grow at all."""
    goal = Goal(most=_FASTEST_GROWTH)
    return [
        _row(
            f"CPU time of a request, {name}",
            step,
            cycle,
            lambda one: one.cpu_per_request,
            written=milliseconds,
            goal=goal,
        )
        for step in steps
        for cycle, name in enumerate(("cold", "warm"))
    ]


def _memory_rows(steps: Sequence[_Step]) -> list[Row]:
    rows = []
    for step in steps:
        goal = Goal(most=round(_FASTEST_GROWTH * step.larger.references / step.smaller.references, 1))
        rows.append(_row("peak memory", step, -1, lambda one: one.peak_memory, written=mebibytes, goal=goal))
    last = steps[-1]
    if last.larger.references >= _MILLION:
        rows.append(
            compare(
                f"peak memory, {_named(last.larger)}",
                [run[-1][0].peak_memory for run in last.runs],
                "allowed",
                [_MEMORY_FOR_A_MILLION] * len(last.runs),
                written=mebibytes,
                goal=Goal(most=1),
            )
        )
    return rows


def _row(
    what: str, step: _Step, cycle: int, value: Callable[[Measured], float], *, written: Written, goal: Goal
) -> Row:
    runs = [run[cycle] for run in step.runs]
    # Their mean, since what slows the machine down for a while is in the one, too.
    return compare(
        f"{what}, {_named(step.larger)}",
        [value(one) for one, _ in runs],
        _named(step.smaller),
        [fmean(map(value, others)) for _, others in runs],
        written=written,
        goal=goal,
    )


def _named(shape: Shape) -> str:
    return f"{shape.references:,} references"
