"""A cycle of a registry that is far away: whether all connections are used all the time."""

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from bench.hey import limit, measure_rates
from bench.measuring import Measured
from bench.options import Options
from bench.results import Goal, Result, Row, compare, per_second, seconds
from bench.servers import docker_registry, slow_proxy, static_nginx
from bench.side import Side, run_side
from bench.walks import BARE, check_cycles

_GOAL = Goal(most=1.15)


@dataclass(frozen=True, slots=True)
class _Runs:
    """What was measured of one server behind the slow proxy, each run of all three."""

    hey: list[dict[Any, float]]
    ours: list[Measured]
    bare: list[Measured]


def run(options: Options) -> Result:
    """Measure: what nginx itself takes hardly counts, what docker-registry takes comes on top."""
    with static_nginx(options.shape) as url:
        static = _measure(url, options)
    with docker_registry(options.shape) as registry:
        real = _measure(registry.url, options)
    return Result(
        f"{options.delay * 1000:g} ms away, {options.shape}, {options.connections} connections",
        [
            *_rows("static nginx", static, options),
            *_rows("docker-registry", real, options),
        ],
        {"static nginx": asdict(static), "docker-registry": asdict(real)},
    )


def _measure(url: str, options: Options) -> _Runs:
    shape, connections = options.shape, options.connections
    runs = _Runs([], [], [])
    address = urlsplit(url)
    with slow_proxy(address.hostname or "", address.port or 80, options.delay) as far:
        for _ in range(options.runs):
            runs.hey.append(measure_rates(far, shape, connections, options.hey_requests))
            # Not in turns: what is on its way over the latency does not stand still with its side.
            runs.ours.extend(run_side(Side.OURS, cycles=1, url=far, connections=connections))
            runs.bare.extend(run_side(Side.BARE, cycles=1, url=far, connections=connections))
            check_cycles(runs.ours[-1], runs.bare[-1])
    return runs


def _rows(server: str, runs: _Runs, options: Options) -> list[Row]:
    floor, delay, connections = options.shape.floor, options.delay, options.connections
    requests = sum(floor.values())
    least = f"{requests:,} x {delay * 1000:g} ms / {connections}"
    leasts = [requests * delay / connections] * options.runs
    sides = [("time of a cold cycle", runs.ours, _GOAL), (f"time of {BARE}", runs.bare, None)]
    return [
        *(
            compare(
                f"{what}, {server}",
                (cycle.seconds for cycle in cycles),
                least,
                leasts,
                written=seconds,
                goal=goal,
            )
            for what, cycles, goal in sides
        ),
        compare(
            f"speed of a cold cycle, {server}",
            (cycle.rate for cycle in runs.ours),
            "limit by hey",
            [limit(floor, rates) for rates in runs.hey],
            written=per_second,
        ),
    ]
