"""Running `verify` as a pipeline does, its two streams kept apart, and on a real terminal."""

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "exporter", "verify")
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")
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


@dataclass(frozen=True)
class Screen:
    """What a run wrote to a terminal, as it came, and how it ended."""

    status: int
    written: str

    @property
    def text(self) -> str:
        """What is left on the terminal: lines that were drawn over or erased are gone."""
        lines = [""]
        for piece in re.split(r"(\x1b\[\d*A|\x1b\[2K|\r\n|\n|\r)", self.written):
            if piece == "\x1b[2K":
                lines[-1] = ""
            elif up := re.fullmatch(r"\x1b\[(\d*)A", piece):
                del lines[-int(up[1] or 1) :]
                lines = lines or [""]
            elif piece in {"\r\n", "\n"}:
                lines.append("")
            elif piece != "\r":
                lines[-1] += _ESCAPE.sub("", piece)
        return "\n".join(line.rstrip() for line in lines)


def verify_on_terminal(
    *arguments: str, columns: int = 80, during: Callable[[int], None] | None = None, **variables: str
) -> Screen:
    """Run it on a pseudo-terminal of so many columns, both streams and the input.

    `during` is called with the id of the process.
    """
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    variables = environment(TERM="xterm-256color", **variables)
    with subprocess.Popen(
        [*COMMAND, *arguments], env=variables, stdin=end, stdout=end, stderr=end, start_new_session=True
    ) as process:
        os.close(end)
        if during is not None:
            during(process.pid)
        written = b""
        try:
            while piece := os.read(terminal, 65536):
                written += piece
        except OSError:  # how Linux tells that the other end is closed
            pass
        os.close(terminal)
    return Screen(process.returncode, written.decode())
