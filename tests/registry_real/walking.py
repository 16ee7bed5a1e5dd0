"""One cycle of a real registry, and what it says in few words."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from exporter.integrity import Cycle, CycleOptions, Report
from exporter.integrity.report import RegistryKind
from exporter.registry import open_client
from sample import content
from sample.registry import DockerRegistry
from sample.storage import tag_link
from sample.store import store

REPOSITORIES = ("team/app", "team/other")


@asynccontextmanager
async def open_cycle(url: str, **options: Any) -> AsyncIterator[Cycle]:
    """Prepare to walk a registry; the options are those of its client, `cycle` those of the cycle."""
    cycle = {"confirm_delay": 0.0, **options.pop("cycle", {})}
    async with open_client(url, **options) as client:
        yield Cycle("registry", url, RegistryKind.PRIVATE, client, CycleOptions(**cycle))


async def walk(url: str, **options: Any) -> Report:
    """Walk a registry once."""
    async with open_cycle(url, **options) as cycle:
        return await cycle.run(None)


def outcome(report: Report) -> tuple[str, str | None, int, dict[str, int]]:
    """How a cycle ended, how many references it checked, and how many findings there are of each reason."""
    reasons = Counter(f"{finding.verdict} {finding.reason}" for finding in report.findings())
    return report.outcome.value, report.trouble, sum(report.checked.values()), dict(reasons)


def put(registry: DockerRegistry, *repositories: str, tags: int = 1) -> int:
    """Store a small image of two platforms in each repository, under so many tags; count the references."""
    for repository in repositories or REPOSITORIES:
        image = content.multi_platform(f"image of {repository}")
        store(registry.storage, repository, image, "v0")
        for number in range(1, tags):
            registry.storage.write(tag_link(repository, f"v{number}"), image.digest.encode())
    references = tags + 2 + 2 + 4  # the tags, two children, a config and two layers each
    return len(repositories or REPOSITORIES) * references
