"""Processes that take turns, so that whatever else slows the machine down slows them alike."""

import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

A_TURN: Final = 1.0  # seconds: long beside an answer, short beside what others do to a shared machine


@dataclass(frozen=True, slots=True)
class Turn:
    """When a process was let run, by `time.monotonic`."""

    began: float
    ended: float


def take_turns(
    processes: Sequence[subprocess.Popen[str]],
    seconds: float = A_TURN,
    *,
    until: subprocess.Popen[str] | None = None,
) -> list[list[Turn]]:
    """Let processes run one at a time, in this order and so many seconds each, until all have ended.

    Where only the end of one is waited for, the others stand still then. Returns the turns of each.
    """
    turns: list[list[Turn]] = [[] for _ in processes]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    awaited = processes if until is None else [until]
    while any(process.poll() is None for process in awaited):
        for process, its in zip(processes, turns, strict=True):
            if process.poll() is not None:
                continue
            began = time.monotonic()
            process.send_signal(signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.send_signal(signal.SIGSTOP)
            its.append(Turn(began, time.monotonic()))
    return turns


def seconds_within(turns: Iterable[Turn], began: float, ended: float) -> float:
    """Tell for how long of a time the turns of a process lasted."""
    return sum(max(0.0, min(turn.ended, ended) - max(turn.began, began)) for turn in turns)
