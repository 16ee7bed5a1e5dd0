"""The command line."""

import sys

from exporter.cli.signals import end_on_signals
from exporter.cli.streams import open_closed_streams

__all__ = ["main"]


def main() -> int:
    """Run the program and return its exit status."""
    open_closed_streams()
    end_on_signals(gracefully=sys.argv[1:2] == ["serve"])
    # Importing all of the program takes a second, in which a signal must not show a traceback either.
    from exporter.cli.commands import run  # noqa: PLC0415

    return run()
