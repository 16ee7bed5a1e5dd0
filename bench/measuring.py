"""What a process has used of a machine."""

import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

Answers: TypeAlias = Mapping[str, int]
"""How many requests were made and how they were answered: `HEAD 200`, `GET 206`."""

Walk: TypeAlias = Callable[[], Awaitable[Answers]]
"""One cycle of a walk."""

_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class Measured:
    """One piece of work of one process.

    `cpu_seconds` is user and system time; `peak_memory` the most that the process has had resident so far, in
    bytes.
    """

    answers: Answers
    seconds: float
    cpu_seconds: float
    peak_memory: int

    @cached_property
    def requests(self) -> int:
        """How many requests were made."""
        return sum(self.answers.values())

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_per_request(self) -> float:
        """CPU seconds that a request costs."""
        return self.cpu_seconds / self.requests


async def measured(walk: Walk) -> Measured:
    """Walk once in this process."""
    cpu, started = cpu_seconds(), time.perf_counter()
    answers = await walk()
    seconds = time.perf_counter() - started
    return Measured(answers, seconds, cpu_seconds() - cpu, peak_memory())


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    """User and system time, of this process or of the children it has waited for."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def peak_memory() -> int:
    """The most that this process has had resident, in bytes."""
    if _STATUS.exists():
        # On Linux what getrusage tells includes the peak of the process that started this one.
        lines = _STATUS.read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
