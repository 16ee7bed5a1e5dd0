"""What this cycle learnt, merged with what was known: stale verdicts, stuck references, first seen."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from exporter.integrity.finding import Finding, Impact, Kind, Reason, Reference, Verdict
from exporter.integrity.graph import Breakage, RepositoryGraph, tags_by_root
from exporter.integrity.judge import INTACT, Judgement
from exporter.integrity.platforms import unoffered
from exporter.integrity.report import ErrorStreak, RepositoryReport
from exporter.integrity.rules import IgnoreRule, hide, shown
from exporter.integrity.walk import RepositoryWalk
from exporter.oci import Digest

STUCK_AFTER: Final = 3  # cycles

# Stands for the tag list itself, which is no reference but can answer an error like one.
_LISTING: Final = Reference(Kind.TAG)


def conclude(
    walk: RepositoryWalk,
    found: Mapping[Reference, Breakage],
    previous: RepositoryReport | None,
    now: datetime,
    ignore: Iterable[IgnoreRule] = (),
) -> RepositoryReport:
    """Report a repository that was walked to its end.

    A reference that answered an error keeps an earlier `broken` verdict, stale; a verdict below something
    that could not be resolved is kept too, until the tag is known to be gone. What `ignore` hides is neither
    stale nor stuck, and leaves nothing unverified.
    """
    graph = walk.graph
    previous = previous or RepositoryReport(walk.name, walked=False)
    earlier = {finding.reference: shown(finding) for finding in previous.findings}
    unasked = _unasked(walk, found)
    for reference in found.keys() & earlier.keys():
        _keep_tags(found[reference], earlier[reference], unasked)
    errors = _errors(walk, found, previous, earlier)
    findings = [
        _finding(walk.name, breakage, earlier.get(reference), now) for reference, breakage in found.items()
    ]
    findings += _kept(walk, found, earlier.values(), unasked)
    findings += _unoffered(walk, now)
    if walk.names is not INTACT:
        findings.append(_listing_finding(walk.name, walk.names, earlier.get(_LISTING), now))
    findings = hide(findings, ignore, now)
    hidden = _hidden(findings)
    # What is kept from earlier, and the tag list, are not among the checked.
    skipped = Counter(reference.kind for reference in hidden & found.keys())
    roots = len(graph.tags) + len(walk.scope.images)
    checked = {Kind.TAG: roots, **{kind: len(seen) for kind, seen in walk.seen.items()}}
    told = [finding for finding in findings if finding.verdict is not Verdict.SKIPPED]
    unverified = any(finding.verdict is Verdict.UNVERIFIED or finding.stale for finding in told)
    return RepositoryReport(
        walk.name,
        walked=True,
        tags=len(graph.tags),
        checked={kind: max(0, count - skipped[kind]) for kind, count in checked.items()},
        findings=tuple(sorted(findings, key=lambda finding: finding.order)),
        stale=sum(streak.kept for reference, streak in errors.items() if reference not in hidden)
        + sum(finding.stale and finding.reference not in errors for finding in told),
        stuck=_stuck(errors, hidden),
        ignored=len(hidden) + len(walk.unmirrored - walk.seen[Kind.CHILD]),
        last_verified=previous.last_verified if unverified else now,
        roots=_roots(graph, previous),
        errors=errors,
    )


def _roots(graph: RepositoryGraph, previous: RepositoryReport) -> Mapping[str, Digest]:
    roots = {**graph.kept_roots, **graph.roots}
    return previous.roots if roots == previous.roots else roots  # the same, so that both share one


def carry(
    name: str,
    previous: RepositoryReport | None,
    judgement: Judgement | None,
    now: datetime,
    ignore: Iterable[IgnoreRule] = (),
) -> RepositoryReport:
    """Report a repository that was not walked to its end: all it had is kept, stale.

    `judgement` says why; it is None where the registry as a whole is the reason, which is told elsewhere.
    """
    previous = previous or RepositoryReport(name, walked=False)
    findings = [
        replace(finding, stale=True)
        for finding in previous.findings
        if judgement is None or finding.reference != _LISTING
    ]
    errors = dict(previous.errors)
    if judgement is not None:
        earlier = next((shown(one) for one in previous.findings if one.reference == _LISTING), None)
        findings.append(_listing_finding(name, judgement, earlier, now))
        errors[_LISTING] = _longer(errors.get(_LISTING), judgement, known=False)
    findings = hide(findings, ignore, now)
    hidden, before = _hidden(findings), _hidden(previous.findings)
    newly = Counter(reference.kind for reference in hidden - before - {_LISTING})
    again = Counter(reference.kind for reference in before - hidden - {_LISTING})
    checked = {kind: max(0, count - newly[kind] + again[kind]) for kind, count in previous.checked.items()}
    return replace(
        previous,
        walked=False,
        checked=checked,
        findings=tuple(sorted(findings, key=lambda finding: finding.order)),
        stale=sum(checked.values()),
        stuck=_stuck(errors, hidden),
        ignored=previous.ignored + len(hidden) - len(before),
        errors=errors,
    )


def _errors(
    walk: RepositoryWalk,
    found: Mapping[Reference, Breakage],
    previous: RepositoryReport,
    earlier: Mapping[Reference, Finding],
) -> dict[Reference, ErrorStreak]:
    errors = {
        reference: _longer(
            previous.errors.get(reference),
            breakage.failure.judgement,
            known=breakage.known or (reference in earlier and earlier[reference].verdict is Verdict.BROKEN),
        )
        for reference, breakage in found.items()
        if breakage.failure.judgement.verdict is Verdict.UNVERIFIED
    }
    if walk.names is not INTACT:
        errors[_LISTING] = _longer(previous.errors.get(_LISTING), walk.names, known=False)
    return errors


def _longer(before: ErrorStreak | None, judgement: Judgement, *, known: bool) -> ErrorStreak:
    # What was not even asked has not answered an error.
    cycles = (before.cycles if before else 0) + int(judgement.asked)
    return ErrorStreak(cycles, before.kept if before else known)


def _hidden(findings: Iterable[Finding]) -> set[Reference]:
    return {finding.reference for finding in findings if finding.verdict is Verdict.SKIPPED}


def _stuck(errors: Mapping[Reference, ErrorStreak], hidden: set[Reference]) -> int:
    # What is hidden counts on, so that it is stuck at once when its rule has ended.
    return sum(
        streak.cycles >= STUCK_AFTER for reference, streak in errors.items() if reference not in hidden
    )


def _finding(repository: str, breakage: Breakage, before: Finding | None, now: datetime) -> Finding:
    judgement, descriptor = breakage.failure.judgement, breakage.descriptor
    if judgement.reason is None:
        raise AssertionError(f"a failure without a reason: {judgement}")
    impact = Impact.PULL if breakage.pulled_by else Impact.METADATA
    tags = tuple(sorted(breakage.pulled_by or breakage.described_by))
    if judgement.verdict is Verdict.UNVERIFIED and before is not None and before.verdict is Verdict.BROKEN:
        return replace(before, stale=True, impact=impact, tags=tags)
    platform = descriptor.platform if descriptor else None
    return Finding(
        verdict=judgement.verdict,
        reason=judgement.reason,
        impact=impact,
        stale=False,
        repository=repository,
        kind=breakage.reference.kind,
        digest=breakage.digest,
        media_type=descriptor.media_type if descriptor else None,
        size=descriptor.size if descriptor else None,
        platform=str(platform) if platform else None,
        tags=tags,
        detail=judgement.detail,
        first_seen=_first_seen(judgement, before, now),
    )


def _unasked(walk: RepositoryWalk, found: Mapping[Reference, Breakage]) -> set[str]:
    """The tags of which not everything that they lead to could be asked for."""
    graph = walk.graph
    unasked = set(graph.kept_roots)
    for breakage in found.values():
        unread = breakage.digest is None or breakage.digest not in graph.manifests
        is_manifest = breakage.reference.kind in {Kind.TAG, Kind.CHILD}
        if breakage.failure.judgement.verdict is Verdict.UNVERIFIED and is_manifest and unread:
            unasked |= breakage.tags
    return unasked


def _keep_tags(breakage: Breakage, before: Finding, unasked: set[str]) -> None:
    """Let a broken reference go on breaking the tags that may still lead to it."""
    if before.verdict is Verdict.BROKEN and before.kind is not Kind.TAG:
        needed_by = breakage.pulled_by if before.impact is Impact.PULL else breakage.described_by
        needed_by |= unasked.intersection(before.tags)


def _kept(
    walk: RepositoryWalk,
    found: Mapping[Reference, Breakage],
    earlier: Iterable[Finding],
    unasked: set[str],
) -> Iterator[Finding]:
    for finding in earlier:
        tags = tuple(tag for tag in finding.tags if tag in unasked)
        if finding.verdict is not Verdict.BROKEN or not tags:
            continue
        if finding.reference not in found and not walk.found_intact(finding.reference):
            yield replace(finding, stale=True, tags=tags)


def _unoffered(walk: RepositoryWalk, now: datetime) -> Iterator[Finding]:
    for platform in walk.scope.required_platforms:
        for root, tags in tags_by_root(walk.graph.roots).items():
            offers = unoffered(walk.graph, root, platform)
            if offers is not None:
                yield Finding(
                    verdict=Verdict.BROKEN,
                    reason=Reason.MISSING,
                    impact=Impact.PULL,
                    stale=False,
                    repository=walk.name,
                    kind=Kind.CHILD,
                    digest=None,
                    media_type=None,
                    size=None,
                    platform=platform,
                    tags=tuple(sorted(tags)),
                    detail=f"the index has no manifest for {platform}, only for {offers}",
                    first_seen=now,
                )


def _listing_finding(repository: str, judgement: Judgement, before: Finding | None, now: datetime) -> Finding:
    if judgement.reason is None:
        raise AssertionError(f"a failed listing without a reason: {judgement}")
    return Finding(
        verdict=Verdict.UNVERIFIED,
        reason=judgement.reason,
        impact=Impact.PULL,
        stale=False,
        repository=repository,
        kind=Kind.TAG,
        digest=None,
        media_type=None,
        size=None,
        platform=None,
        tags=(),
        detail=judgement.detail,
        first_seen=_first_seen(judgement, before, now),
    )


def _first_seen(judgement: Judgement, before: Finding | None, now: datetime) -> datetime:
    return before.first_seen if before is not None and before.verdict is judgement.verdict else now
