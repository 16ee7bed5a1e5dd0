"""One measured side, in a process of its own so that its CPU time and its memory are its own.

    python -m bench.side SIDE ARGUMENTS

ARGUMENTS is a JSON object: what the side is opened with and the number of `cycles`. What was measured of each
cycle goes to standard output as a JSON list.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Final

import uvloop

from bench.measuring import Measured, measured


class Side(StrEnum):
    """Whose cycles are measured."""

    OURS = "ours"
    BARE = "bare"
    ENDLESS = "endless"  # ours, of a registry in the same process


_CHECKOUT: Final = Path(__file__).resolve().parents[1]
# By name: a side should not have the other's modules in its memory.
_OPENERS: Final = {
    Side.OURS: "bench.our_walk:open_our_walk",
    Side.BARE: "bench.bare_aiohttp:open_bare_walk",
    Side.ENDLESS: "bench.our_walk:open_endless_walk",
}


class SideFailed(Exception):  # noqa: N818 - says what is the matter
    """A side could not be measured; the message ends with what it said."""


def run_side(side: Side, *, cycles: int = 2, **arguments: Any) -> list[Measured]:
    """Measure so many cycles of a side in a new process."""
    given = json.dumps({"cycles": cycles, **arguments})
    done = subprocess.run(
        [sys.executable, "-m", "bench.side", side, given],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=_CHECKOUT,
        check=False,
    )
    if done.returncode != 0:
        raise SideFailed(f"{side} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return [Measured(**cycle) for cycle in json.loads(done.stdout)]


async def _cycles(side: Side, cycles: int, arguments: Mapping[str, Any]) -> list[Measured]:
    async with resolve_name(_OPENERS[side])(**arguments) as walk:
        return [await measured(walk) for _ in range(cycles)]


def main(side: str, given: str) -> None:
    """Measure a side in this process."""
    arguments = json.loads(given)
    cycles = arguments.pop("cycles")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(_cycles(Side(side), cycles, arguments))
    print(json.dumps([asdict(cycle) for cycle in result]))


if __name__ == "__main__":
    main(*sys.argv[1:])
