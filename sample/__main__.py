"""`python -m sample`: a registry with a broken image, and the exporter that finds it."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from sample.exporter import Exporter
from sample.process import ProcessError
from sample.registry import DockerRegistry
from sample.registry_program import NoRegistry
from sample.seed import INTACT, MULTI_PLATFORM, ORPHANED, seed

START_DEADLINE: Final = 60.0
PAUSE: Final = 0.1
# The sample should show its finding at once; a setting of the user's own still goes first.
ENVIRONMENT: Final[Mapping[str, str]] = {"REGISTRY_INTEGRITY_CONFIRM_DELAY": "1s"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sample until it is told to stop; return the exit status."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    # A handler that only takes note: everything is then stopped in order, and nothing is left.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        return run(options.listen_address, options.interval, stop)
    except (NoRegistry, ProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def run(listen_address: str, interval: str, stop: threading.Event) -> int:
    """Run registry and exporter until `stop` is set or the exporter ends; return the exit status."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="sample-registry-")))
        registry = running.enter_context(DockerRegistry(folder, keep_lines=1000))
        if not stop.is_set():
            asyncio.run(seed(registry))
        if stop.is_set():
            return 0
        exporter = running.enter_context(
            Exporter(registry.url, listen_address, interval, {**ENVIRONMENT, **os.environ})
        )
        if _wait_until_healthy(exporter, stop):
            print(_told(registry.url, exporter.url), flush=True)
        while exporter.status is None:
            if stop.wait(PAUSE):
                return 0
        return exporter.status


def _wait_until_healthy(exporter: Exporter, stop: threading.Event) -> bool:
    for _ in range(int(START_DEADLINE / PAUSE)):
        if exporter.is_healthy():
            return True
        if exporter.status is not None or stop.wait(PAUSE):
            return False
    raise ProcessError(f"the exporter does not answer at {exporter.url} after {START_DEADLINE:g} s")


def _told(registry_url: str, exporter_url: str) -> str:
    return f"""
  registry  {registry_url}  with {INTACT}, {MULTI_PLATFORM} and the broken {ORPHANED}
  page      {exporter_url}/
  metrics   {exporter_url}/metrics

  In a few seconds this shows what is broken:
    curl -s {exporter_url}/metrics | grep broken_reference_info
  Ctrl-C stops all of it.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sample", description=__doc__)
    parser.add_argument("--listen-address", default=":9949", help="where the exporter serves (%(default)s)")
    parser.add_argument("--interval", default="15s", help="from one walk to the next (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
