"""One cycle of one registry: the catalog, every repository, and the report."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias

import structlog

from exporter.integrity.confirm import confirm
from exporter.integrity.content import WholeBlobInquiry
from exporter.integrity.finding import Kind, Reason, Verdict
from exporter.integrity.graph import breakages
from exporter.integrity.history import carry, conclude
from exporter.integrity.judge import INTACT, Judgement, left_alone, unverified
from exporter.integrity.manifests import ManifestCache
from exporter.integrity.options import (
    CycleOptions,
    ImageByDigest,
    ImageByTag,
    RepositoryOverride,
    Scope,
    override_for,
)
from exporter.integrity.progress import CycleProgress
from exporter.integrity.proofs import BlobInquiry, DataProofs, RangeSupport
from exporter.integrity.report import Outcome, RegistryKind, Report, RepositoryReport
from exporter.integrity.rules import IgnoreRule, platform_rule_for
from exporter.integrity.walk import DigestHeaders, RepositoryWalk, WalkContext
from exporter.integrity.workers import Batch, Workers
from exporter.oci import Digest, InvalidValueError, check_repository, quoted
from exporter.registry import Circuit, Deadline, Errand, Purpose, RegistryClient, RegistryError, Tally

_CONFIRMING: Final = 5.0  # seconds that asking again takes, beside the delay before it
_SUSPECT_SHARE: Final = 0.1
_MOST_INVALID_NAMES: Final = 20
_UNREACHED: Final = frozenset({Reason.CONNECTION, Reason.TIMEOUT})
# Is told of each repository that was walked to its end, and of what was found there.
NoticeWalk: TypeAlias = Callable[[RepositoryWalk, RepositoryReport], None]


@dataclass(frozen=True, slots=True)
class _Walked:
    """What one walk of the registry brought, before it is a report."""

    outcome: Outcome
    repositories: dict[str, RepositoryReport]
    trouble: str | None = None


class Cycle:
    """Walks one registry, again and again; remembers manifests in between.

    Only one run may be under way at a time; `progress` is that of the last walk that began.
    """

    def __init__(
        self,
        name: str,
        url: str,
        kind: RegistryKind,
        client: RegistryClient,
        options: CycleOptions,
        *,
        notice_walk: NoticeWalk | None = None,
    ) -> None:
        self.name = name
        self.progress = CycleProgress()
        self._notice_walk = notice_walk
        self._url = url
        self._kind = kind
        self._client = client
        self._options = options
        self._cache = ManifestCache(options.refetch_interval, options.manifest_cache_size)
        # Kept from cycle to cycle, for the registry and for each override that has a way of its own.
        self._ranges: dict[RepositoryOverride | None, RangeSupport] = {
            None: RangeSupport(name, options.blob_check),
            **{
                override: RangeSupport(name, override.blob_check)
                for override in options.overrides
                if override.blob_check is not None
            },
        }
        self._cache_noticed = False
        self._refused_mentioned = False
        self._digest_headers = DigestHeaders()

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
        if report.outcome is not Outcome.FAILED:
            await self._cache.keep_repositories(report.repositories)
        return replace(report, manifests_remembered=self._cache.taken)

    async def _run(self, previous: Report | None) -> Report:
        loop = asyncio.get_running_loop()
        started_at, started = datetime.now(UTC), loop.time()
        tally, refused_before = Tally(), self._cache.refused
        walked = await self._walk(tally, previous)
        refused = self._cache.refused - refused_before
        self._mention_refused(refused)
        finished_at = datetime.now(UTC)
        last_success = previous.last_success if previous is not None else None
        repositories_then = previous.repositories_at_success if previous is not None else None
        if walked.outcome is Outcome.COMPLETE:
            last_success, repositories_then = finished_at, self._present(walked.repositories)
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
            manifests_refused=refused,
        )

    async def _walk(self, tally: Tally, previous: Report | None) -> _Walked:
        known = previous.repositories if previous is not None else {}
        self.progress = CycleProgress()
        self._digest_headers.begin_cycle()
        self._cache.begin()
        context = WalkContext(
            self._client,
            self._cache,
            self._inquiry(None, DataProofs()),
            Errand(
                Purpose.WALK,
                tally,
                Circuit(),
                None if self._cache_noticed else self._notice_cache,
                self._deadline(),
            ),
            self._digest_headers,
        )
        try:
            listed = await self._repositories(context)
        except RegistryError as error:
            now = datetime.now(UTC)
            kept = {
                name: carry(name, report, None, now, self._options.ignore) for name, report in known.items()
            }
            return _Walked(Outcome.FAILED, kept, str(error))
        names, repositories = _sort(listed, known, self._options.ignore)
        scopes = self._scopes(names)
        repositories |= {name: RepositoryReport(name, walked=True) for name in names if name not in scopes}
        workers = Workers(self._options.concurrency, self.progress)
        self.progress.repositories = len(scopes)

        async def open_repository(name: str) -> None:
            repositories[name] = await self._walk_repository(
                name, scopes[name], self._context_for(name, context), Batch(workers), known.get(name)
            )
            self.progress.repositories_done += 1

        openings: Iterable[Callable[[], Awaitable[None]]] = (
            partial(open_repository, name) for name in scopes
        )
        await workers.run(iter(openings))
        self._mention_empty(scopes, repositories)
        unreached = _unreached(repositories) if self._options.only is not None else None
        if unreached is not None:
            return _Walked(Outcome.FAILED, repositories, unreached)
        left = sorted(name for name in scopes if not repositories[name].walked)
        if context.walking.deadline is not None and context.walking.deadline.missed:
            trouble = "the deadline came before everything was asked"
            return _Walked(Outcome.INCOMPLETE, repositories, trouble)
        if not left:
            return _Walked(Outcome.COMPLETE, repositories)
        return _Walked(
            Outcome.INCOMPLETE,
            repositories,
            f"{len(left)} repositories were not walked, the first: {left[0]}",
        )

    def _deadline(self) -> Deadline | None:
        """Tell when asking ends; there is time left then to confirm what was found broken."""
        if self._options.deadline is None:
            return None
        end = asyncio.get_running_loop().time() + self._options.deadline
        reserve = self._options.confirm_delay + _CONFIRMING
        return Deadline(end - min(reserve, self._options.deadline / 2), end)

    def _present(self, repositories: Mapping[str, RepositoryReport]) -> int:
        """How many repositories there are: a configured one counts only when the registry has a tag of it."""
        if self._options.repositories is None:
            return len(repositories)
        return _with_tags(repositories)

    async def _repositories(self, context: WalkContext) -> tuple[str, ...]:
        errand = context.errand(Purpose.WALK)
        if self._options.only is not None:
            return ()
        if self._options.repositories is None:
            listed = await self._client.catalog(errand)
            names = tuple(filter(self._options.repository_filter.accepts, listed))
        else:
            await self._client.ping(errand)
            names = self._options.repositories
        return tuple(filter(self._options.holds, names))

    def _scopes(self, listed: Iterable[str]) -> dict[str, Scope]:
        """Tell what of which repository is walked; a cache's repositories only where they are named."""
        if self._options.only is not None:
            return self._named_scopes(self._options.only)
        named = self._options.repositories is not None
        chosen = dict.fromkeys(name for name in listed if named or not self._is_cache(name))
        images: dict[str, tuple[Digest, ...]] = {}
        for image in self._options.images:
            if not self._options.holds(image.repository):
                continue
            images[image.repository] = (*images.get(image.repository, ()), image.digest)
        return {
            name: Scope(
                lists_tags=name in chosen,
                tags=self._options.tags,
                images=images.get(name, ()),
                platforms=platform_rule_for(name, self._options.platforms),
            )
            for name in (*chosen, *sorted(images.keys() - chosen.keys()))
        }

    def _named_scopes(self, images: Iterable[ImageByTag | ImageByDigest]) -> dict[str, Scope]:
        named: dict[str, list[ImageByTag | ImageByDigest]] = {}
        for image in dict.fromkeys(images):
            named.setdefault(image.repository, []).append(image)
        return {
            name: Scope(
                lists_tags=False,
                named_tags=tuple(image.tag for image in its if isinstance(image, ImageByTag)),
                images=tuple(image.digest for image in its if isinstance(image, ImageByDigest)),
                platforms=platform_rule_for(name, self._options.platforms),
                required_platforms=self._options.required_platforms,
            )
            for name, its in named.items()
        }

    def _mention_refused(self, number: int) -> None:
        if number and not self._refused_mentioned:
            structlog.get_logger().warning(
                "no room to remember all manifests: those left out are fetched in every cycle",
                registry=self.name,
                number=number,
                manifest_cache_size=self._options.manifest_cache_size,
            )
        self._refused_mentioned = number > 0

    def _mention_empty(
        self, scopes: Mapping[str, Scope], repositories: Mapping[str, RepositoryReport]
    ) -> None:
        if self._options.repositories is None:
            return
        empty = [
            name
            for name, scope in scopes.items()
            if scope.lists_tags and repositories[name].walked and not repositories[name].tags
        ]
        if empty:
            structlog.get_logger().warning(
                "configured repositories have no tag: misspelt, empty, or their storage is gone",
                registry=self.name,
                number=len(empty),
                first=empty[0],
            )

    def _is_cache(self, name: str) -> bool:
        override = override_for(name, self._options.overrides)
        kind = override.kind if override is not None else None
        return (kind or self._kind) is RegistryKind.PULL_THROUGH

    def _context_for(self, name: str, context: WalkContext) -> WalkContext:
        override = override_for(name, self._options.overrides)
        if override is None or override not in self._ranges:
            return context
        return replace(context, blobs=self._inquiry(override, context.blobs.proofs))

    def _inquiry(self, override: RepositoryOverride | None, proofs: DataProofs) -> BlobInquiry:
        if self._options.full:
            return WholeBlobInquiry(self._client, self._ranges[override], proofs, self.progress)
        return BlobInquiry(self._client, self._ranges[override], proofs)

    def _notice_cache(self, repository: str, sign: str) -> None:
        if self._cache_noticed or self._is_cache(repository):
            return
        self._cache_noticed = True
        structlog.get_logger().warning(
            "a pull-through cache by its looks, which downloads what it is asked for: see kind: pull-through",
            registry=self.name,
            repository=repository,
            sign=sign,
        )

    async def _walk_repository(
        self,
        name: str,
        scope: Scope,
        context: WalkContext,
        batch: Batch,
        previous: RepositoryReport | None,
    ) -> RepositoryReport:
        try:
            return await self._report_repository(name, scope, context, batch, previous)
        except Exception as error:  # noqa: BLE001 - logged and reported
            # A fault of ours in one repository must not cost the others their walk.
            structlog.get_logger().exception("the walk failed", registry=self.name, repository=name)
            return self._left(
                name, previous, unverified(Reason.PROTOCOL, f"the walk failed: {type(error).__name__}")
            )

    async def _report_repository(
        self,
        name: str,
        scope: Scope,
        context: WalkContext,
        batch: Batch,
        previous: RepositoryReport | None,
    ) -> RepositoryReport:
        roots = previous.roots if previous is not None else {}
        walk = RepositoryWalk(name, context, batch, roots, scope)
        await walk.run()
        if walk.listing is INTACT:
            await confirm(walk, self._options.confirm_delay, context.walking.deadline)
        if walk.listing is not INTACT and not walk.graph.tags:
            return self._left(name, previous, walk.listing)
        # What is named is told of one by one; there is nothing else to keep.
        if context.walking.circuit.open_for(name) and self._options.only is None:
            return self._left(
                name,
                previous,
                left_alone(
                    "answers stopped in the middle of its walk",
                    rate_limited=context.walking.circuit.exhausted,
                ),
            )
        self._cache.keep(name, walk.met_manifests)
        found = await breakages(walk.graph)
        report = conclude(walk, found, previous, datetime.now(UTC), self._options.ignore)
        if self._notice_walk is not None:
            self._notice_walk(walk, report)
        return report

    def _left(self, name: str, previous: RepositoryReport | None, judgement: Judgement) -> RepositoryReport:
        return carry(name, previous, judgement, datetime.now(UTC), self._options.ignore)


def _sort(
    listed: Iterable[str], known: Mapping[str, RepositoryReport], ignore: Iterable[IgnoreRule]
) -> tuple[list[str], dict[str, RepositoryReport]]:
    """Tell names that can be asked for from those that cannot; of the latter a few are reported."""
    names: list[str] = []
    invalid: dict[str, RepositoryReport] = {}
    unnamable = 0
    for name in listed:
        try:
            names.append(check_repository(name))
        except InvalidValueError as error:
            if len(invalid) < _MOST_INVALID_NAMES:
                judgement = unverified(Reason.PROTOCOL, f"the catalog lists it, but {error}")
                shown = quoted(name)
                report = carry(shown, known.get(shown), judgement, datetime.now(UTC), ignore)
                invalid[shown] = replace(report, walked=True)
            unnamable += 1
    if unnamable > len(invalid):
        structlog.get_logger().warning(
            "the catalog lists more names that are no repositories than are reported", number=unnamable
        )
    return names, invalid


def _unreached(repositories: Mapping[str, RepositoryReport]) -> str | None:
    """Tell why a registry gave no answer at all, where that is so."""
    findings = [finding for repository in repositories.values() for finding in repository.findings]
    roots = sum(repository.checked[Kind.TAG] for repository in repositories.values())
    silent = all(finding.kind is Kind.TAG and finding.reason in _UNREACHED for finding in findings)
    if not findings or not silent or len(findings) < roots:
        return None
    return min(findings, key=lambda finding: finding.order).detail


def _with_tags(repositories: Mapping[str, RepositoryReport]) -> int:
    return sum(repository.tags > 0 for repository in repositories.values())


def suspicion(report: Report, previous: Report | None) -> str | None:
    """Tell why a report looks like a storage outage rather than like damage; None: it does not."""
    if previous is None or report.outcome is Outcome.FAILED:
        return None
    if previous.outcome is Outcome.FAILED and not previous.repositories:  # it has told nothing yet
        return None
    before, after = len(previous.repositories), len(report.repositories)
    if before and after * 2 <= before:
        return f"{after} repositories instead of {before}"
    # A configured list stays as long as it was, and a catalog may come from a database.
    before, after = _with_tags(previous.repositories), _with_tags(report.repositories)
    if before and after * 2 <= before:
        return f"{after} repositories with tags instead of {before}"
    known = {
        (name, finding.reference)
        for name, repository in previous.repositories.items()
        for finding in repository.findings
        if finding.reason.verdict is Verdict.BROKEN  # hidden or not
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
