"""Waiting for something to become true, for no longer than a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def wait_until(
    ask: Callable[[], Awaitable[T]],
    accept: Callable[[T], Any],
    deadline: float = 30.0,
    *,
    what: str = "the awaited state",
    pause: float = 0.05,
) -> T:
    """Ask again and again until the answer is accepted, and return it.

    Raises:
        TimeoutError: it was not in `deadline` seconds; the message holds the last answer.
    """
    until = time.monotonic() + deadline
    while True:
        answer = await ask()
        if accept(answer):
            return answer
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not come in {deadline:g} s; last seen: {answer!r}")
        await asyncio.sleep(pause)
