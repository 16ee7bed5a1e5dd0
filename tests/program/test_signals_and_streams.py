"""How the program ends when it is told to at any moment, or has nowhere to write to."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.cli.commands import _run, _unless_signaled
from exporter.cli.signals import ENDING_SIGNALS, end_on_signals
from tests.verification.running import environment

PROGRAM = (sys.executable, "-m", "exporter")
CONFIGURED = ("check-config", "--registry=https://registry.example")


def shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program by a shell that redirects its streams."""
    command = " ".join((*PROGRAM, *arguments, redirection))
    return subprocess.run(
        ["sh", "-c", command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (CONFIGURED, 0),
        (("verify", "--retries=0", "127.0.0.1:1/team/app:v1"), 3),
        (("probe", "--registry=http://127.0.0.1:1"), 3),
        (("probe", "--registry=nonsense"), 2),
    ],
)
def test_closed_streams_change_no_verdict(redirection: str, arguments: Sequence[str], status: int):
    """What would be written there is lost, and nothing else."""
    done = shell(redirection, *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr


@pytest.mark.parametrize("arguments", [CONFIGURED, ("probe", "--registry=http://127.0.0.1:1"), ("--help",)])
def test_a_full_disk_is_said_in_a_line(arguments: Sequence[str]):
    """It is no bug of the program, and nobody can rely on what was not written."""
    done = shell("> /dev/full", *arguments, "--quiet" if arguments[0] == "probe" else "")
    assert done.returncode == 3, done.stderr
    lines = [line for line in done.stderr.splitlines() if "[" not in line]
    assert lines == [f"cannot write to standard output: {os.strerror(errno.ENOSPC)}"]


@pytest.mark.parametrize(("command", "status"), [("serve", 0), ("probe", 143)])
def test_a_signal_ends_it_before_it_is_loaded(tmp_path: Path, command: str, status: int):
    """With the status of the command. What is slow to load here is the first that it loads."""
    slow = tmp_path / "structlog.py"
    slow.write_text("import sys, time\nprint('loading', flush=True)\ntime.sleep(60)\n", "utf-8")
    with subprocess.Popen(
        [*PROGRAM, command, "--registry=http://127.0.0.1:1"],
        env=environment(PYTHONPATH=str(tmp_path)),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == status


def test_a_signal_that_comes_while_the_loop_starts_is_not_lost():
    """It waits until somebody takes care of it."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}

    async def work() -> str:
        return "done"

    async def started() -> object:
        signal.raise_signal(signal.SIGTERM)  # as if it came before there was a handler
        return await _unless_signaled(work())

    try:
        end_on_signals()
        assert _run(started()) is signal.SIGTERM
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(ENDING_SIGNALS) == set()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_that_comes_while_the_loop_ends_is_not_lost():
    """It ends the program right after."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}

    async def ending() -> None:
        signal.raise_signal(signal.SIGTERM)

    try:
        end_on_signals()
        with pytest.raises(SystemExit) as ended:
            _run(ending())
        assert ended.value.code == 143
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
