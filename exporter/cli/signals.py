"""How SIGINT and SIGTERM end the program: before, while and after an event loop runs."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:  # takes longer to load than a signal may have to wait
    import asyncio

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def status_of(number: int) -> int:
    """Give the status that shells give a process which a signal ended."""
    return 128 + number


def note(number: signal.Signals) -> Callable[[], bool]:
    """From now on survive a signal; the result tells whether it came."""
    came: list[int] = []
    signal.signal(number, lambda received, _frame: came.append(received))
    return lambda: bool(came)


def hold_back() -> None:
    """From now on let signals that would end the process wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)


def let_through() -> None:
    """Take those that waited, and from now on all."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


@contextmanager
def handled_by(
    loop: "asyncio.AbstractEventLoop", handlers: Mapping[signal.Signals, Callable[[], object]]
) -> Iterator[None]:
    """Let a loop handle signals; before and after that they wait."""
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    let_through()
    try:
        yield
    finally:
        hold_back()


def end_on_signals(*, gracefully: bool = False) -> None:
    """From now on end the process on these signals, with status 0 where that is how it should end."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0 if gracefully else status_of(number))

    for number in ENDING_SIGNALS:
        signal.signal(number, end)
