"""One measured side, in a process of its own so that its CPU time and its memory are its own.

    python -m bench.side SIDE ARGUMENTS

ARGUMENTS is a JSON object: what the side is opened with and the number of `cycles`. When each cycle began, by
`time.monotonic`, and what was measured of it goes to standard output as a JSON list of pairs.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryFile
from typing import IO, Any, Final, Self

import uvloop

from bench.measuring import Measured, measured
from bench.turns import seconds_within, take_turns


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
    with _Measurement.begun(side, cycles, arguments) as measurement:
        return [cycle for _, cycle in measurement.cycles()]


def run_in_turns(sides: Sequence[Side], *, cycles: int = 2, **arguments: Any) -> dict[Side, list[Measured]]:
    """Measure so many cycles of sides in new processes of which one runs at a time, the first one first.

    The seconds of a cycle are those in which it was its side's turn.
    """
    with ExitStack() as stack:
        measurements = [stack.enter_context(_Measurement.begun(side, cycles, arguments)) for side in sides]
        turns = take_turns([measurement.process for measurement in measurements])
        return {
            measurement.side: [
                replace(cycle, seconds=seconds_within(its, began, began + cycle.seconds))
                for began, cycle in measurement.cycles()
            ]
            for measurement, its in zip(measurements, turns, strict=True)
        }


def run_beside_smaller(
    side: Side, larger: Mapping[str, Any], smaller: Mapping[str, Any], times: int
) -> list[tuple[Measured, list[Measured]]]:
    """Measure a cold and a warm cycle of a side opened with the larger arguments, beside smaller ones.

    They have turns with so many cold cycles of new processes, then with as many warm ones of another. Returns
    each cycle of the one with those others of its kind, cold or warm, that began while it was under way; with
    all of its kind where none did.
    """
    with _Measurement.begun(side, 2, larger) as one:

        def beside_it(cycles: int) -> list[tuple[float, Measured]]:
            with _Measurement.begun(side, cycles, smaller) as other:
                take_turns((one.process, other.process), until=other.process)
                return other.cycles()

        cold = [cycle for _ in range(times) for cycle in beside_it(1)]
        _, *warm = beside_it(1 + times)
        one.process.send_signal(signal.SIGCONT)
        return [
            (
                cycle,
                [its for at, its in alike if began <= at <= began + cycle.seconds]
                or [its for _, its in alike],
            )
            for (began, cycle), alike in zip(one.cycles(), (cold, warm), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Measurement:
    """A process that measures a side; what it says goes to files, which unlike pipes are never full."""

    side: Side
    process: subprocess.Popen[str]
    output: IO[str]
    errors: IO[str]

    @classmethod
    @contextmanager
    def begun(cls, side: Side, cycles: int, arguments: Mapping[str, Any]) -> Iterator[Self]:
        with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.side", side, json.dumps({"cycles": cycles, **arguments})],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                text=True,
                cwd=_CHECKOUT,
            )
            try:
                yield cls(side, process, output, errors)
            finally:
                process.kill()  # else one that stands still would stay
                process.wait()

    def cycles(self) -> list[tuple[float, Measured]]:
        """Wait for the end; tell when each cycle began, and what was measured of it."""
        status = self.process.wait()
        if status != 0:
            self.errors.seek(0)
            raise SideFailed(f"{self.side} ended with {status}: {self.errors.read().strip()[-2000:]}")
        self.output.seek(0)
        return [(began, Measured(**cycle)) for began, cycle in json.load(self.output)]


async def _cycles(side: Side, cycles: int, arguments: Mapping[str, Any]) -> list[tuple[float, Measured]]:
    async with resolve_name(_OPENERS[side])(**arguments) as walk:
        return [(time.monotonic(), await measured(walk)) for _ in range(cycles)]


def main(side: str, given: str) -> None:
    """Measure a side in this process."""
    arguments = json.loads(given)
    cycles = arguments.pop("cycles")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(_cycles(Side(side), cycles, arguments))
    print(json.dumps([(began, asdict(cycle)) for began, cycle in result]))


if __name__ == "__main__":
    main(*sys.argv[1:])
