"""The command line."""

from exporter.cli.signals import end_on_signals

__all__ = ["main"]


def main() -> int:
    """Run the program and return its exit status."""
    end_on_signals()
    # Importing all of the program takes a second, in which a signal must not show a traceback either.
    from exporter.cli.commands import run  # noqa: PLC0415

    return run()
