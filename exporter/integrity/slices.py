"""Long work in slices: whoever else has something to do gets a turn in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

_Thing = TypeVar("_Thing")


async def in_slices(things: Iterable[_Thing], most: int) -> AsyncIterator[_Thing]:
    """Give one after the other, with a turn for the others after so many; choose what takes milliseconds."""
    for number, thing in enumerate(things, start=1):
        yield thing
        if number % most == 0:
            await asyncio.sleep(0)


class Turns:
    """Gives the others a turn whenever so much work was done."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._done = 0

    async def after(self) -> None:
        """Take note of one piece of work; choose `most` of them so that they take milliseconds."""
        self._done += 1
        if self._done >= self._most:
            self._done = 0
            await asyncio.sleep(0)
