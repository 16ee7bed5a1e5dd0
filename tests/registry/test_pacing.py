"""What is asked again, and when a registry or a repository is left alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import stamina

from exporter.registry import (
    AnswerError,
    Circuit,
    ConnectionFailedError,
    LeftAloneError,
    ProtocolError,
    RegistryError,
    TimedOutError,
    TooLargeError,
    TruncatedBodyError,
)
from exporter.registry.errors import ConnectTimedOutError, NotConnectedError
from exporter.registry.pacing import ask_again, retry_reason

ASKED = ("GET", "/v2/")
TIMEOUT = TimedOutError(*ASKED, "was not answered")
REFUSED = NotConnectedError(*ASKED, "failed")
CONNECT_TIMEOUT = ConnectTimedOutError(*ASKED, "could not connect")
LOST = ConnectionFailedError(*ASKED, "failed")
TRUNCATED = TruncatedBodyError(*ASKED, 206, "was cut")
MISSING = AnswerError(*ASKED, 404)
BUSY = AnswerError(*ASKED, 502)
UNAVAILABLE = AnswerError(*ASKED, 503)


@dataclass
class Told:
    """An observer that keeps what it is told."""

    reasons: list[str] = field(default_factory=list)

    def requested(self, method: str, code: str, seconds: float) -> None:
        raise AssertionError((method, code, seconds))

    def retried(self, reason: str) -> None:
        self.reasons.append(reason)


@dataclass
class Asked:
    """Something to ask that gives these outcomes in turn."""

    outcomes: list[Exception | str]
    times: int = 0

    async def __call__(self) -> str:
        self.times += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def answer_of(asked: Callable[[], Awaitable[str]], observer: Told | None) -> str:
    """Ask, and again where that may help, as everybody does."""
    try:
        return await asked()
    except RegistryError as error:
        return await ask_again(error, asked, observer)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AnswerError(*ASKED, 408), "timeout"),
        (AnswerError(*ASKED, 429), "rate_limited"),
        (AnswerError(*ASKED, 500), "server_error"),
        (AnswerError(*ASKED, 502), "server_error"),
        (AnswerError(*ASKED, 503), "server_error"),
        (AnswerError(*ASKED, 504), "server_error"),
        (TIMEOUT, "timeout"),
        (CONNECT_TIMEOUT, "timeout"),
        (REFUSED, "connection"),
        (LOST, "connection"),
        (TRUNCATED, "truncated"),
        *[
            (AnswerError(*ASKED, status), None)
            for status in (400, 401, 403, 404, 405, 410, 416, 501, 505, 599)
        ],
        (ProtocolError(*ASKED, "is odd"), None),
        (TooLargeError(*ASKED, "is long"), None),
        (LeftAloneError(*ASKED, "was not asked"), None),
        (ValueError("no error of ours"), None),
    ],
    ids=str,
)
def test_only_what_may_pass_is_worth_asking_again(error: Exception, reason: str | None):
    """Everything that the other side may have meant stands."""
    assert retry_reason(error) == reason


@pytest.mark.parametrize(
    ("outcomes", "reasons"),
    [
        ([BUSY], ["server_error"]),
        ([BUSY, TIMEOUT], ["server_error", "timeout"]),
        ([LOST, BUSY], ["connection", "server_error"]),
        ([TRUNCATED], ["truncated"]),
        ([TRUNCATED, BUSY], ["truncated", "server_error"]),
        ([BUSY, TRUNCATED], ["server_error", "truncated"]),
    ],
    ids=str,
)
async def test_flapping_answer_is_waited_for(outcomes: list[RegistryError], reasons: list[str]):
    """What fails once or twice and then answers has answered; the observer hears why it was asked again."""
    asked, told = Asked([*outcomes, "answer"]), Told()
    assert await answer_of(asked, told) == "answer"
    assert (asked.times, told.reasons) == (len(outcomes) + 1, reasons)


@pytest.mark.parametrize(
    ("outcomes", "reasons"),
    [
        ([BUSY, TIMEOUT, LOST], ["server_error", "timeout"]),
        ([MISSING], []),
        ([BUSY, MISSING], ["server_error"]),
        ([TRUNCATED, TRUNCATED], ["truncated"]),
        ([BUSY, TRUNCATED, TRUNCATED], ["server_error", "truncated"]),
        ([TRUNCATED, BUSY, TRUNCATED], ["truncated", "server_error"]),
    ],
    ids=str,
)
async def test_last_failure_is_raised(outcomes: list[RegistryError], reasons: list[str]):
    """After three askings, two cut bodies, or the first failure that asking again would not mend."""
    asked, told = Asked([*outcomes, "too late"]), Told()
    with pytest.raises(RegistryError) as caught:
        await answer_of(asked, told)
    assert (caught.value, told.reasons, asked.outcomes) == (outcomes[-1], reasons, ["too late"])


async def test_observer_is_not_needed():
    """Nobody may be watching."""
    assert await answer_of(Asked([BUSY, "answer"]), None) == "answer"


async def test_bug_is_not_asked_again():
    """An exception of another kind passes through at once."""

    asked, told = Asked([BUSY, ZeroDivisionError(), "too late"]), Told()
    with pytest.raises(ZeroDivisionError):
        await answer_of(asked, told)
    assert (asked.times, told.reasons) == (2, ["server_error"])


async def test_waiting_grows_from_a_tenth_of_a_second_and_stays_short(monkeypatch: pytest.MonkeyPatch):
    """With up to a second of jitter, so that many retries do not come at once."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("stamina._core._smart_sleep", sleep)
    with stamina.set_testing(testing=False), pytest.raises(AnswerError):
        await answer_of(Asked([BUSY] * 3), None)
    assert (len(waits), 0.1 <= waits[0] <= 1.1, 0.2 <= waits[1] <= 1.2) == (2, True, True)


def noted(*notes: tuple[str, RegistryError | None]) -> Circuit:
    circuit = Circuit()
    for repository, error in notes:
        circuit.note(repository, error)
    return circuit


@pytest.mark.parametrize("error", [REFUSED, CONNECT_TIMEOUT])
@pytest.mark.parametrize(("failures", "is_open"), [(0, False), (4, False), (5, True), (6, True)])
def test_registry_is_left_alone_after_5_connect_failures(error: RegistryError, failures: int, is_open: bool):
    """Of whatever repositories."""
    circuit = noted(*[(f"app{number}", error) for number in range(failures)])
    assert (circuit.open, circuit.open_for("app0"), circuit.open_for("other")) == (is_open,) * 3


@pytest.mark.parametrize("answer", [None, MISSING, BUSY, TRUNCATED, ProtocolError(*ASKED, "is odd")], ids=str)
def test_any_answer_starts_the_count_of_connect_failures_again(answer: RegistryError | None):
    """An error is an answer, too: the registry is there."""
    circuit = noted(*[("app", REFUSED)] * 4, ("other", answer), *[("app", REFUSED)] * 4)
    assert not circuit.open
    circuit.note("app", REFUSED)
    assert circuit.open


@pytest.mark.parametrize("error", [TIMEOUT, UNAVAILABLE], ids=str)
@pytest.mark.parametrize(("timeouts", "is_open"), [(15, False), (16, True), (100, True)])
def test_repository_is_left_alone_after_16_timeouts_and_no_other_is(
    timeouts: int, is_open: bool, error: RegistryError
):
    """However many: they say nothing of the rest of the registry. A 503 is no better."""
    circuit = noted(*[("slow", error)] * timeouts)
    assert (circuit.open_for("slow"), circuit.open_for("other"), circuit.open) == (is_open, False, False)


def test_answers_of_others_do_not_excuse_a_slow_repository():
    """In a walk they come between any two of its timeouts."""
    circuit = noted(*[("slow", TIMEOUT), ("other", None)] * 16)
    assert (circuit.open_for("slow"), circuit.open_for("other")) == (True, False)


def test_answer_of_a_slow_repository_starts_its_count_again():
    """It is slow, not silent."""
    circuit = noted(*[("slow", TIMEOUT)] * 15, ("slow", None), *[("slow", TIMEOUT)] * 15)
    assert not circuit.open_for("slow")


def test_repository_stays_left_alone_for_the_rest_of_the_cycle():
    """Neither others' answers nor a late one of its own bring it back."""
    circuit = noted(*[("slow", TIMEOUT)] * 16, ("other", None), ("slow", None), ("other", MISSING))
    assert (circuit.open_for("slow"), circuit.open_for("other")) == (True, False)


@pytest.mark.parametrize(("timeouts", "is_open"), [(15, False), (16, True)])
def test_registry_is_left_alone_after_32_timeouts_of_several_repositories(timeouts: int, is_open: bool):
    """With no answer in between from anyone."""
    circuit = noted(*[("a", TIMEOUT)] * 16, *[("b", TIMEOUT)] * timeouts)
    assert (circuit.open, circuit.open_for("other")) == (is_open, is_open)


def test_any_answer_starts_the_count_of_the_registrys_timeouts_again():
    """Two slow repositories do not take the others with them."""
    circuit = noted(*[("a", TIMEOUT)] * 15, ("other", None), *[("b", TIMEOUT)] * 15, *[("a", TIMEOUT)] * 9)
    assert (circuit.open, circuit.open_for("a"), circuit.open_for("b")) == (False, True, False)


def test_registry_stays_left_alone_for_the_rest_of_the_cycle():
    """An answer that was under way does not bring it back."""
    circuit = noted(*[("app", REFUSED)] * 5, ("app", None), ("other", None))
    assert circuit.open
