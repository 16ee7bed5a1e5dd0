"""Limits on one timer do what `asyncio.timeout` does."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.registry.time_limits import TimeLimits
from tests.integrity.virtual_time import run

SECONDS = 10.0


@dataclass(frozen=True)
class Work:
    """Something that takes a while and may be canceled, all in seconds, after which it may be `stubborn`."""

    begins: float
    takes: float
    canceled: float | None = None
    stubborn: float = 0.0
    fails: bool = False


async def within(limit: Callable[[], Any], work: Work) -> str:
    try:
        async with limit():
            try:
                await asyncio.sleep(work.takes)
            except asyncio.CancelledError:
                await asyncio.sleep(work.stubborn)
                raise
            if work.fails:
                raise LookupError
    except TimeoutError as error:
        return f"too long, since {type(error.__cause__ or error.__context__).__name__}"
    return "done"


async def outcomes(limit: Callable[[], Any], works: list[Work]) -> list[tuple[str, float]]:
    """Do all of it at once; tell how each ended, and when."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(work: Work) -> tuple[str, float]:
        await asyncio.sleep(work.begins)
        task = asyncio.ensure_future(within(limit, work))
        if work.canceled is not None:
            loop.call_later(work.canceled, task.cancel)
        try:
            ended = await task
        except (asyncio.CancelledError, LookupError) as error:
            ended = type(error).__name__
        return ended, round(loop.time() - began, 6)

    return await asyncio.gather(*map(one, works))


def on_one_timer() -> Callable[[], Any]:
    limits = TimeLimits(SECONDS)

    @asynccontextmanager
    async def limit():
        with limits.limit():
            yield

    return limit


# No two moments of these fall together, but for those that are meant to.
MOMENTS = st.integers(0, 25).map(float)
WORK = st.builds(
    Work,
    MOMENTS,
    MOMENTS.map(lambda seconds: seconds + 0.25),
    st.none() | MOMENTS.map(lambda seconds: seconds + 0.5),
    st.sampled_from([0.0, 0.125, 3.0]),
    st.booleans(),
)


@given(st.lists(WORK, max_size=8))
def test_all_end_as_with_a_timer_each(works: list[Work]):
    """Done, failed, canceled by others or too long: each as it would, and at the same time."""
    expected = run(outcomes(lambda: asyncio.timeout(SECONDS), works))
    assert run(outcomes(on_one_timer(), works)) == expected


@pytest.mark.parametrize(
    ("work", "ended"),
    [
        (Work(1.0, 9.0), ("done", 10.0)),
        (Work(1.0, 11.0), ("too long, since CancelledError", 11.0)),
        (Work(1.0, 99.0, canceled=5.0), ("CancelledError", 6.0)),
        (Work(1.0, 99.0, canceled=5.0, stubborn=7.0), ("CancelledError", 11.0)),
        (Work(1.0, 99.0, canceled=12.0, stubborn=3.0), ("CancelledError", 13.0)),
        (Work(1.0, 2.0, fails=True), ("LookupError", 3.0)),
    ],
)
def test_how_each_ends(work: Work, ended: tuple[str, float]):
    """Whoever else cancels counts more than the limit."""
    assert run(outcomes(on_one_timer(), [work])) == [ended]


def test_there_is_one_timer_and_none_in_the_end():
    """However many limits run, and whoever of them ends first."""

    async def timers() -> list[int]:
        limits, loop = TimeLimits(SECONDS), asyncio.get_running_loop()
        scheduled: list[asyncio.TimerHandle] = []
        call_at = loop.call_at

        def counting(*arguments: Any, **more: Any) -> asyncio.TimerHandle:
            scheduled.append(call_at(*arguments, **more))
            return scheduled[-1]

        loop.call_at = counting  # type: ignore[method-assign]

        async def one(event: asyncio.Event) -> None:
            with limits.limit():
                await event.wait()

        events = [asyncio.Event() for _ in range(5)]
        tasks = [asyncio.ensure_future(one(event)) for event in events]
        await asyncio.sleep(0)
        counts = []
        for event in (*events[2:], *events[:2]):
            counts.append(sum(not timer.cancelled() for timer in scheduled))
            event.set()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return [*counts, sum(not timer.cancelled() for timer in scheduled)]

    assert run(timers()) == [1, 1, 1, 1, 1, 0]


async def test_only_a_task_is_limited():
    """What is no task could not be ended."""
    failed: list[BaseException] = []

    def enter() -> None:
        try:
            TimeLimits(SECONDS).limit().__enter__()
        except RuntimeError as error:
            failed.append(error)

    asyncio.get_running_loop().call_soon(enter)
    await asyncio.sleep(0)
    assert [str(error) for error in failed] == ["only a task can be limited"]
