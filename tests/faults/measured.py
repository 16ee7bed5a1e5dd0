"""The program under measure: how long it took, what it needed, all that it wrote."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.victims import QUICK
from tests.parts.exporter import QUICK as QUICKER

_LONGEST = 240.0
# What getrusage tells of a child includes the peak of who starts it, so that has to be small itself.
_STARTER = """
import resource, subprocess, sys
peak, output, log, *command = sys.argv[1:]
with open(output, "wb") as to_output, open(log, "wb") as to_log:
    status = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=to_output, stderr=to_log)
with open(peak, "w") as to_peak:
    to_peak.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(status)
"""


@dataclass(frozen=True)
class Measured:
    """One run of a command; `peak` is the most that it had resident, in bytes, `seconds` how long it took."""

    status: int
    output: bytes
    log: bytes
    seconds: float
    peak: int

    @property
    def report(self) -> dict[str, Any]:
        """What it told of the one registry."""
        [report] = json.loads(self.output)["registries"]
        assert isinstance(report, dict)
        return report


def measure(url: str, folder: Path, environment: Mapping[str, str] | None = None) -> Measured:
    """Run `probe --output json` of one registry and measure it."""
    return measure_command(("probe", f"--registry=registry={url}"), folder, environment)


def measure_command(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run a command with `--output json` and measure it."""
    files = [folder / name for name in ("peak", "output", "log")]
    program = [sys.executable, "-m", "exporter", *command, "--output=json", "--log-format=json"]
    started = time.monotonic()
    status = subprocess.call(
        [sys.executable, "-I", "-S", "-c", _STARTER, *files, *program],
        cwd=folder,
        env={**os.environ, **QUICKER, **QUICK, **(environment or {})},
        stdin=subprocess.DEVNULL,
        timeout=_LONGEST,
    )
    seconds = time.monotonic() - started
    peak, output, log = (file.read_bytes() for file in files)
    return Measured(status, output, log, seconds, int(peak))
