"""How fast a registry is asked, in virtual time, against servers that limit as nginx does."""

import asyncio
import math
import random
from datetime import UTC, datetime

import pytest

from exporter.registry.pace import Pace, retry_after_seconds
from exporter.registry.pacing import wait_after_refusals
from tests.integrity.virtual_time import run

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("3600", 60.0),
        ("9" * 400, 60.0),
        ("-1", None),
        ("1.5", None),
        ("\u0667", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 12:00:09 GMT", 9.0),
        ("Thu, 01 Jan 2026 12:00:09 -0000", 9.0),
        ("Thu, 01 Jan 2026 13:00:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:59:00 GMT", 0.0),
        ("Thu, 99 Jan 2026 11:59:00 GMT", None),
        ("Thu, 01 Jan " + "6" * 30 + " 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_capped(header: str | None, seconds: float | None):
    assert retry_after_seconds(header, NOON) == seconds


async def starts(pace: Pace, count: int) -> list[float]:
    """When so many requests that all want to start at once may."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def start() -> float:
        await pace.turn()
        return round(loop.time() - began, 6)

    return sorted(await asyncio.gather(*(start() for _ in range(count))))


def test_nobody_waits_until_the_registry_refuses_a_request():
    async def main() -> list[float]:
        pace = Pace()
        assert pace.unlimited
        return await starts(pace, 100)

    assert run(main()) == [0.0] * 100


@pytest.mark.parametrize("answers", range(2000, 2016))
def test_first_limit_is_reckoned_from_what_was_answered_lately(answers: int):
    """Not from a cycle long ago: what was quick then may be too fast now."""

    async def main() -> list[float]:
        pace = Pace()
        for _ in range(answers):
            pace.answered()
            await asyncio.sleep(0.0005)
        await asyncio.sleep(600)
        for _ in range(10):
            pace.answered()
            await asyncio.sleep(0.01)
        pace.refused(None)
        return await starts(pace, 3)

    assert run(main()) == [0.0, 0.05, 0.1]


@pytest.mark.parametrize("answers", [*range(2000, 2016), 3000])
def test_first_limit_is_near_what_was_answered(answers: int):
    """However many answers came since the clock was looked at."""

    async def main() -> float:
        pace = Pace()
        for _ in range(answers):
            pace.answered()
            await asyncio.sleep(0.001)
        pace.refused(None)
        return (await starts(pace, 1001))[-1]

    assert run(main()) == pytest.approx(1.0, rel=0.1)


def test_requests_are_spaced_as_configured():
    async def main() -> list[float]:
        return await starts(Pace(requests_per_second=10), 5)

    assert run(main()) == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_a_retry_after_holds_every_request_back_also_those_that_wait_already():
    async def main() -> list[float]:
        pace = Pace(requests_per_second=10)
        asyncio.get_running_loop().call_later(0.25, pace.refused, 7.0)
        return await starts(pace, 5)

    allowed = run(main())
    assert allowed[:3] == [0.0, 0.1, 0.2]
    assert all(start >= 7.25 for start in allowed[3:])


def test_a_refusal_that_does_not_say_for_how_long_holds_nobody_back():
    async def main() -> tuple[bool, list[float]]:
        pace = Pace()
        pace.refused(None)
        return pace.unlimited, await starts(pace, 3)

    assert run(main()) == (False, [0.0, 0.05, 0.1])


def test_a_configured_rate_is_never_exceeded_however_quiet_it_is():
    async def main() -> float:
        pace = Pace(requests_per_second=10)
        loop = asyncio.get_running_loop()
        began = loop.time()
        pace.refused(None)
        for number in range(1000):
            await pace.turn()
            pace.refused(None) if number % 20 == 0 else pace.answered()
        return 1000 / (loop.time() - began)

    assert run(main()) <= 10.02


class Limiter:
    """nginx's `limit_req` with `nodelay`: so many requests a second, and `burst` more at once.

    Without `burst` it refuses what comes sooner after the last one than the rate allows.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._excess, self._last = -1.0, 0.0

    def accepts(self, moment: float) -> bool:
        now = math.floor(moment * 1000) / 1000  # it counts in milliseconds
        excess = max(self._excess - self._rate * (now - self._last) + 1.0, 0.0) if self._last else 0.0
        if excess > self._burst + 1e-6:
            return False
        self._excess, self._last = excess, now
        return True


async def ask_limited(
    limiter: Limiter, count: int, requests_per_second: float | None = None, *, surely: bool = True
) -> tuple[float, int]:
    """Ask with 16 connections; return the requests answered a second, and the most refusals of one."""
    loop = asyncio.get_running_loop()
    latency = random.Random(1)
    pace = Pace(requests_per_second)
    left = iter(range(count))
    most_refusals = 0

    async def connection() -> None:
        nonlocal most_refusals
        for _ in left:
            refusals = 0
            while True:
                await pace.turn()
                await asyncio.sleep(latency.uniform(0.0005, 0.0015))
                accepted = limiter.accepts(loop.time())
                await asyncio.sleep(latency.uniform(0.001, 0.005))
                if accepted:
                    break
                refusals += 1
                pace.refused(None, surely=surely)
                await asyncio.sleep(wait_after_refusals(refusals))
            pace.answered()
            most_refusals = max(most_refusals, refusals)

    began = loop.time()
    await asyncio.gather(*(connection() for _ in range(16)))
    return count / (loop.time() - began), most_refusals


@pytest.mark.parametrize("surely", [True, False], ids=["429", "503"])
@pytest.mark.parametrize("burst", [0, 1, 5, 20, 100])
@pytest.mark.parametrize("rate", [20.0, 50.0])
def test_a_limit_that_nobody_told_us_is_found_and_used(rate: float, burst: int, surely: bool):
    """At nine tenths of it or more, and no request is refused so often that it would be given up."""
    speed, most_refusals = run(ask_limited(Limiter(rate, burst), int(rate * 40), surely=surely))
    assert speed >= 0.9 * rate
    assert most_refusals < 10


@pytest.mark.parametrize("burst", [1, 20])
def test_a_generous_limit_is_used_as_well(burst: int):
    """Where the spaces between requests are shorter than anything can be timed."""
    speed, most_refusals = run(ask_limited(Limiter(400.0, burst), 6000))
    assert speed >= 0.8 * 400.0
    assert most_refusals < 10


@pytest.mark.parametrize("burst", [0, 20])
def test_a_configured_rate_that_is_the_limit_itself_is_used(burst: int):
    """Although requests that are a millisecond late make those after them too early."""
    speed, most_refusals = run(ask_limited(Limiter(50.0, burst), 2000, 50.0))
    assert speed >= 0.9 * 50.0
    assert most_refusals < 10


def test_what_may_be_an_outage_slows_nothing_down_below_the_first_speed():
    """No limit refuses everything; when the registry is back it is asked as before."""

    async def main(*, surely: bool) -> float:
        pace, loop = Pace(), asyncio.get_running_loop()
        for _ in range(40):
            await pace.turn()
            pace.refused(None, surely=surely)
        began = loop.time()
        await starts(pace, 11)
        return round(loop.time() - began, 1)

    assert run(main(surely=False)) == pytest.approx(0.5, abs=0.1)
    assert run(main(surely=True)) >= 5.0


def test_one_refusal_among_many_answers_costs_little_speed():
    """The speed before it is remembered, however shortly before it was weighed."""

    async def main() -> float:
        pace, loop = Pace(), asyncio.get_running_loop()
        for _ in range(1001):
            await asyncio.sleep(0.001)
            pace.answered()
        pace.refused(None)
        began = loop.time()
        await starts(pace, 101)
        return loop.time() - began

    assert run(main()) < 0.2


@pytest.mark.parametrize("rate", [20.0, 50.0])
def test_a_limit_that_is_found_is_kept_to(rate: float):
    """All but a tenth of what is asked then is within it."""
    limiter = Limiter(rate, 5)
    asked = 0

    class Counting(Limiter):
        def accepts(self, moment: float) -> bool:
            nonlocal asked
            asked += 1
            return limiter.accepts(moment)

    count = int(rate * 40)
    run(ask_limited(Counting(rate, 5), count))
    assert asked <= count / 0.85


def test_a_limit_that_is_lifted_is_noticed():
    async def main() -> tuple[float, float]:
        limiter = Limiter(50.0, 5)
        before, _ = await ask_limited(limiter, 2000)
        loop = asyncio.get_running_loop()
        pace = Pace()
        pace.refused(None)
        began = loop.time()
        for _ in range(20_000):
            await pace.turn()
            pace.answered()
        return before, 20_000 / (loop.time() - began)

    before, after = run(main())
    assert after > 10 * before
