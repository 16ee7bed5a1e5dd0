"""Limits on how long something may take, many of them on one timer.

A timer for each request, as `asyncio.timeout` makes one, takes a twentieth of a request's CPU time.
"""

import asyncio
from types import TracebackType


class TimeLimits:
    """Limits of equally many seconds, which therefore pass in the order in which they began."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[TimeLimit, None] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def limit(self) -> "TimeLimit":
        """Give a limit to be entered by the task that it is for."""
        return TimeLimit(self)

    def begin(self, limit: "TimeLimit", loop: asyncio.AbstractEventLoop) -> float:
        """Watch over a limit, and tell at which time of the event loop it passes."""
        passes = loop.time() + self._seconds
        self._running[limit] = None
        if self._timer is None:
            self._timer = loop.call_at(passes, self._look)
        return passes

    def end(self, limit: "TimeLimit") -> None:
        """Watch over it no longer."""
        self._running.pop(limit, None)
        if not self._running and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._running:
            oldest = next(iter(self._running))
            if oldest.passes > loop.time():
                self._timer = loop.call_at(oldest.passes, self._look)
                return
            del self._running[oldest]
            oldest.pass_()


class TimeLimit:
    """Ends what a task does within it by a `TimeoutError`, as `asyncio.timeout` does; entered once."""

    __slots__ = ("_cancelings", "_limits", "_passed", "_task", "passes")

    def __init__(self, limits: TimeLimits) -> None:
        self._limits = limits
        self._passed = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("only a task can be limited")
        self._task = task
        self._cancelings = task.cancelling()
        self.passes = self._limits.begin(self, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limits.end(self)
        # Whoever else canceled the task meanwhile counts more.
        if self._passed and self._task.uncancel() <= self._cancelings and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def pass_(self) -> None:
        """End what the task does."""
        self._passed = True
        self._task.cancel()
