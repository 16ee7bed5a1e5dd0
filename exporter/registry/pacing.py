"""Politeness: what is asked again and when, and when a registry is left alone."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina

from exporter.registry.errors import (
    AnswerError,
    AuthenticationError,
    ConnectTimedOutError,
    NotConnectedError,
    RegistryError,
    TimedOutError,
    TruncatedBodyError,
)
from exporter.registry.requests import Purpose, RequestObserver

T = TypeVar("T")

ATTEMPTS: Final = 3
_ATTEMPTS_AT_A_BODY = 2  # a body that ends early twice is truncated
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0
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
# anything of that one, and there is always one in between.
_MOST_CONNECT_FAILURES = 5
_MOST_TIMEOUTS = 32
_MOST_TIMEOUTS_OF_A_REPOSITORY = 16


def retry_reason(error: Exception) -> str | None:
    """Tell why asking again may help; None: it does not."""
    if isinstance(error, AnswerError | AuthenticationError):
        return _TRANSIENT_STATUSES.get(error.status or 0)
    return error.retry_reason if isinstance(error, RegistryError) else None


async def with_retries(
    ask: Callable[[Purpose], Awaitable[T]], purpose: Purpose, observer: RequestObserver | None
) -> T:
    """Ask, and ask again after a transient error, at most `ATTEMPTS` times in all, with jitter between.

    After a body that ended early once more at most.

    Raises:
        RegistryError: the last error.
    """
    try:
        return await ask(purpose)
    except RegistryError as error:
        if retry_reason(error) is None:
            raise
        first = error
    failures: list[Exception] = []

    def worth_asking_again(error: Exception) -> bool:
        failures.append(error)
        truncated = sum(isinstance(failure, TruncatedBodyError) for failure in failures)
        return retry_reason(error) is not None and truncated < _ATTEMPTS_AT_A_BODY

    async for attempt in stamina.retry_context(
        on=worth_asking_again,
        attempts=ATTEMPTS,
        timeout=None,
        wait_initial=_FIRST_WAIT,
        wait_max=_LONGEST_WAIT,
    ):
        with attempt:
            if attempt.num == 1:  # played back, so that only requests that fail pay for the retry machinery
                raise first
            if observer is not None:
                observer.retried(retry_reason(failures[-1]) or "")
            return await ask(Purpose.RETRY)
    raise AssertionError("the last attempt either returns or raises")


class Circuit:
    """Notices within one cycle that a registry, or one repository, has stopped answering.

    What then is not asked any more is unverified; hammering a registry that is down helps nobody.
    """

    def __init__(self) -> None:
        self._connect_failures = 0
        self._timeouts: Counter[str] = Counter()  # of each repository since it answered
        self._silence: Counter[str] = Counter()  # of each repository since any of them answered

    @property
    def open(self) -> bool:
        """Whether the registry is left alone for the rest of the cycle."""
        several_hit = len(self._silence) > 1
        return self._connect_failures >= _MOST_CONNECT_FAILURES or (
            several_hit and self._silence.total() >= _MOST_TIMEOUTS
        )

    def open_for(self, repository: str) -> bool:
        """Whether this repository is left alone for the rest of the cycle."""
        return self.open or self._timeouts[repository] >= _MOST_TIMEOUTS_OF_A_REPOSITORY

    def note(self, repository: str, error: RegistryError | None) -> None:
        """Take note of how a question about a repository ended, after its retries; None: it was answered."""
        if isinstance(error, NotConnectedError | ConnectTimedOutError):
            self._connect_failures += 1
        elif isinstance(error, TimedOutError):
            self._timeouts[repository] += 1
            self._silence[repository] += 1
        elif not self.open:  # an answer that was under way does not open again what was closed
            self._connect_failures = 0
            self._silence.clear()
            if not self.open_for(repository):
                del self._timeouts[repository]
