"""What a measurement was made on, with and when."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.parts.programs import find_program

_CHECKOUT: Final = Path(__file__).resolve().parents[1]
_CPUS: Final = Path("/proc/cpuinfo")
_LIBRARIES: Final = ("aiohttp", "httpx", "httpx-aiohttp", "uvloop")
_PROGRAMS: Final = (("docker-registry", "--version"), ("nginx", "-v"))


def describe() -> dict[str, str]:
    """Tell the machine, the versions, the date and the commit."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _first_line(["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"]),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "cpu": _cpu_model(),
        "load": f"{os.getloadavg()[0]:.1f} before the start",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{library: version(library) for library in _LIBRARIES},
        **{name: _version_of(name, option) for name, option in _PROGRAMS},
    }


def _cpu_model() -> str:
    if _CPUS.exists():
        found = re.search(r"^model name\s*: (.+)$", _CPUS.read_text("utf-8"), re.MULTILINE)
        if found is not None:
            return found[1]
    return platform.processor() or platform.machine()


def _version_of(program: str, option: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", _first_line([str(find_program(program)), option]))
    return found[0] if found is not None else "unknown"


def _first_line(command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=_CHECKOUT, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines() if done.returncode == 0 else []
    return lines[0] if lines else "unknown"
