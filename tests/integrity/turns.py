"""Counting how often others have a turn while something long goes on."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def turns_during(work: Awaitable[T]) -> tuple[T, int]:
    """Await some work; return what came of it and how often another task ran meanwhile."""
    turns, done = 0, False

    async def count() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)  # for the next turn, not for a time

    async with asyncio.TaskGroup() as group:
        group.create_task(count())
        result = await work
        done = True
    return result, turns
