"""How fast a registry is asked: as fast as it lets us, all requests to it together."""

import asyncio
import email.utils
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

LONGEST_WAIT: Final = 60.0  # seconds that a Retry-After is honoured; a longer one counts as this

_TICK: Final = 1.0  # seconds over which answers and refusals are weighed
_FIRST_TICK: Final = 0.5  # as long as the limit is not yet found
_FIRST_RATE: Final = 20.0  # requests a second after the first refusal, unless more were answered
_SLOWEST: Final = 0.5  # requests a second
_SLEPT_EXACTLY: Final = 0.01  # seconds; what is shorter is slept too long by much of itself
_HARMLESS: Final = 0.05  # share of refusals, as of a limit that is never quite even
_TOLERATED: Final = 0.1
_FAR_TOO_FAST: Final = 0.5  # share of refusals above which what was answered tells the limit
_LEAST_CUT: Final = 0.3
_BELOW_ANSWERED: Final = 0.97
_FASTER: Final = 1.5
_NEAR: Final = 1.1
_GENTLY: Final = 0.002
_LOOKS_EVERY: Final = 16  # answers, at the clock
_MOMENT: Final = 0.1  # of the space between two requests


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
        self._good = 0.0  # what was not too fast the last time
        self._too_fast = math.inf  # and what was
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._turn = asyncio.Lock()
        self._sooner = asyncio.Event()  # the next request may start before it was due
        self._started = -math.inf  # the last request
        self._next = -math.inf  # when the next one may start
        self._held_until = -math.inf
        self._tick_began = -math.inf
        self._settled = -math.inf
        self._answered = 0
        self._refused = 0
        self._answered_rate = 0.0  # in the last tick
        self._quiet_ticks = 0
        self._gives_back = True  # a refusal, unless another went before

    @property
    def unlimited(self) -> bool:
        """Whether no request has to wait: the usual case, which costs nothing."""
        return self._rate == math.inf

    async def turn(self) -> None:
        """Wait until a request may start."""
        if self.unlimited:
            return
        async with self._turn:
            while (wait := max(self._held_until, self._next) - self._clock()) > 0:
                self._sooner.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._sooner.wait()
            # Who comes late does not hurry the next: some limits count from one request to the next. Only
            # spaces that are too short to be slept exactly are right on average alone.
            space, now = 1.0 / self._rate, self._clock()
            overslept = min(now - self._next, space) if space < _SLEPT_EXACTLY else 0.0
            self._started, self._next = now, now - overslept + space

    def answered(self) -> None:
        """Take note of a request that was not refused."""
        self._answered += 1
        self._gives_back = True
        # As long as there is no limit, all that is wanted is to know roughly how many there were in a second.
        if not self.unlimited or self._answered % _LOOKS_EVERY == 1:
            self._weigh()

    def refused(self, retry_after: float | None, *, surely: bool = True) -> None:
        """Take note of a request that was one too many; `retry_after` in seconds, None where not told.

        One that is not `surely` meant so counts only beside answers: a limit lets something through.
        """
        now = self._clock()
        if retry_after is not None:
            self._held_until = max(self._held_until, now + min(retry_after, LONGEST_WAIT))
        if self.unlimited:
            self._weigh()  # it may be long since the clock was looked at
            recent = self._answered / max(now - self._tick_began, _FIRST_TICK)
            self._rate = min(self._most, max(_FIRST_RATE, recent, self._answered_rate))
            self._begin_tick(now)
            self._settled = now + _FIRST_TICK
            return
        if now >= self._settled and (surely or self._answered):
            self._refused += 1  # what was under way before says nothing of the new rate
        if self._gives_back:
            # Where limits count from one request to the next, it came a moment too early: no turn was used.
            self._gives_back = False
            soon = max(now + _MOMENT / self._rate, self._started + 1.0 / self._most)
            if soon < self._next:
                self._next = soon
                self._sooner.set()
        self._weigh()

    def _weigh(self) -> None:
        now = self._clock()
        elapsed = now - self._tick_began
        if elapsed < (_TICK if self._too_fast < math.inf else _FIRST_TICK):
            return
        self._answered_rate = self._answered / elapsed
        if not self.unlimited and elapsed < math.inf:
            share = self._refused / max(self._answered + self._refused, 1)
            if share > _TOLERATED:
                self._go_slower(share)
            elif self._answered:
                self._good = self._rate
                if share < _HARMLESS:
                    self._go_faster()
        self._begin_tick(now)

    def _go_faster(self) -> None:
        if self._too_fast > self._rate * _NEAR:
            faster = min(self._rate * _FASTER, math.sqrt(self._rate * self._too_fast))
        else:  # carefully, and bolder the longer nothing happens: the limit may be gone
            self._quiet_ticks += 1
            faster = self._rate * min(1.0 + _GENTLY * self._quiet_ticks**2, _FASTER)
        self._rate = min(self._most, faster)

    def _go_slower(self, share: float) -> None:
        self._quiet_ticks = 0
        self._too_fast = self._rate
        if 0.0 < self._good < self._rate:
            slower = self._good
        elif share > _FAR_TOO_FAST:
            slower = max(self._answered_rate * _BELOW_ANSWERED, self._rate * _LEAST_CUT)
        else:
            # A limit that counts from one request to the next refuses every second one as soon as they come
            # a little too fast: what was answered is then much less than what would be.
            slower = math.sqrt(self._answered_rate * self._rate)
        self._good = 0.0  # until it proves itself again
        self._rate = max(_SLOWEST, slower)

    def _begin_tick(self, now: float) -> None:
        self._tick_began = now
        self._answered = self._refused = 0
