"""The daemon: each registry walked on its own schedule, its last report kept for whoever reads it."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from math import floor
from types import MappingProxyType
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from exporter.integrity.finding import Finding, Reference, Verdict
from exporter.integrity.report import Outcome, Report

_LONGEST_STAGGER = 10.0  # seconds between the first cycles of two registries
_LONGEST_WAIT_AFTER_FAILURE = 60.0  # seconds from the end of a failed cycle to the next one

_log: FilteringBoundLogger = structlog.get_logger()


class Cycle(Protocol):
    """One registry's cycle."""

    async def run(self, previous: Report | None) -> Report:
        """Walk the registry once; `previous` is the report of its last cycle."""


@dataclass(frozen=True, slots=True, eq=False)
class ScheduledCycle:
    """A registry's name, its cycle, and how often it shall run; `interval` in seconds.

    `resources` is what the cycle needs and the daemon closes after its last run, such as connections.
    """

    name: str
    interval: float
    cycle: Cycle
    resources: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)


class LastReports:
    """The last report of each registry that has one."""

    def __init__(self) -> None:
        self._reports: Mapping[str, Report] = MappingProxyType({})

    @property
    def snapshot(self) -> Mapping[str, Report]:
        """The reports by registry. The mapping never changes: another report makes another mapping."""
        return self._reports

    def replace(self, report: Report) -> None:
        """Make this the last report of its registry."""
        self._reports = MappingProxyType({**self._reports, report.registry: report})

    def keep(self, registries: Collection[str]) -> None:
        """Forget the reports of all other registries."""
        kept = {name: report for name, report in self._reports.items() if name in registries}
        self._reports = MappingProxyType(kept)


class CycleObserver(Protocol):
    """Something that is told how the cycles go, such as metrics."""

    async def refresh(self) -> None:
        """Take note that a report was replaced."""

    def cycle_ended(self, registry: str, outcome: Outcome) -> None:
        """Take note that a cycle ended; one that a bug ended counts as failed."""

    def cycle_overran(self, registry: str) -> None:
        """Take note that a cycle took longer than its interval."""


class Clock(Protocol):
    """What the daemon knows of time; moments are seconds since an arbitrary one."""

    def now(self) -> float:
        """Tell the present moment."""

    async def sleep_until(self, moment: float) -> None:
        """Return at the moment, at once where it has passed."""


class LoopClock:
    """The clock of the running event loop."""

    def now(self) -> float:
        """Tell the present moment."""
        return asyncio.get_running_loop().time()

    async def sleep_until(self, moment: float) -> None:
        """Return at the moment, at once where it has passed."""
        await asyncio.sleep(max(0.0, moment - self.now()))


@dataclass(frozen=True, slots=True)
class _Schedule:
    """When a registry's cycles begin: soon after the start, then on a grid of its own.

    The grids of all registries are spread over the interval, so that a daemon's load is even. The first
    cycles do not wait for theirs: nobody wants to wait an interval to learn what is broken. Nor do
    those after a cycle that failed.
    """

    first: float
    origin: float
    interval: float

    @classmethod
    def of(cls, start: float, position: int, count: int, interval: float) -> "_Schedule":
        """Give one of `count` registries its schedule."""
        step = interval / count
        return cls(start + position * min(step, _LONGEST_STAGGER), start + position * step, interval)

    def slot(self, moment: float) -> int:
        """Tell which slot of the grid has begun last; -1 is the one before the first."""
        return floor((moment - self.origin) / self.interval)

    def moment(self, slot: int) -> float:
        """Tell when a slot begins."""
        return self.origin + slot * self.interval


class Daemon:
    """Runs the cycles of all registries, each on its own schedule, never two of one registry at once."""

    def __init__(
        self,
        cycles: Sequence[ScheduledCycle],
        reports: LastReports,
        observer: CycleObserver,
        clock: Clock | None = None,
    ) -> None:
        self._waiting = tuple(cycles)
        self._running: dict[ScheduledCycle, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stopped = False
        self._reports = reports
        self._observer = observer
        self._clock = clock if clock is not None else LoopClock()

    async def run(self, stop: asyncio.Event) -> None:
        """Run cycles until `stop` is set, then cancel those under way and return when all have ended.

        A cycle that raises is logged and counted as failed; neither its registry's later cycles nor
        another registry's suffer.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self.start(self._waiting)
                await stop.wait()
                for task in self._running.values():
                    task.cancel()
        finally:
            self._group, self._stopped = None, True
            await _close(self._running)

    async def start(self, cycles: Sequence[ScheduledCycle]) -> None:
        """Run these too, from now on; they begin soon."""
        if self._stopped:
            await _close(cycles)
            return
        if self._group is None:
            self._waiting = (*self._waiting, *cycles)
            return
        start = self._clock.now()
        for position, scheduled in enumerate(cycles):
            schedule = _Schedule.of(start, position, len(cycles), scheduled.interval)
            self._running[scheduled] = self._group.create_task(
                self._keep_running(scheduled, schedule), name=f"cycles of {scheduled.name}"
            )

    async def stop_others(self, cycles: Collection[ScheduledCycle]) -> None:
        """Cancel all cycles but these, and return when they have ended and their resources are closed."""
        ending = {one: task for one, task in self._running.items() if one not in cycles}
        for task in ending.values():
            task.cancel()
        if ending:
            await asyncio.wait(ending.values())
        self._running = {one: task for one, task in self._running.items() if one not in ending}
        await _close(ending)

    async def _keep_running(self, scheduled: ScheduledCycle, schedule: _Schedule) -> None:
        await self._clock.sleep_until(schedule.first)
        slot = schedule.slot(schedule.first)
        while True:
            outcome = await self._run_once(scheduled)
            ended = self._clock.now()
            # Slots that passed during the cycle are made up for by one cycle, at once.
            following = max(slot + 1, schedule.slot(ended))
            again = ended + _LONGEST_WAIT_AFTER_FAILURE
            if outcome is Outcome.FAILED and again < schedule.moment(following):
                # Between two slots: a registry that was only restarted is soon known to be back.
                await self._clock.sleep_until(again)
            else:
                slot = following
                await self._clock.sleep_until(schedule.moment(slot))

    async def _run_once(self, scheduled: ScheduledCycle) -> Outcome:
        began = self._clock.now()
        outcome = Outcome.FAILED
        try:
            outcome = await self._walk(scheduled)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody asked for it: a library leaked it. Passed on, it would end this registry's task silently.
            _log.exception("cycle was canceled by itself", registry=scheduled.name)
        except Exception:  # noqa: BLE001 - a bug in one registry's cycle must not end all the others
            _log.exception("cycle raised an error, which is a bug", registry=scheduled.name)
        self._observer.cycle_ended(scheduled.name, outcome)
        duration = self._clock.now() - began
        if duration > scheduled.interval:
            self._observer.cycle_overran(scheduled.name)
            _log.warning(
                "cycle took longer than its interval",
                registry=scheduled.name,
                duration=round(duration, 3),
                interval=scheduled.interval,
            )
        return outcome

    async def _walk(self, scheduled: ScheduledCycle) -> Outcome:
        previous = self._reports.snapshot.get(scheduled.name)
        report = await scheduled.cycle.run(previous)
        self._reports.replace(report)
        _log_cycle(report)
        log_expired_rules(report)
        _log_changes(report, previous)
        await self._observer.refresh()
        return report.outcome


async def _close(cycles: Iterable[ScheduledCycle]) -> None:
    for scheduled in cycles:
        await scheduled.resources.aclose()


def _log_cycle(report: Report) -> None:
    verdicts = [finding.verdict for finding in report.findings()]
    fields: dict[str, object] = {
        "registry": report.registry,
        "outcome": report.outcome.value,
        "duration": round(report.duration_seconds, 3),
        "repositories": len(report.repositories),
        "tags": report.tags,
        "broken": verdicts.count(Verdict.BROKEN),
        "unverified": verdicts.count(Verdict.UNVERIFIED),
        "ignored": sum(repository.ignored for repository in report.repositories.values()),
        "requests": report.requests,
    }
    if report.outcome is Outcome.COMPLETE:
        _log.info("cycle ended", **fields)
    else:
        _log.warning("cycle ended", **fields, trouble=report.trouble)


def log_expired_rules(report: Report) -> None:
    """Warn of each ignore rule whose day has passed: what it hid is told again."""
    for rule in report.expired_rules:
        _log.warning("ignore rule has expired", registry=report.registry, rule=rule)


def _log_changes(report: Report, previous: Report | None) -> None:
    before = dict(_identified(previous)) if previous is not None else {}
    now = dict(_identified(report))
    for identity, finding in now.items():
        known = identity in before and before[identity].verdict is finding.verdict
        if not known and finding.verdict is not Verdict.SKIPPED:
            _log.warning(
                f"{finding.verdict.value} reference found",
                **_described(report, finding),
                reason=finding.reason.value,
                impact=finding.impact.value,
                detail=finding.detail,
            )
    for identity, finding in before.items():
        if identity not in now and finding.verdict is not Verdict.SKIPPED:
            there = finding.repository in report.repositories
            _log.info(
                f"{finding.verdict.value} reference {'healed' if there else 'gone with its repository'}",
                **_described(report, finding),
                first_seen=finding.first_seen.isoformat(),
            )


def _identified(report: Report) -> Iterator[tuple[tuple[str, Reference], Finding]]:
    return (((finding.repository, finding.reference), finding) for finding in report.findings())


def _described(report: Report, finding: Finding) -> dict[str, object]:
    return {
        "registry": report.registry,
        "repository": finding.repository,
        "kind": finding.kind.value,
        "tags": list(finding.tags),
        "digest": finding.digest,
        "platform": finding.platform,
    }
