"""How fast a registry is asked: as fast as it lets us, all requests to it together."""

import asyncio
import email.utils
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

LONGEST_WAIT: Final = 60.0  # seconds that a Retry-After is honoured; a longer one counts as this

_TICK: Final = 0.5  # seconds over which answers and refusals are weighed
_FIRST_RATE: Final = 20.0  # requests a second after the first refusal, unless more were answered
_SLOWEST: Final = 0.5  # requests a second
_TOLERATED: Final = 0.1  # share of refusals that is no reason to slow down: limits are never quite even
_LEAST_CUT: Final = 0.3
_BELOW_ANSWERED: Final = 0.97
_NEAR_LIMIT: Final = 0.9
_FASTER: Final = 1.3
_GENTLY: Final = 0.01


def retry_after_seconds(header: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` (RFC 9110, 10.2.3): seconds or a date. None where there is none that is valid."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date, or one with numbers beyond all bounds
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    return min(max(0.0, seconds), LONGEST_WAIT)


class Pace:
    """Spaces the requests to one registry, from cycle to cycle.

    Not limited until the registry refuses a request for being one too many, or `requests_per_second` says
    so. A refusal holds all requests back for as long as it asks for. Then they go on at the speed at which
    they were answered, and faster again as long as none is refused.
    """

    def __init__(
        self, requests_per_second: float | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        """Ask at most so many times a second; None: as the registry lets us. The clock is in seconds."""
        self._most = requests_per_second or math.inf
        self._rate = self._most
        self._limit = math.inf  # what was answered when the registry last refused too much
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._next = -math.inf  # when the next request may start
        self._held_until = -math.inf
        self._tick_began = -math.inf
        self._settled = -math.inf
        self._answered = 0
        self._refused = 0
        self._quiet_ticks = 0

    @property
    def unlimited(self) -> bool:
        """Whether no request has to wait: the usual case, which costs nothing."""
        return self._rate == math.inf

    async def turn(self) -> None:
        """Wait until a request may start."""
        while not self.unlimited:
            now = self._clock()
            if now < self._held_until:
                await asyncio.sleep(self._held_until - now)
                continue
            start = max(now, self._next)
            self._next = start + 1.0 / self._rate
            if start > now:
                await asyncio.sleep(start - now)
            # A refusal meanwhile holds back those that already waited as well.
            if self._clock() >= self._held_until:
                return

    def answered(self) -> None:
        """Take note of a request that was not refused."""
        self._answered += 1
        self._weigh()

    def refused(self, retry_after: float | None) -> None:
        """Take note of a request that was one too many; `retry_after` in seconds, None where not told."""
        now = self._clock()
        if retry_after is not None:
            self._held_until = max(self._held_until, now + min(retry_after, LONGEST_WAIT))
        if self.unlimited:
            recent = self._answered / max(now - self._tick_began, _TICK)
            self._rate = min(self._most, max(_FIRST_RATE, recent))
            self._begin_tick(now)
            self._settled = now + _TICK
            return
        if now >= self._settled:  # what was under way before says nothing of the new rate
            self._refused += 1
        self._weigh()

    def _weigh(self) -> None:
        now = self._clock()
        elapsed = now - self._tick_began
        if elapsed < _TICK:
            return
        if not self.unlimited and elapsed < math.inf:
            answered_rate = self._answered / elapsed
            if self._refused == 0:
                # Carefully near the last limit, and bolder the longer nothing happens: it may be gone.
                self._quiet_ticks += 1
                near = self._rate >= self._limit * _NEAR_LIMIT
                factor = 1.0 + _GENTLY * self._quiet_ticks if near else _FASTER
                self._rate = min(self._most, self._rate * min(factor, _FASTER))
            elif self._refused > _TOLERATED * (self._answered + self._refused):
                self._quiet_ticks = 0
                self._limit = answered_rate
                self._rate = max(_SLOWEST, answered_rate * _BELOW_ANSWERED, self._rate * _LEAST_CUT)
        self._begin_tick(now)

    def _begin_tick(self, now: float) -> None:
        self._tick_began = now
        self._answered = self._refused = 0
