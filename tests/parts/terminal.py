"""Running a program on a real terminal, and reading what is left on its screen."""

import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")


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


def run_on_terminal(
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    columns: int = 80,
    during: Callable[[int], None] | None = None,
) -> Screen:
    """Run it on a pseudo-terminal of so many columns, both streams and the input.

    `during` is called with the id of the process.
    """
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(
        command,
        env={**variables, "TERM": "xterm-256color"},
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
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
