"""Cycles of ever larger registries in the same process: whether time and memory grow as the work does."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from statistics import median

from bench.measuring import Measured
from bench.options import Options
from bench.results import Goal, Result, Row, mebibytes, milliseconds
from bench.shape import Shape
from bench.side import Side, run_side

_MILLION = 10**6
_MEMORY_FOR_A_MILLION = 400 * 2**20
_FASTEST_GROWTH = 1.05  # ten times the work, at most 10.5 times the time


@dataclass(frozen=True, slots=True)
class _Point:
    """What the runs of one size came to; CPU times are of one request, so they should not grow at all."""

    references: int
    requests: int
    cold_cpu: float
    warm_cpu: float
    memory: float

    @property
    def name(self) -> str:
        return f"{self.references:,} references"


def run(options: Options) -> Result:
    """Measure; the larger a registry, the fewer runs."""
    shapes = _shapes(options)
    runs = [min(options.runs, shapes[-1].repositories // shape.repositories) for shape in shapes]
    cycles: dict[int, list[list[Measured]]] = {shape.references: [] for shape in shapes}
    for number in range(max(runs)):
        for shape, wanted in zip(shapes, runs, strict=True):
            if number < wanted:
                one = run_side(Side.ENDLESS, **asdict(shape), connections=options.connections)
                cycles[shape.references].append(one)
    points = [_point(references, measured) for references, measured in cycles.items()]
    return Result(
        f"registry in the same process, {shapes[0]} and {' and '.join(_times(options))} as many repositories",
        [*_growth_rows(points), *_memory_rows(points)],
        {
            "cycles": {
                references: [[asdict(cycle) for cycle in one] for one in measured]
                for references, measured in cycles.items()
            }
        },
    )


def growth_exponent(first: tuple[float, float], last: tuple[float, float]) -> float:
    """Tell how a cost grows with the work, both given as (work, cost): 1 is linear, 2 quadratic."""
    return math.log(last[1] / first[1]) / math.log(last[0] / first[0])


def _shapes(options: Options) -> list[Shape]:
    smallest = math.ceil(options.scale_references / options.shape.references_of_a_repository)
    return [replace(options.shape, repositories=smallest * factor) for factor in options.scale_factors]


def _times(options: Options) -> list[str]:
    return [f"x{factor}" for factor in options.scale_factors[1:]]


def _point(references: int, measured: Sequence[Sequence[Measured]]) -> _Point:
    return _Point(
        references,
        measured[0][0].requests,
        median(cold.cpu_per_request for cold, _ in measured),
        median(warm.cpu_per_request for _, warm in measured),
        median(warm.peak_memory for _, warm in measured),
    )


def _growth_rows(points: Sequence[_Point]) -> list[Row]:
    rows = []
    for before, after in pairwise(points):
        for name, earlier, later in (
            ("cold", before.cold_cpu, after.cold_cpu),
            ("warm", before.warm_cpu, after.warm_cpu),
        ):
            rows.append(
                Row(
                    f"CPU time of a request, {name}, {after.name}",
                    milliseconds(later),
                    f"{before.name}: {milliseconds(earlier)}",
                    [later / earlier],
                    Goal(most=_FASTEST_GROWTH),
                )
            )
    first, last = points[0], points[-1]
    exponent = growth_exponent(
        (first.requests, first.requests * first.warm_cpu), (last.requests, last.requests * last.warm_cpu)
    )
    times = last.requests * last.warm_cpu / (first.requests * first.warm_cpu)
    work = f"requests: x{last.requests / first.requests:.1f}"
    rows.append(Row("growth of the time of a warm cycle, exponent", f"x{times:.1f}", work, [exponent]))
    return rows


def _memory_rows(points: Sequence[_Point]) -> list[Row]:
    rows = [
        Row(
            f"peak memory, {after.name}",
            mebibytes(after.memory),
            f"{before.name}: {mebibytes(before.memory)}",
            [after.memory / before.memory],
            Goal(most=round(_FASTEST_GROWTH * after.references / before.references, 1)),
        )
        for before, after in pairwise(points)
    ]
    largest = points[-1]
    if largest.references >= _MILLION:
        rows.append(
            Row(
                f"peak memory, {largest.name}",
                mebibytes(largest.memory),
                f"allowed: {mebibytes(_MEMORY_FOR_A_MILLION)}",
                [largest.memory / _MEMORY_FOR_A_MILLION],
                Goal(most=1),
            )
        )
    return rows
