"""Running `check-deletion` as a job does, its two streams kept apart, and on a real terminal."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.parts.terminal import Screen, run_on_terminal
from tests.verification.running import Done, environment

COMMAND = (sys.executable, "-m", "exporter", "check-deletion")


def check(*arguments: str, given: str | bytes = "", folder: Path | None = None, **variables: str) -> Done:
    """Run it to its end; `given` is on its standard input."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**variables),
        cwd=folder,
        input=given.encode() if isinstance(given, str) else given,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def check_on_terminal(
    *arguments: str, columns: int = 80, during: Callable[[int], None] | None = None, **variables: str
) -> Screen:
    """Run it on a terminal of so many columns; `during` is called with the id of the process."""
    command = [*COMMAND, *arguments]
    return run_on_terminal(command, environment(**variables), columns=columns, during=during)
