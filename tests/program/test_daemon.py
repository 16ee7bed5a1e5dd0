"""Schedules on a clock that only the test moves; what is logged; and that nothing is left behind."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

import pytest
from structlog.testing import capture_logs

from exporter.daemon import Cycle, Daemon, LastReports, LoopClock, ScheduledCycle
from exporter.integrity.finding import Finding, Impact, Kind, Reason, Verdict
from exporter.integrity.report import Outcome, RegistryKind, Report, RepositoryReport
from exporter.oci import Digest
from tests.program.running import while_running

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GONE = Finding(
    verdict=Verdict.BROKEN,
    reason=Reason.MISSING,
    impact=Impact.PULL,
    stale=False,
    repository="app",
    kind=Kind.CHILD,
    digest=Digest("sha256:" + "c" * 64),
    media_type=None,
    size=None,
    platform="linux/amd64",
    tags=("latest",),
    detail="answered 404 MANIFEST_UNKNOWN",
    first_seen=NOON,
)
SLOW = replace(
    GONE,
    verdict=Verdict.UNVERIFIED,
    reason=Reason.TIMEOUT,
    kind=Kind.LAYER,
    digest=Digest("sha256:" + "1" * 64),
)


def report(registry: str, *findings: Finding, **fields: object) -> Report:
    """A complete cycle that found these in the repository `app`."""
    app = RepositoryReport("app", walked=True, tags=2, checked=dict.fromkeys(Kind, 0), findings=findings)
    usual = Report(
        registry=registry,
        url="https://registry.example",
        kind=RegistryKind.PRIVATE,
        outcome=Outcome.COMPLETE,
        catalog_accessible=True,
        started_at=NOON,
        finished_at=NOON,
        duration_seconds=8.1234,
        requests=20,
        extra_requests={},
        repositories={"app": app},
    )
    return replace(usual, **fields)


class FakeClock:
    """Time that stands still until `pass_until` moves it from one sleeper's moment to the next."""

    def __init__(self) -> None:
        self._now = 1000.0  # a loop's time does not begin at zero either
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        return self._now

    async def sleep_until(self, moment: float) -> None:
        if moment <= self._now:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (moment, next(self._order), future))
        await future

    async def pass_until(self, moment: float) -> None:
        await settle()
        while self._sleepers and self._sleepers[0][0] <= moment:
            self._now, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await settle()
        self._now = moment


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class ScriptedCycle:
    """Takes its durations from a list, of which the last one repeats, and notes when it began and ended."""

    clock: FakeClock
    registry: str
    durations: Sequence[float] = (0.0,)
    result: Callable[[Report | None], Report] | None = None
    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    previous: list[Report | None] = field(default_factory=list)
    under_way: int = 0

    async def run(self, previous: Report | None) -> Report:
        self.under_way += 1
        assert self.under_way == 1
        self.began.append(self.clock.now() - 1000)
        self.previous.append(previous)
        duration = self.durations[min(len(self.began), len(self.durations)) - 1]
        try:
            await self.clock.sleep_until(self.clock.now() + duration)
            return self.result(previous) if self.result else report(self.registry)
        finally:
            self.under_way -= 1
            self.ended.append(self.clock.now() - 1000)


class Watcher:
    """Notes what the daemon tells its observer."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []

    async def refresh(self) -> None:
        self.events.append(("refresh",))

    def cycle_ended(self, registry: str, outcome: Outcome) -> None:
        self.events.append((registry, outcome.value))

    def cycle_overran(self, registry: str) -> None:
        self.events.append((registry, "overran"))


class Running:
    """A daemon under way."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.reports = LastReports()
        self.watcher = Watcher()

    @asynccontextmanager
    async def daemon(self, *cycles: tuple[str, float, Cycle]) -> AsyncIterator[None]:
        """Run cycles (registry, interval, cycle) until the end of the block, and see that no task is left."""
        daemon = Daemon([ScheduledCycle(*cycle) for cycle in cycles], self.reports, self.watcher, self.clock)
        async with while_running(daemon):
            yield


@pytest.fixture
def running() -> Running:
    """A clock and what a daemon on it shows to the outside."""
    return Running(FakeClock())


async def test_registries_are_spread_over_the_interval(running: Running):
    """First cycles follow each other by ten seconds at most; then each registry keeps to its own grid."""
    cycles = [ScriptedCycle(running.clock, name, [5.0]) for name in ("a", "b", "c")]
    async with running.daemon(*((cycle.registry, 900.0, cycle) for cycle in cycles)):
        await running.clock.pass_until(1000 + 2000)
    assert [cycle.began for cycle in cycles] == [
        [0, 900, 1800],
        [10, 300, 1200],
        [20, 600, 1500],
    ]


async def test_short_intervals_are_spread_evenly_at_once(running: Running):
    """Where the grid is closer than ten seconds, the first cycles are on it already, once each."""
    cycles = [ScriptedCycle(running.clock, name) for name in ("a", "b", "c", "d")]
    async with running.daemon(*((cycle.registry, 20.0, cycle) for cycle in cycles)):
        await running.clock.pass_until(1000 + 45)
    assert [cycle.began for cycle in cycles] == [[0, 20, 40], [5, 25, 45], [10, 30], [15, 35]]


async def test_no_slot_is_used_twice_where_numbers_are_not_exact(running: Running):
    """Intervals that binary fractions cannot express make no cycle run twice, nor be left out."""
    cycles = [ScriptedCycle(running.clock, str(number)) for number in range(7)]
    async with running.daemon(*((cycle.registry, 0.7, cycle) for cycle in cycles)):
        await running.clock.pass_until(1000 + 69.65)
    for position, cycle in enumerate(cycles):
        assert cycle.began == pytest.approx([position * 0.1 + slot * 0.7 for slot in range(len(cycle.began))])
        assert len(cycle.began) in (99, 100)


async def test_each_registry_has_its_own_interval(running: Running):
    """A daemon may walk one registry every minute and another every hour."""
    often, seldom = ScriptedCycle(running.clock, "often"), ScriptedCycle(running.clock, "seldom")
    async with running.daemon(("often", 60.0, often), ("seldom", 3600.0, seldom)):
        await running.clock.pass_until(1000 + 1900)
    assert often.began == [60 * number for number in range(32)]
    assert seldom.began == [10, 1800]


async def test_overlong_cycle_is_followed_at_once_and_counted(running: Running):
    """Slots that passed meanwhile are made up for by one cycle, after which the grid is found again."""
    cycle = ScriptedCycle(running.clock, "a", [250.0, 10.0, 10.0])
    with capture_logs() as logs:
        async with running.daemon(("a", 100.0, cycle)):
            await running.clock.pass_until(1000 + 410)
    assert cycle.began == [0, 250, 300, 400]
    assert running.watcher.events.count(("a", "overran")) == 1
    (line,) = [line for line in logs if line["event"] == "cycle took longer than its interval"]
    assert (line["registry"], line["duration"], line["interval"]) == ("a", 250.0, 100.0)
    assert line["log_level"] == "warning"


async def test_cycle_of_exactly_its_interval_is_no_overrun(running: Running):
    """It ends as the next one is due."""
    cycle = ScriptedCycle(running.clock, "a", [100.0])
    async with running.daemon(("a", 100.0, cycle)):
        await running.clock.pass_until(1000 + 350)
    assert cycle.began == [0, 100, 200, 300]
    assert ("a", "overran") not in running.watcher.events


async def test_always_overlong_cycles_never_overlap(running: Running):
    """One follows the other without a pause, and never two run at once (the cycle itself would notice)."""
    cycle = ScriptedCycle(running.clock, "a", [150.0])
    async with running.daemon(("a", 100.0, cycle)):
        await running.clock.pass_until(1000 + 700)
    assert cycle.began == [0, 150, 300, 450, 600]
    assert running.watcher.events.count(("a", "overran")) == 4


async def test_slow_first_cycle_off_the_grid_is_no_overrun(running: Running):
    """The gap between a first cycle and its grid may be shorter than the interval."""
    first, second = ScriptedCycle(running.clock, "a"), ScriptedCycle(running.clock, "b", [60.0, 1.0])
    async with running.daemon(("a", 100.0, first), ("b", 100.0, second)):
        await running.clock.pass_until(1000 + 160)
    assert second.began == [10, 70, 150]
    assert ("b", "overran") not in running.watcher.events


def failing(*numbers: int) -> Callable[[ScriptedCycle], Report]:
    """The report of a cycle that fails each time that its number, the first being 1, is among these."""
    return lambda cycle: report(
        "a", outcome=Outcome.FAILED if len(cycle.began) in numbers else Outcome.COMPLETE
    )


def cycle_of(
    running: Running, durations: Sequence[float], result: Callable[[ScriptedCycle], Report]
) -> ScriptedCycle:
    """A cycle whose report depends on how many there were."""
    cycle = ScriptedCycle(running.clock, "a", durations, lambda _: result(cycle))
    return cycle


async def test_failed_cycle_is_followed_within_a_minute_until_one_does_not_fail(running: Running):
    """A restarted registry is noticed as back at once; then its cycles begin on the grid again."""
    cycle = cycle_of(running, [5.0], failing(2, 3, 4))
    async with running.daemon(("a", 900.0, cycle)):
        await running.clock.pass_until(1000 + 3000)
    assert cycle.began == [0, 900, 965, 1030, 1095, 1800, 2700]
    assert ("a", "overran") not in running.watcher.events


async def test_first_cycle_that_fails_is_followed_within_a_minute(running: Running):
    """Its registry's grid, which begins later, is none the later for it."""
    first, second = ScriptedCycle(running.clock, "other"), cycle_of(running, [2.0], failing(1, 2))
    async with running.daemon(("other", 900.0, first), ("a", 900.0, second)):
        await running.clock.pass_until(1000 + 1400)
    assert second.began == [10, 72, 134, 450, 1350]
    assert first.began == [0, 900]


async def test_slot_within_the_minute_is_not_waited_beyond(running: Running):
    """A failure delays no cycle: the next one begins in its slot, or at once where that has passed."""
    cycle = cycle_of(running, [50.0, 10.0, 40.0, 0.0], failing(1, 2, 3))
    async with running.daemon(("a", 100.0, cycle)):
        await running.clock.pass_until(1000 + 350)
    assert cycle.began == [0, 100, 170, 210, 300]


async def test_slot_at_the_very_end_of_the_minute_is_used_once(running: Running):
    """The cycle that begins then is the one of the slot."""
    cycle = cycle_of(running, [40.0, 0.0], failing(1))
    async with running.daemon(("a", 100.0, cycle)):
        await running.clock.pass_until(1000 + 150)
    assert cycle.began == [0, 100]


async def test_short_interval_is_kept_however_often_cycles_fail(running: Running):
    """Nothing is asked more often than every interval."""
    cycle = cycle_of(running, [1.0], failing(*range(1, 100)))
    async with running.daemon(("a", 20.0, cycle)):
        await running.clock.pass_until(1000 + 90)
    assert cycle.began == [0, 20, 40, 60, 80]


async def test_overlong_cycle_that_fails_is_followed_at_once_and_counted(running: Running):
    """The slot that passed counts, not the minute; the cycles between two slots overrun nothing."""
    cycle = cycle_of(running, [250.0, 10.0, 10.0], failing(1, 2))
    async with running.daemon(("a", 200.0, cycle)):
        await running.clock.pass_until(1000 + 650)
    assert cycle.began == [0, 250, 320, 400, 600]
    assert running.watcher.events.count(("a", "overran")) == 1


async def test_cycle_between_two_slots_that_takes_longer_is_no_overrun(running: Running):
    """The slot that passes meanwhile is made up for at once, and the grid is found again."""
    cycle = cycle_of(running, [100.0, 70.0, 1.0], failing(1))
    async with running.daemon(("a", 200.0, cycle)):
        await running.clock.pass_until(1000 + 450)
    assert cycle.began == [0, 160, 230, 400]
    assert ("a", "overran") not in running.watcher.events


async def test_incomplete_cycle_waits_for_its_slot(running: Running):
    """Its registry answered: there is no restart to wait out."""
    cycle = ScriptedCycle(running.clock, "a", result=lambda _: report("a", outcome=Outcome.INCOMPLETE))
    async with running.daemon(("a", 900.0, cycle)):
        await running.clock.pass_until(1000 + 1900)
    assert cycle.began == [0, 900, 1800]


async def test_last_report_is_replaced_and_handed_to_the_next_cycle(running: Running):
    """A cycle sees the report before it; readers see a mapping that never changes under them."""
    reports = iter([report("a", requests=1), report("a", requests=2)])
    cycle = ScriptedCycle(running.clock, "a", result=lambda _: next(reports))
    async with running.daemon(("a", 100.0, cycle)):
        empty = running.reports.snapshot
        await running.clock.pass_until(1000 + 50)
        first = running.reports.snapshot
        await running.clock.pass_until(1000 + 150)
    assert (dict(empty), first["a"].requests, running.reports.snapshot["a"].requests) == ({}, 1, 2)
    assert [seen and seen.requests for seen in cycle.previous] == [None, 1]
    assert running.watcher.events == [("refresh",), ("a", "complete")] * 2


def raise_error(_: Report | None) -> Report:
    raise ZeroDivisionError("a bug")


def leak_cancellation(_: Report | None) -> Report:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("fault", "event"),
    [
        (raise_error, "cycle raised an error, which is a bug"),
        (leak_cancellation, "cycle was canceled by itself"),
    ],
)
async def test_raising_cycle_is_logged_and_ends_nothing(
    running: Running, fault: Callable[[Report | None], Report], event: str
):
    """A bug counts as a failed cycle, and is followed like one; the last report stays, and others go on."""

    def result(previous: Report | None) -> Report:
        return fault(previous) if len(broken.began) == 2 else report("a", requests=len(broken.began))

    broken = ScriptedCycle(running.clock, "a", result=result)
    other = ScriptedCycle(running.clock, "b")
    with capture_logs() as logs:
        async with running.daemon(("a", 100.0, broken), ("b", 100.0, other)):
            await running.clock.pass_until(1000 + 120)
            assert running.reports.snapshot["a"].requests == 1
            await running.clock.pass_until(1000 + 270)
    assert broken.began == [0, 100, 160, 200]
    assert running.reports.snapshot["a"].requests == 4
    assert [what for what in running.watcher.events if what[0] == "a"] == [
        ("a", "complete"),
        ("a", "failed"),
        ("a", "complete"),
        ("a", "complete"),
    ]
    assert len(other.began) == 4
    (line,) = [line for line in logs if line["event"] == event]
    assert (line["registry"], line["log_level"]) == ("a", "error")
    assert line["exc_info"]


async def test_stop_cancels_cycles_under_way(running: Running):
    """Stopping ends a cycle in the middle and one that waits; neither counts as ended."""
    walking, waiting = ScriptedCycle(running.clock, "a", [1e9]), ScriptedCycle(running.clock, "b")
    async with running.daemon(("a", 100.0, walking), ("b", 100.0, waiting)):
        await running.clock.pass_until(1000 + 5)
        assert walking.under_way == 1
    assert walking.under_way == 0
    assert walking.ended == [5]
    assert waiting.began == []
    assert running.watcher.events == []


async def test_stop_waits_for_a_cycle_to_clean_up(running: Running):
    """`run` does not return before a canceled cycle has put its things away."""
    cleaned = False

    class Tidy:
        async def run(self, previous: Report | None) -> Report:
            nonlocal cleaned
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await asyncio.sleep(0.01)
                cleaned = True
            raise AssertionError(previous)

    async with running.daemon(("a", 100.0, Tidy())):
        await running.clock.pass_until(1000)
    assert cleaned


async def test_cancellation_of_the_daemon_itself_leaves_nothing(running: Running):
    """Whoever cancels `run` gets the cancellation back, after all cycles have ended."""
    before = asyncio.all_tasks()
    cycle = ScriptedCycle(running.clock, "a", [1e9])
    daemon = Daemon([ScheduledCycle("a", 100.0, cycle)], running.reports, running.watcher, running.clock)
    task = asyncio.create_task(daemon.run(asyncio.Event()))
    await running.clock.pass_until(1000 + 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cycle.under_way == 0
    assert asyncio.all_tasks() == before


async def logged(running: Running, *reports: Report) -> list[list[dict[str, object]]]:
    """What each of these cycles, one after the other, leaves in the log."""
    results = iter(reports)
    lines: list[list[dict[str, object]]] = []
    async with running.daemon(
        ("a", 100.0, ScriptedCycle(running.clock, "a", result=lambda _: next(results)))
    ):
        for number in range(len(reports)):
            with capture_logs() as logs:
                await running.clock.pass_until(1000 + 100 * number + 50)
            lines.append([dict(line) for line in logs])
    return lines


async def test_one_line_for_each_cycle(running: Running):
    """It says how far the cycle came and what it found; and, unless it is complete, why, as a warning."""
    complete, failed = await logged(
        running,
        report("a"),
        report("a", outcome=Outcome.FAILED, trouble="the catalog timed out", requests=1),
    )
    expected = {
        "event": "cycle ended",
        "log_level": "info",
        "registry": "a",
        "outcome": "complete",
        "duration": 8.123,
        "repositories": 1,
        "tags": 2,
        "broken": 0,
        "unverified": 0,
        "ignored": 0,
        "requests": 20,
    }
    assert complete == [expected]
    assert failed == [
        expected
        | {"log_level": "warning", "outcome": "failed", "requests": 1, "trouble": "the catalog timed out"}
    ]


async def test_one_line_for_each_new_finding_and_each_healed_one(running: Running):
    """What was known before is not told again, stale or not; another verdict on a reference is news."""
    first, stale, turned, healed = await logged(
        running,
        report("a", GONE, SLOW),
        report("a", replace(GONE, stale=True), replace(SLOW, detail="another timeout")),
        report("a", GONE, replace(SLOW, verdict=Verdict.BROKEN, reason=Reason.TRUNCATED)),
        report("a", GONE),
    )
    assert [(line["event"], line.get("digest")) for line in first] == [
        ("cycle ended", None),
        ("broken reference found", GONE.digest),
        ("unverified reference found", SLOW.digest),
    ]
    assert (first[0]["broken"], first[0]["unverified"]) == (1, 1)
    assert first[1] == {
        "event": "broken reference found",
        "log_level": "warning",
        "registry": "a",
        "repository": "app",
        "kind": "child",
        "tags": ["latest"],
        "digest": GONE.digest,
        "platform": "linux/amd64",
        "reason": "missing",
        "impact": "pull",
        "detail": "answered 404 MANIFEST_UNKNOWN",
    }
    assert [line["event"] for line in stale] == ["cycle ended"]
    assert [line["event"] for line in turned] == ["cycle ended", "broken reference found"]
    assert healed[1:] == [
        {
            "event": "broken reference healed",
            "log_level": "info",
            "registry": "a",
            "repository": "app",
            "kind": "layer",
            "tags": ["latest"],
            "digest": SLOW.digest,
            "platform": "linux/amd64",
            "first_seen": "2026-03-01T12:00:00+00:00",
        }
    ]


async def test_what_is_ignored_is_neither_found_nor_healed(running: Running):
    """A rule hides a finding without a word; when it ends, the finding is news, and so is its healing."""
    skipped = replace(GONE, verdict=Verdict.SKIPPED)
    lines = await logged(
        running,
        report("a", skipped),
        report("a", skipped),
        report("a", GONE),
        report("a", skipped),
        report("a"),
        report("a", GONE),
        report("a"),
    )
    assert [[line["event"] for line in cycle[1:]] for cycle in lines] == [
        [],
        [],
        ["broken reference found"],
        [],
        [],
        ["broken reference found"],
        ["broken reference healed"],
    ]
    assert {cycle[0]["broken"] for cycle in lines[:2]} == {0}


async def test_what_rules_and_platforms_hide_is_counted(running: Running):
    """The line of a cycle says how many references are not told."""
    cycle = report("a")
    hiding = {name: replace(found, ignored=3) for name, found in cycle.repositories.items()}
    ((line,),) = await logged(running, replace(cycle, repositories=hiding))
    assert line["ignored"] == 3 * len(hiding)


async def test_an_expired_rule_is_said_once_a_cycle(running: Running):
    """Each that hides nothing any more is named in every cycle, until somebody removes it."""
    rules = ("team/*:v1 until 2026-01-01", "*:old-* missing until 2026-02-01")
    lines = await logged(running, report("a", expired_rules=rules), report("a", expired_rules=rules[:1]))
    assert [cycle[1:] for cycle in lines] == [
        [
            {"event": "ignore rule has expired", "log_level": "warning", "registry": "a", "rule": rule}
            for rule in expired
        ]
        for expired in (rules, rules[:1])
    ]


async def test_loop_clock_follows_the_loop():
    """The real clock waits until the moment, and not at all for one that has passed."""
    clock = LoopClock()
    began = clock.now()
    await clock.sleep_until(began - 5)
    await clock.sleep_until(began + 0.02)
    assert clock.now() - began > 0.019
    assert asyncio.get_running_loop().time() - clock.now() < 1
