"""A cycle of a registry that is nothing but files behind nginx: how fast the client can be at all."""

from bench.hey import limit, measure_rates
from bench.options import Options
from bench.results import Goal, Result
from bench.servers import static_nginx
from bench.walks import in_json, limit_rows, request_rows, walk_both, walk_rows


def run(options: Options) -> Result:
    """Measure."""
    shape = options.shape
    rates, pairs = [], []
    with static_nginx(shape) as url:
        for number in range(options.runs):
            rates.append(measure_rates(url, shape, options.connections, options.hey_requests))
            pairs.append(walk_both(url, options.connections, bare_first=number % 2 == 0))
    limits = [limit(shape.floor, rate) for rate in rates]
    return Result(
        f"static nginx, {shape}, {options.connections} connections",
        [
            *request_rows(pairs, shape),
            *walk_rows(pairs, speed=Goal(least=0.45), cpu=Goal(most=2.2)),
            *limit_rows(pairs, limits),
        ],
        {"hey": rates, "limits": limits, "walks": in_json(pairs)},
    )
