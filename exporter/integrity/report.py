"""The immutable result of a cycle."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from exporter.integrity.finding import Finding, Impact, Kind, Reference, Verdict
from exporter.oci import Digest
from exporter.registry import Purpose


class RegistryKind(StrEnum):
    """What stands behind a registry's endpoint."""

    PRIVATE = "private"
    PULL_THROUGH = "pull-through"  # asking for what it has not cached makes it download


class Outcome(StrEnum):
    """How far a cycle came."""

    COMPLETE = "complete"  # the catalog was read whole, every repository walked to its end
    INCOMPLETE = "incomplete"
    FAILED = "failed"  # the catalog could not be read


class PerRepository(StrEnum):
    """Which repositories of a report are told one by one; the others only all together."""

    ALL = "all"
    BROKEN = "broken"  # those of which something is broken, unverified, stale or stuck
    NONE = "none"

    def tells(self, repository: "RepositoryReport") -> bool:
        """Whether a repository is told by itself."""
        return self is PerRepository.ALL or (self is PerRepository.BROKEN and repository.troubled)


@dataclass(frozen=True, slots=True)
class ErrorStreak:
    """For how many cycles running a reference has answered an error, and whether it has an older verdict."""

    cycles: int
    kept: bool


@dataclass(frozen=True, slots=True)
class RepositoryReport:
    """What is known of one repository.

    `checked` counts its distinct references of any verdict but `skipped`. `stale` counts the references
    whose verdict is an earlier cycle's, `stuck` those that answered an error for three cycles or more,
    `ignored` those that ignore rules and platforms hide. `last_verified` is when a walk last
    left nothing unverified. `walked` says whether this cycle walked it to its end.

    `roots` (what each tag resolved to) and `errors` (for how many cycles running a reference has answered an
    error) are what the next cycle needs to keep verdicts of what it cannot ask.
    """

    name: str
    walked: bool
    tags: int = 0
    checked: Mapping[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    findings: tuple[Finding, ...] = ()
    stale: int = 0
    stuck: int = 0
    ignored: int = 0
    last_verified: datetime | None = None
    roots: Mapping[str, Digest] = field(default_factory=dict)
    errors: Mapping[Reference, ErrorStreak] = field(default_factory=dict)

    def broken(self) -> Iterator[Finding]:
        """The findings that are broken, of any impact."""
        return (finding for finding in self.findings if finding.verdict is Verdict.BROKEN)

    def unverified(self) -> Iterator[Finding]:
        """The findings that are unverified."""
        return (finding for finding in self.findings if finding.verdict is Verdict.UNVERIFIED)

    @property
    def troubled(self) -> bool:
        """Whether anything in it is broken, unverified, stale or stuck."""
        hidden = all(finding.verdict is Verdict.SKIPPED for finding in self.findings)
        return not hidden or self.stale > 0 or self.stuck > 0

    @property
    def broken_tags(self) -> frozenset[str]:
        """The tags that some platform cannot pull."""
        return frozenset(
            tag for finding in self.broken() if finding.impact is Impact.PULL for tag in finding.tags
        )


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one cycle of one registry; times are in UTC.

    `requests` counts the walk's own requests, `extra_requests` those on top of them, by purpose.
    `last_success` is when the last complete cycle ended, `repositories_at_success` how many repositories it
    saw; both are None until there was one. `manifests_remembered` is how much of the cache of manifests is
    taken, `manifests_refused` how many this cycle had no room for.
    """

    registry: str
    url: str
    kind: RegistryKind
    outcome: Outcome
    catalog_accessible: bool
    started_at: datetime
    finished_at: datetime
    duration_seconds: float
    requests: int
    extra_requests: Mapping[Purpose, int]
    repositories: Mapping[str, RepositoryReport]
    last_success: datetime | None = None
    repositories_at_success: int | None = None
    trouble: str | None = None  # why the outcome is not complete, for the log
    expired_rules: tuple[str, ...] = ()  # ignore rules that hide nothing any more
    manifests_remembered: int = 0
    manifests_refused: int = 0

    def findings(self) -> Iterator[Finding]:
        """All findings, in their fixed order."""
        for name in sorted(self.repositories):
            yield from self.repositories[name].findings

    @property
    def tags(self) -> int:
        """The number of tags in all repositories."""
        return sum(repository.tags for repository in self.repositories.values())

    @property
    def broken_tags(self) -> int:
        """The number of tags that some platform cannot pull."""
        return sum(len(repository.broken_tags) for repository in self.repositories.values())

    @property
    def checked(self) -> dict[Kind, int]:
        """The number of distinct references per repository, by kind, of any verdict but `skipped`."""
        return {
            kind: sum(repository.checked[kind] for repository in self.repositories.values()) for kind in Kind
        }
