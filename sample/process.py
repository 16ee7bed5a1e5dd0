"""A program run beside ours: its output read as it comes, and ended by who started it."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

STOP_GRACE = 5.0
"""Seconds that a program has to end on SIGTERM before it is killed."""


class ProcessError(Exception):
    """A program ended, or said nothing, where more was expected of it; the message holds its last lines."""


class Process:
    """A running program, of which every line of output (both streams) is kept in order.

    With `keep_lines` only about the last so many are kept. Lines are numbered from the first one written,
    kept or not. Safe to use from several threads; at the end of a `with` statement the program is stopped.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        pass_descriptors: Sequence[int] = (),
        keep_lines: int | None = None,
    ) -> None:
        self.name = name or Path(command[0]).name
        self._lines: list[str] = []
        self._keep = keep_lines
        self._dropped = 0
        self._ended = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=None if environment is None else {**os.environ, **environment},
            cwd=folder,
            pass_fds=pass_descriptors,
            # A group of its own: Ctrl-C on a terminal reaches only us, who stop it in order.
            start_new_session=True,
        )
        self._output = cast("IO[str]", self._process.stdout)
        self._reader = threading.Thread(target=self._read, name=f"output of {self.name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative for a signal; None as long as it runs."""
        return self._process.poll()

    @property
    def lines(self) -> list[str]:
        """What it has written so far."""
        return self.lines_from(0)

    @property
    def line_count(self) -> int:
        """How many lines it has written so far."""
        with self._changed:
            return self._dropped + len(self._lines)

    def lines_from(self, start: int) -> list[str]:
        """Return what it has written from line number `start` on."""
        with self._changed:
            return self._lines[max(0, start - self._dropped) :]

    def wait_for_line(self, pattern: str, deadline: float = 20.0, *, start: int = 0) -> re.Match[str]:
        """Wait for a line from number `start` on that the pattern is found in.

        Raises:
            ProcessError: the program ended, or `deadline` seconds passed, without such a line.
        """
        expression = re.compile(pattern)
        seen = start
        until = time.monotonic() + deadline
        with self._changed:
            while True:
                for line in self._lines[max(0, seen - self._dropped) :]:
                    if found := expression.search(line):
                        return found
                seen = max(seen, self._dropped + len(self._lines))
                if self._ended:
                    raise ProcessError(self._told(f"ended without a line like {pattern!r}"))
                if not self._changed.wait(until - time.monotonic()) and time.monotonic() >= until:
                    raise ProcessError(self._told(f"wrote no line like {pattern!r} in {deadline:g} s"))

    def wait(self, deadline: float | None = None) -> int:
        """Wait until it ends; return its exit status.

        Raises:
            ProcessError: it still runs after `deadline` seconds.
        """
        try:
            status = self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise ProcessError(self._told(f"still runs after {deadline:g} s")) from None
        self._close()
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        self._process.send_signal(number)

    def stop(self, grace: float = STOP_GRACE) -> int:
        """End it: ask first, and kill it and whatever it started after `grace` seconds."""
        self.send_signal(signal.SIGTERM)
        try:
            return self.wait(grace)
        except ProcessError:
            self.kill()
            return self.wait()

    def kill(self) -> None:
        """End it and whatever it started at once, without a chance to tidy up."""
        if self.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read(self) -> None:
        for line in self._output:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                if self._keep is not None and len(self._lines) > 2 * self._keep:
                    del self._lines[: self._keep]
                    self._dropped += self._keep
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _close(self) -> None:
        # What it started and left behind would go on, and hold the other end of its output open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reader.join()
        self._output.close()

    def _told(self, what: str) -> str:
        last = "\n  ".join(self._lines[-20:])
        return f"{self.name} {what}" + (f"; its last lines:\n  {last}" if last else "; it wrote nothing")
