"""Running `verify` as a pipeline does, its two streams kept apart, and on a real terminal."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.terminal import Screen, run_on_terminal

COMMAND = (sys.executable, "-m", "exporter", "verify")
_UNSET = (
    *("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"),
    *("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"),
)


@dataclass(frozen=True)
class Done:
    """How a run ended, and what it wrote."""

    status: int
    output: str
    log: str

    @property
    def document(self) -> Any:
        """The document of `--output json`."""
        return json.loads(self.output)

    @property
    def last_line(self) -> str:
        """What tells a person what to do."""
        return self.output.splitlines()[-1]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a run: without credentials of whoever runs the tests, and quick."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("REGISTRY_INTEGRITY_") and name not in _UNSET
    }
    return {**kept, "HOME": "/nonexistent", "REGISTRY_INTEGRITY_CONFIRM_DELAY": "100ms", **variables}


def verify(*arguments: str, folder: Path | None = None, **variables: str) -> Done:
    """Run it to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**variables),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def verify_on_terminal(
    *arguments: str, columns: int = 80, during: Callable[[int], None] | None = None, **variables: str
) -> Screen:
    """Run it on a terminal of so many columns; `during` is called with the id of the process."""
    command = [*COMMAND, *arguments]
    return run_on_terminal(command, environment(**variables), columns=columns, during=during)
