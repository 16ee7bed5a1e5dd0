"""A program beside ours is read, waited for and ended, with all that it started."""

import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sample.process import Process, ProcessError

Start = Callable[..., Process]


@pytest.fixture
def start(running: ExitStack) -> Start:
    """Start a Python program, stopped after the test."""

    def start(program: str, **options: Any) -> Process:
        command = [sys.executable, "-u", "-c", program]
        return running.enter_context(Process(command, name="program", **options))

    return start


FOREVER = "import threading; threading.Event().wait()"


def test_lines_of_both_outputs_come_in_order(start: Start) -> None:
    process = start("import sys; print('one'); print('two', file=sys.stderr); print('th\\xffree')")
    assert process.wait(10) == 0
    assert process.lines == ["one", "two", "thÿree"]
    assert process.lines_from(2) == ["thÿree"]
    assert process.line_count == 3


def test_a_line_is_waited_for(start: Start) -> None:
    """The first that matches from a given line on; a group of it is of use."""
    process = start(f"print('port 1'); print('port 2'); {FOREVER}")
    assert process.wait_for_line(r"port (\d)")[1] == "1"
    assert process.wait_for_line(r"port (\d)", start=1)[1] == "2"


def test_a_line_that_does_not_come(start: Start) -> None:
    """The error tells what was written instead, and whether the program still runs."""
    waiting = start(f"print('once'); {FOREVER}")
    waiting.wait_for_line("once")
    with pytest.raises(ProcessError, match=r"wrote no line like 'never' in 0\.2 s; its last lines:\n  once"):
        waiting.wait_for_line("never", 0.2)
    ended = start("")
    with pytest.raises(ProcessError, match="program ended without a line like 'never'; it wrote nothing"):
        ended.wait_for_line("never")


def test_stopping_asks_first(start: Start) -> None:
    process = start(
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        f"print('ready'); {FOREVER}"
    )
    process.wait_for_line("ready")
    assert process.stop() == 3
    assert process.stop() == 3


def test_stopping_kills_what_does_not_listen_and_what_it_started(start: Start) -> None:
    process = start(
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n"
        f"print('child', child.pid); {FOREVER}"
    )
    child = int(process.wait_for_line(r"child (\d+)")[1])
    assert process.stop(grace=0.2) == -9
    assert _ended(child)


def test_a_child_that_outlives_the_program_is_ended_too(start: Start) -> None:
    """It would hold the output open, and us waiting for its end."""
    process = start(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n"
        "print('child', child.pid)"
    )
    child = int(process.wait_for_line(r"child (\d+)")[1])
    assert process.wait(10) == 0
    assert _ended(child)


def test_only_the_last_lines_are_kept_when_told(start: Start) -> None:
    process = start("for number in range(100): print(number)", keep_lines=10)
    process.wait(10)
    assert process.line_count == 100
    assert process.lines == [str(number) for number in range(100 - len(process.lines), 100)]
    assert 10 <= len(process.lines) <= 20
    assert process.lines_from(98) == ["98", "99"]


def test_environment_and_folder_are_given(start: Start, tmp_path: Path) -> None:
    program = "import os; print(os.environ['GIVEN'], os.getcwd(), 'PATH' in os.environ)"
    process = start(program, environment={"GIVEN": "yes"}, folder=tmp_path)
    process.wait(10)
    assert process.lines == [f"yes {tmp_path.resolve()} True"]


def test_waiting_is_bounded(start: Start) -> None:
    with pytest.raises(ProcessError, match=re.escape("program still runs after 0.1 s")):
        start(FOREVER).wait(0.1)


def _ended(pid: int) -> bool:
    """Say whether a killed process ends soon; as a zombie, where nobody waits for it, it has."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False
