"""Processes take turns, and a time is reckoned by the turns within it."""

import math
import subprocess
import sys
from itertools import pairwise

import pytest

from bench.turns import Turn, seconds_within, take_turns

# Runs for so many seconds of its own CPU time.
WORK = "import sys, time\nwhile time.process_time() < float(sys.argv[1]): pass"


def test_one_process_runs_at_a_time():
    """The other stands still; they take turns until both have ended, in the order asked for."""
    processes = [subprocess.Popen([sys.executable, "-c", WORK, "0.4"], text=True) for _ in range(2)]
    first, second = take_turns(processes, 0.05)
    assert [process.returncode for process in processes] == [0, 0]
    turns = sorted([*first, *second], key=lambda turn: turn.began)
    assert [(one, other) for one, other in pairwise(turns) if one.ended > other.began] == []
    both = min(len(first), len(second))
    assert [turn in first for turn in turns[: 2 * both]] == [True, False] * both
    # All CPU time but that of the start was had in turns of its own.
    assert [seconds_within(its, 0, math.inf) > 0.3 for its in (first, second)] == [True, True]


@pytest.mark.parametrize(
    ("began", "ended", "seconds"),
    [(0, 10, 5), (1, 3, 2), (3, 4, 0), (2, 6, 2), (4.5, 5.5, 0.5), (8, 9, 0), (0, 1, 0)],
)
def test_seconds_are_those_of_the_turns(began: float, ended: float, seconds: float):
    """What came before, between and after the turns does not count."""
    turns = [Turn(1, 3), Turn(5, 8)]
    assert seconds_within(turns, began, ended) == seconds
