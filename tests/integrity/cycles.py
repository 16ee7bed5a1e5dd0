"""Running cycles against a registry, and seeing in a report what the damage model tells of it."""

from typing import Any

import httpx

from exporter.integrity import Cycle, CycleOptions, Finding, Report, RepositoryReport
from exporter.integrity.report import RegistryKind
from exporter.registry import RegistryClient
from tests.integrity.model import ExpectedFinding, ExpectedRepository
from tests.integrity.scripted import URL, ScriptedRegistry


def cycle_over(url: str, transport: httpx.AsyncBaseTransport, **options: Any) -> Cycle:
    """Make the cycle of a registry; `kind` and `notice_walk` are its own, the others are options."""
    kind = RegistryKind(options.pop("kind", "private"))
    notice_walk = options.pop("notice_walk", None)
    client = RegistryClient(url, transport)
    return Cycle("registry", url, kind, client, CycleOptions(**options), notice_walk=notice_walk)


class Watcher:
    """Walks a scripted registry again and again, each time with the last report in hand."""

    def __init__(self, registry: ScriptedRegistry, **options: Any) -> None:
        self.registry = registry
        self.cycle = cycle_over(URL, registry, **options)
        self.report: Report | None = None

    async def walk(self) -> Report:
        """Run the next cycle."""
        self.report = await self.cycle.run(self.report)
        return self.report

    async def findings(self) -> list[ExpectedFinding]:
        """Run the next cycle and tell its findings."""
        return findings(await self.walk())


def findings(report: Report) -> list[ExpectedFinding]:
    """A report's findings in the model's words."""
    return [finding_seen(finding) for finding in report.findings()]


def seen(report: Report) -> dict[str, ExpectedRepository]:
    """What a report says of each repository, in the model's words."""
    return {name: seen_of(repository) for name, repository in report.repositories.items()}


def seen_of(repository: RepositoryReport) -> ExpectedRepository:
    """What a repository's report says, in the model's words."""
    checked = {kind.value: number for kind, number in repository.checked.items()}
    return ExpectedRepository(
        repository.tags,
        checked,
        tuple(sorted((finding_seen(one) for one in repository.findings), key=repr)),
    )


def finding_seen(finding: Finding) -> ExpectedFinding:
    """A finding in the model's words."""
    return ExpectedFinding(
        repository=finding.repository,
        kind=finding.kind.value,
        tags=finding.tags,
        digest=finding.digest,
        verdict=finding.verdict.value,
        reason=finding.reason.value,
        impact=finding.impact.value,
        stale=finding.stale,
    )
