"""A cycle of a registry that is far away: whether all connections are used all the time."""

from dataclasses import asdict

from bench.hey import limit, measure_rates
from bench.options import Options
from bench.results import Goal, Result, compare, per_second, seconds
from bench.servers import docker_registry, slow_proxy
from bench.side import Side, run_side
from bench.walks import BARE, check_cycles


def run(options: Options) -> Result:
    """Measure."""
    shape, delay, connections = options.shape, options.delay, options.connections
    rates, ours, bare = [], [], []
    with docker_registry(shape) as registry, slow_proxy("127.0.0.1", registry.port, delay) as url:
        for _ in range(options.runs):
            rates.append(measure_rates(url, shape, connections, options.hey_requests))
            # Not in turns: what is on its way over the latency does not stand still with its side.
            ours += run_side(Side.OURS, cycles=1, url=url, connections=connections)
            bare += run_side(Side.BARE, cycles=1, url=url, connections=connections)
            check_cycles(ours[-1], bare[-1])
    limits = [limit(shape.floor, rate) for rate in rates]
    floor = sum(shape.floor.values())
    least = (f"{floor:,} x {delay * 1000:g} ms / {connections}", [floor * delay / connections] * options.runs)
    return Result(
        f"docker-registry {delay * 1000:g} ms away, {shape}, {connections} connections",
        [
            compare(
                "time of a cold cycle",
                (cycle.seconds for cycle in ours),
                *least,
                written=seconds,
                goal=Goal(most=1.15),
            ),
            compare(f"time of {BARE}, cold", (cycle.seconds for cycle in bare), *least, written=seconds),
            compare(
                "speed of a cold cycle",
                (cycle.rate for cycle in ours),
                "limit by hey",
                limits,
                written=per_second,
            ),
        ],
        {
            "hey": rates,
            "limits": limits,
            "ours": [asdict(cycle) for cycle in ours],
            "bare": [asdict(cycle) for cycle in bare],
        },
    )
