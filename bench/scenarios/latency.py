"""A cycle of a registry that is far away: whether all connections are used all the time."""

from dataclasses import asdict

from bench.options import Options
from bench.results import Goal, Result, compare, seconds
from bench.servers import docker_registry, slow_proxy
from bench.side import Side, run_side


def run(options: Options) -> Result:
    """Measure."""
    shape, delay, connections = options.shape, options.delay, options.connections
    with docker_registry(shape) as registry, slow_proxy("127.0.0.1", registry.port, delay) as url:
        cycles = [
            run_side(Side.OURS, cycles=1, url=url, connections=connections)[0] for _ in range(options.runs)
        ]
    least = sum(shape.floor.values()) * delay / connections
    other = f"{sum(shape.floor.values()):,} x {delay * 1000:g} ms / {connections}"
    return Result(
        f"docker-registry {delay * 1000:g} ms away, {shape}, {connections} connections",
        [
            compare(
                "time of a cold cycle",
                (cycle.seconds for cycle in cycles),
                other,
                [least] * len(cycles),
                written=seconds,
                goal=Goal(most=1.15),
            )
        ],
        {"cycles": [asdict(cycle) for cycle in cycles]},
    )
