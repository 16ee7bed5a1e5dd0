"""One cycle of one registry: the catalog, every repository, and the report."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog

from exporter.integrity.confirm import confirm
from exporter.integrity.finding import Reason
from exporter.integrity.history import carry, conclude
from exporter.integrity.judge import INTACT, Judgement, left_alone, unverified
from exporter.integrity.manifests import ManifestCache
from exporter.integrity.options import CycleOptions
from exporter.integrity.proofs import BlobInquiry, DataProofs, RangeSupport
from exporter.integrity.report import Outcome, RegistryKind, Report, RepositoryReport
from exporter.integrity.rules import platform_rule_for
from exporter.integrity.walk import RepositoryWalk, WalkContext
from exporter.integrity.workers import Batch, Workers
from exporter.oci import InvalidValueError, check_repository, quoted
from exporter.registry import Circuit, Purpose, RegistryClient, RegistryError, Tally

_SUSPECT_SHARE: Final = 0.1
_MOST_INVALID_NAMES: Final = 20


@dataclass(frozen=True, slots=True)
class _Walked:
    """What one walk of the registry brought, before it is a report."""

    outcome: Outcome
    repositories: dict[str, RepositoryReport]
    trouble: str | None = None


class Cycle:
    """Walks one registry, again and again; remembers manifests in between.

    Only one run may be under way at a time.
    """

    def __init__(
        self, name: str, url: str, kind: RegistryKind, client: RegistryClient, options: CycleOptions
    ) -> None:
        self.name = name
        self._url = url
        self._kind = kind
        self._client = client
        self._options = options
        self._cache = ManifestCache(options.refetch_interval)
        self._ranges = RangeSupport(name, options.blob_check)

    async def run(self, previous: Report | None) -> Report:
        """Walk once; a result that looks like a storage outage is walked a second time before it is believed.

        `previous` is the last report, or None; without one no result is suspect.
        """
        report = await self._run(previous)
        doubt = suspicion(report, previous)
        if doubt is not None:
            structlog.get_logger().warning(
                "suspect cycle, repeated before it is believed",
                registry=self.name,
                why=doubt,
                delay_seconds=self._options.suspect_delay,
            )
            await asyncio.sleep(self._options.suspect_delay)
            report = await self._run(previous)
        return report

    async def _run(self, previous: Report | None) -> Report:
        loop = asyncio.get_running_loop()
        started_at, started = datetime.now(UTC), loop.time()
        tally = Tally()
        walked = await self._walk(tally, previous)
        finished_at = datetime.now(UTC)
        last_success = previous.last_success if previous is not None else None
        repositories_then = previous.repositories_at_success if previous is not None else None
        if walked.outcome is Outcome.COMPLETE:
            last_success, repositories_then = finished_at, len(walked.repositories)
        return Report(
            registry=self.name,
            url=self._url,
            kind=self._kind,
            outcome=walked.outcome,
            catalog_accessible=walked.outcome is not Outcome.FAILED,
            started_at=started_at,
            finished_at=finished_at,
            duration_seconds=loop.time() - started,
            requests=tally.walk,
            extra_requests=tally.extra,
            repositories=walked.repositories,
            last_success=last_success,
            repositories_at_success=repositories_then,
            trouble=walked.trouble,
            expired_rules=tuple(str(rule) for rule in self._options.ignore if rule.expired(finished_at)),
        )

    async def _walk(self, tally: Tally, previous: Report | None) -> _Walked:
        known = previous.repositories if previous is not None else {}
        context = WalkContext(
            self._client,
            self._cache,
            BlobInquiry(self._client, self._ranges, DataProofs()),
            tally,
            Circuit(),
        )
        try:
            listed = await self._repositories(context)
        except RegistryError as error:
            now = datetime.now(UTC)
            kept = {name: carry(name, report, None, now) for name, report in known.items()}
            return _Walked(Outcome.FAILED, kept, str(error))
        names, repositories = _sort(listed)
        if self._kind is RegistryKind.PULL_THROUGH and self._options.repositories is None:
            unwalked = {name: RepositoryReport(name, walked=True) for name in names}
            return _Walked(Outcome.COMPLETE, repositories | unwalked)
        workers = Workers(self._options.concurrency)

        async def open_repository(name: str) -> None:
            repositories[name] = await self._walk_repository(name, context, Batch(workers), known.get(name))

        openings: Iterable[Callable[[], Awaitable[None]]] = (partial(open_repository, name) for name in names)
        await workers.run(iter(openings))
        self._cache.keep_repositories(repositories)
        left = sorted(name for name in names if not repositories[name].walked)
        if not left:
            return _Walked(Outcome.COMPLETE, repositories)
        return _Walked(
            Outcome.INCOMPLETE,
            repositories,
            f"{len(left)} repositories were not walked, the first: {left[0]}",
        )

    async def _repositories(self, context: WalkContext) -> tuple[str, ...]:
        errand = context.errand(Purpose.WALK)
        if self._options.repositories is None:
            return await self._client.catalog(errand)
        await self._client.ping(errand)
        return self._options.repositories

    async def _walk_repository(
        self, name: str, context: WalkContext, batch: Batch, previous: RepositoryReport | None
    ) -> RepositoryReport:
        walk = RepositoryWalk(
            name,
            context,
            batch,
            previous.roots if previous is not None else {},
            platform_rule_for(name, self._options.platforms),
        )
        try:
            await walk.run()
            if walk.listing is INTACT:
                await confirm(walk, self._options.confirm_delay)
        except Exception as error:  # noqa: BLE001 - logged and reported
            # A fault of ours in one repository must not cost the others their walk.
            structlog.get_logger().exception("the walk failed", registry=self.name, repository=name)
            return _left(
                name, previous, unverified(Reason.PROTOCOL, f"the walk failed: {type(error).__name__}")
            )
        if walk.listing is not INTACT and not walk.graph.tags:
            return _left(name, previous, walk.listing)
        if context.circuit.open_for(name):
            return _left(name, previous, left_alone("answers stopped in the middle of its walk"))
        self._cache.keep(name, walk.met_manifests)
        return conclude(walk, previous, datetime.now(UTC), self._options.ignore)


def _sort(listed: Iterable[str]) -> tuple[list[str], dict[str, RepositoryReport]]:
    """Tell names that can be asked for from those that cannot; of the latter a few are reported."""
    names: list[str] = []
    invalid: dict[str, RepositoryReport] = {}
    for name in listed:
        try:
            names.append(check_repository(name))
        except InvalidValueError as error:
            if len(invalid) < _MOST_INVALID_NAMES:
                judgement = unverified(Reason.PROTOCOL, f"the catalog lists it, but {error}")
                report = carry(quoted(name), None, judgement, datetime.now(UTC))
                invalid[report.name] = replace(report, walked=True)
    return names, invalid


def _left(name: str, previous: RepositoryReport | None, judgement: Judgement) -> RepositoryReport:
    return carry(name, previous, judgement, datetime.now(UTC))


def suspicion(report: Report, previous: Report | None) -> str | None:
    """Tell why a report looks like a storage outage rather than like damage; None: it does not."""
    if previous is None or report.outcome is Outcome.FAILED:
        return None
    before, after = len(previous.repositories), len(report.repositories)
    if before and after * 2 <= before:
        return f"{after} repositories instead of {before}"
    known = {
        (name, finding.reference)
        for name, repository in previous.repositories.items()
        for finding in repository.broken()
    }
    newly_broken = sum(
        (name, finding.reference) not in known
        for name, repository in report.repositories.items()
        for finding in repository.broken()
    )
    checked = sum(report.checked.values())
    if newly_broken > checked * _SUSPECT_SHARE:
        return f"{newly_broken} of {checked} references are newly broken"
    return None
