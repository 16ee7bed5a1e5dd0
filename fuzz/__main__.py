"""`python -m fuzz [--seconds N] [--jobs N] [TARGET…]`: fuzz each parser, each in a process of its own.

Ends with 0 when nothing was found. What crashes a parser is kept in a file, whose name is said.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzz import Targets  # noqa: TC001 - the module is small and imported anyway

_SLOWEST_INPUT: Final = 10  # seconds
_MOST_MEMORY: Final = 1024  # MiB


@dataclass(frozen=True)
class _Ended:
    """How the fuzzing of one target ended; `found` is where what crashed it was kept."""

    target: str
    failed: bool
    written: str
    found: tuple[Path, ...]

    def __str__(self) -> str:
        if self.failed:
            return "\n".join((self.written, f"{self.target}: failed", *map(str, self.found)))
        last = self.written.rstrip().rpartition("\n")[2]
        return f"{self.target}: {last}"


def main(arguments: Sequence[str]) -> int:
    """Fuzz the named targets, all of them where none is named; return whether any failed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz the parsers.")
    parser.add_argument("--seconds", type=int, default=60, help="for how long, each (default 60)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default 2)")
    parser.add_argument(
        "--module", default="fuzz.targets", help="where the targets are (default fuzz.targets)"
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which of them (default all)")
    options = parser.parse_args(arguments)
    known: Targets = importlib.import_module(options.module).TARGETS
    unknown = sorted(set(options.targets) - set(known))
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(known)}")

    def fuzz(name: str) -> _Ended:
        return _fuzz(options.module, name, known[name][1], options.seconds)

    failed = False
    with ThreadPoolExecutor(options.jobs) as jobs:
        for ended in jobs.map(fuzz, options.targets or known):
            print(ended, flush=True)
            failed = failed or ended.failed
    return int(failed)


def _fuzz(module: str, name: str, seeds: Sequence[bytes], seconds: int) -> _Ended:
    with tempfile.TemporaryDirectory(prefix="corpus-") as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        kept = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
        options = (
            f"-max_total_time={seconds}",
            f"-timeout={_SLOWEST_INPUT}",
            f"-rss_limit_mb={_MOST_MEMORY}",
            f"-artifact_prefix={kept}/",
        )
        ended = subprocess.run(
            [sys.executable, "-m", "fuzz.one", module, name, *options, corpus],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            check=False,
        )
    found = tuple(sorted(kept.iterdir()))
    if not found:
        kept.rmdir()
    return _Ended(name, ended.returncode != 0, ended.stdout, found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
