"""How SIGINT and SIGTERM end the program where no event loop runs."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def status_of(number: int) -> int:
    """Give the status that shells give a process which a signal ended."""
    return 128 + number


def note(number: signal.Signals) -> Callable[[], bool]:
    """From now on survive a signal; the result tells whether it came."""
    came: list[int] = []
    signal.signal(number, lambda received, _frame: came.append(received))
    return lambda: bool(came)


def end_on_signals(*, gracefully: bool = False) -> None:
    """From now on end the process on these signals, with status 0 where that is how it should end."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0 if gracefully else status_of(number))

    for number in ENDING_SIGNALS:
        signal.signal(number, end)
