"""Bounded concurrency: so many jobs at once, none lost, and nothing left behind however it ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.integrity.workers import Batch, Workers
from tests.integrity.virtual_time import run

Opening = Callable[[], Awaitable[None]]


class Load:
    """Jobs that take their time and note how many of them run at once."""

    def __init__(self, count: int) -> None:
        self.workers = Workers(count)
        self.at_once = self.most = self.done = 0

    async def job(self, batch: Batch, tree: list, seconds: float = 1.0) -> None:
        """Take a while, adding a job for each branch below."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(seconds)
        for below in tree:
            batch.add(self.job, batch, below)
        self.at_once -= 1
        self.done += 1

    def opening(self, trees: list) -> Opening:
        """Run some trees of jobs and wait for all of them."""

        async def open_it() -> None:
            batch = Batch(self.workers)
            for tree in trees:
                batch.add(self.job, batch, tree)
            await batch.finished()

        return open_it


def size(tree: list) -> int:
    return 1 + sum(size(below) for below in tree)


trees = st.recursive(st.just([]), lambda below: st.lists(below, max_size=3), max_leaves=10)


@given(st.integers(1, 5), st.lists(st.lists(trees, max_size=4), max_size=5))
@settings(derandomize=True, database=None, deadline=None)
def test_every_job_runs_and_never_more_than_allowed(count: int, openings: list[list[list]]):
    """Whatever adds whatever: all are done, with no more at once than workers, and no task is left."""
    load = Load(count)
    run(load.workers.run(iter([load.opening(trees) for trees in openings])))
    assert load.done == sum(size(tree) for trees in openings for tree in trees)
    assert load.most <= count
    assert load.at_once == 0


async def test_all_workers_are_busy_while_there_is_work():
    """A hundred jobs of a second on four workers take 25 seconds."""
    load = Load(4)
    started = asyncio.get_running_loop().time()
    await load.workers.run(iter([load.opening([[] for _ in range(100)])]))
    assert load.most == 4
    assert asyncio.get_running_loop().time() - started == pytest.approx(25.0)


async def test_one_opening_that_waits_does_not_hold_up_the_others():
    """While one sleeps before it confirms, the next repositories are opened."""
    load = Load(2)
    started = asyncio.get_running_loop().time()

    async def sleep_first() -> None:
        await asyncio.sleep(100.0)
        await load.opening([[], []])()

    await load.workers.run(iter([sleep_first, *(load.opening([[]]) for _ in range(50))]))
    assert load.done == 52
    assert asyncio.get_running_loop().time() - started == pytest.approx(101.0, abs=1.0)


@pytest.mark.parametrize("count", [1, 3])
async def test_openings_that_add_nothing_end(count: int):
    """None, one or many of them."""
    workers = Workers(count)
    opened = 0

    async def nothing() -> None:
        nonlocal opened
        opened += 1

    for number in (0, 1, 7):
        await workers.run(iter([nothing] * number))
    assert opened == 8


async def test_no_more_is_opened_than_there_are_workers_without_work():
    """Depth first: what is open is finished before the next begins, so memory stays small."""
    load = Load(2)
    opened: list[int] = []

    async def open_it() -> None:
        opened.append(load.done)
        await load.opening([[] for _ in range(10)])()

    await load.workers.run(iter([open_it] * 4))
    assert opened[:2] == [0, 0]
    assert all(done >= 18 for done in opened[2:])


async def test_what_a_job_raises_surfaces_where_its_batch_is_awaited():
    """The others of the batch still run, other batches are untouched, and the run goes on."""
    load = Load(2)
    surfaced: list[Exception] = []

    async def fail() -> None:
        raise LookupError("a bug")

    async def failing() -> None:
        batch = Batch(load.workers)
        batch.add(fail)
        batch.add(load.job, batch, [[], []])
        try:
            await batch.finished()
        except LookupError as error:
            surfaced.append(error)

    await load.workers.run(iter([failing, load.opening([[], []])]))
    assert [str(error) for error in surfaced] == ["a bug"]
    assert load.done == 5


async def test_what_an_opening_raises_ends_the_run():
    """Everything else is cancelled; no task is left."""
    load = Load(2)

    async def failing() -> None:
        await asyncio.sleep(1.5)
        raise LookupError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        await load.workers.run(iter([load.opening([[[]] * 50]), failing]))
    assert caught.group_contains(LookupError, match="a bug")
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 1.5, 7.2])
async def test_cancelled_at_any_moment_no_task_is_left(moment: float):
    """With workers busy, idle and waiting, and openings that sleep."""
    load = Load(3)

    async def sleeping() -> None:
        await load.opening([[]])()
        await asyncio.sleep(3600.0)

    openings = [sleeping, *(load.opening([[[], []]]) for _ in range(5)), sleeping]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(moment):
            await load.workers.run(iter(openings))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_held_batch_waits_for_its_release():
    """Also when all of its jobs are done long before; and again after it was finished once."""
    load = Load(1)
    moments: list[float] = []
    loop = asyncio.get_running_loop()
    started = loop.time()

    async def holding() -> None:
        batch = Batch(load.workers)
        for seconds in (10.0, 20.0):
            batch.hold()
            loop.call_later(seconds, batch.release)
            batch.add(load.job, batch, [])
            await batch.finished()
            moments.append(loop.time() - started)

    await load.workers.run(iter([holding]))
    assert moments == [pytest.approx(10.0), pytest.approx(30.0)]
