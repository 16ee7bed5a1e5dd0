"""The clock of these tests."""

import asyncio

import pytest

from tests.integrity.virtual_time import NothingLeftError, run


async def test_time_jumps_to_whoever_waits():
    """An hour passes at once, in order, and asynchronous tests of this folder run so."""
    loop = asyncio.get_running_loop()
    started, order = loop.time(), []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        order.append(seconds)

    await asyncio.gather(*(sleeper(seconds) for seconds in (3600.0, 1.0, 60.0)))
    assert order == [1.0, 60.0, 3600.0]
    assert loop.time() - started == pytest.approx(3600.0)


def test_waiting_for_ever_is_an_error():
    """Code that could never go on fails instead of hanging."""

    async def stuck() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingLeftError):
        run(stuck())


def test_a_task_left_behind_is_noticed():
    """`run` fails when what it ran left a task behind."""

    async def careless() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(1.0))

    with pytest.raises(AssertionError):
        run(careless())
