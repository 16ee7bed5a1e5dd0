"""Politeness: what is asked again and when, and when a registry is left alone."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from exporter.registry.errors import (
    AnswerError,
    ConnectTimedOutError,
    NotConnectedError,
    RegistryError,
    TimedOutError,
    TruncatedBodyError,
)
from exporter.registry.pace import Pace, retry_after_seconds
from exporter.registry.requests import RequestObserver

T = TypeVar("T")

ATTEMPTS: Final = 3
_ATTEMPTS_WHEN_LIMITED = 10  # the pace sees to it that they are not in vain
_ATTEMPTS_AT_A_BODY = 2  # a body that ends early twice is truncated
_PATIENCE = 3  # refusals after which the pace alone does not do
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0
_TOO_MANY = 429
_UNAVAILABLE = 503
_TRANSIENT_STATUSES = {
    408: "timeout",
    429: "rate_limited",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}

# In a row, with no answer in between. Timeouts of one repository say nothing of the others, so a registry
# is given up for timeouts only when several repositories ran into them; nor do answers of the others say
# anything of that one, and there is always one in between. A 503 counts as one more.
_MOST_CONNECT_FAILURES = 5
_MOST_TIMEOUTS = 32
_MOST_TIMEOUTS_OF_A_REPOSITORY = 16
_MOST_REFUSALS = 5  # of questions, each after all its retries


def retry_reason(error: Exception) -> str | None:
    """Tell why asking again may help; None: it does not."""
    if isinstance(error, AnswerError):
        return _TRANSIENT_STATUSES.get(error.status)
    return error.retry_reason if isinstance(error, RegistryError) else None


def is_refusal(error: Exception) -> bool:
    """Whether the registry says that a request was one too many: 429, or 503 with a `Retry-After`."""
    if not isinstance(error, AnswerError) or error.redirected:
        return False
    return error.status == _TOO_MANY or (error.status == _UNAVAILABLE and error.retry_after is not None)


def is_unavailable(error: Exception | None) -> bool:
    """Whether it is a 503, which a proxy's limit answers, too: nginx's does unless it is told otherwise."""
    return isinstance(error, AnswerError) and error.status == _UNAVAILABLE and not error.redirected


def note_answer(pace: Pace, error: AnswerError | None) -> None:
    """Let a pace know how a request was answered."""
    if error is not None and is_refusal(error):
        pace.refused(retry_after_seconds(error.retry_after))
    elif is_unavailable(error):
        pace.refused(None, surely=False)
    else:
        pace.answered()


async def ask_again(
    first: RegistryError, ask: Callable[[], Awaitable[T]], observer: RequestObserver | None
) -> T:
    """Ask again after a first error that has a `retry_reason`, with jitter between.

    At most `ATTEMPTS` times in all; twice where a body ended early; more often where the registry only wants
    to be asked more slowly, or may want so.

    Raises:
        RegistryError: the last error.
    """
    failures = _Failures()
    async for attempt in stamina.retry_context(
        on=failures.worth_asking_again,
        attempts=_ATTEMPTS_WHEN_LIMITED + ATTEMPTS,
        timeout=None,
        wait_initial=_FIRST_WAIT,
        wait_max=_LONGEST_WAIT,
    ):
        with attempt:
            if attempt.num == 1:  # played back: it was made without the retry machinery, which is dear
                raise first
            if observer is not None:
                observer.retried(failures.last_reason)
            return await ask()
    raise AssertionError("the last attempt either returns or raises")


def wait_after_refusals(refusals: int) -> float:
    """How many seconds a question that was refused so often waits, beside the pace of all."""
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (refusals - _PATIENCE))


class _Failures:
    """What one question has run into so far."""

    def __init__(self) -> None:
        self.last_reason = ""
        self._refusals = 0
        self._truncated = 0
        self._others = 0

    def worth_asking_again(self, error: Exception) -> bool | float:
        """Take in a failure; false, or how to wait: true as usual, else for so many seconds."""
        reason = retry_reason(error)
        if reason is None:
            return False
        self.last_reason = reason
        if is_refusal(error) or is_unavailable(error):
            self._refusals += 1
            # Where we were told how long to wait, and did, a few more times will have to do.
            told = getattr(error, "retry_after", None) is not None
            again = self._refusals < (ATTEMPTS if told else _ATTEMPTS_WHEN_LIMITED)
            return again and wait_after_refusals(self._refusals)
        self._others += 1
        self._truncated += isinstance(error, TruncatedBodyError)
        return self._others < ATTEMPTS and self._truncated < _ATTEMPTS_AT_A_BODY


class Circuit:
    """Notices within one cycle that a registry, or one repository, has stopped answering.

    What then is not asked any more is unverified; hammering a registry that is down helps nobody.
    """

    def __init__(self) -> None:
        self._connect_failures = 0
        self._refusals = 0
        self._timeouts: Counter[str] = Counter()  # of each repository since it answered
        self._silence: Counter[str] = Counter()  # of each repository since any of them answered
        self._troubled = False  # ever: until then, which is mostly for good, there is nothing to look up

    @property
    def open(self) -> bool:
        """Whether the registry is left alone for the rest of the cycle."""
        several_hit = len(self._silence) > 1
        silent = several_hit and self._silence.total() >= _MOST_TIMEOUTS
        return silent or self.exhausted or self._connect_failures >= _MOST_CONNECT_FAILURES

    @property
    def exhausted(self) -> bool:
        """Whether it is left alone because it refuses every request for being one too many."""
        return self._refusals >= _MOST_REFUSALS

    def open_for(self, repository: str) -> bool:
        """Whether this repository is left alone for the rest of the cycle."""
        if not self._troubled:
            return False
        return self.open or self._timeouts[repository] >= _MOST_TIMEOUTS_OF_A_REPOSITORY

    def note(self, repository: str, error: RegistryError | None) -> None:
        """Take note of how a question about a repository ended, after its retries; None: it was answered."""
        if error is not None and self._count(repository, error):
            self._troubled = True
        elif self._troubled and not self.open:  # what was under way does not open again what was closed
            self._connect_failures = self._refusals = 0
            self._silence.clear()
            if not self.open_for(repository):
                del self._timeouts[repository]

    def _count(self, repository: str, error: RegistryError) -> bool:
        """Count what is no answer, or none that says anything; false: it is one."""
        if isinstance(error, NotConnectedError | ConnectTimedOutError):
            self._connect_failures += 1
        elif is_refusal(error):
            self._refusals += 1
        elif isinstance(error, TimedOutError) or is_unavailable(error):
            self._timeouts[repository] += 1
            self._silence[repository] += 1
        else:
            return False
        return True
