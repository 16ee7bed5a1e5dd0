"""Scrapes of a large registry's metrics: how long they take, and how long the event loop waits for them."""

from collections.abc import Callable
from dataclasses import asdict

from bench.options import Options
from bench.results import Goal, Result, Row, compare, milliseconds, seconds
from bench.scrapes import Scrapes, measure_scrapes

_LONGEST_SCRAPE = 1.0  # seconds
_LONGEST_LAG = 0.05


def run(options: Options) -> Result:
    """Measure."""
    runs = [measure_scrapes(options.scrape_repositories) for _ in range(options.runs)]

    def allowed(
        what: str, read: Callable[[Scrapes], float], most: float, written: Callable[[float], str]
    ) -> Row:
        goal = Goal(most=1)
        return compare(what, map(read, runs), "allowed", [most] * len(runs), written=written, goal=goal)

    return Result(
        f"{runs[0].series:,} series of {options.scrape_repositories:,} repositories",
        [
            allowed("time of a scrape, plain", lambda one: one.plain_seconds, _LONGEST_SCRAPE, seconds),
            allowed("time of a scrape, gzip", lambda one: one.gzip_seconds, _LONGEST_SCRAPE, seconds),
            allowed("loop lag, plain scrape", lambda one: one.plain_lag, _LONGEST_LAG, milliseconds),
            allowed("loop lag, scrape with gzip", lambda one: one.gzip_lag, _LONGEST_LAG, milliseconds),
            allowed("loop lag, a new report", lambda one: one.write_lag, _LONGEST_LAG, milliseconds),
            compare(
                "time to write out a new report",
                (one.write_seconds for one in runs),
                "plain scrape",
                (one.plain_seconds for one in runs),
                written=seconds,
            ),
        ],
        {"scrapes": [asdict(one) for one in runs]},
    )
