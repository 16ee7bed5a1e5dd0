"""Verifying the images of one registry, again where they are not intact."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import stamina
import structlog

from exporter.integrity import (
    Cycle,
    CycleOptions,
    CycleProgress,
    Finding,
    ImageByDigest,
    ImageByTag,
    Kind,
    Node,
    Outcome,
    Report,
    RepositoryReport,
    RepositoryWalk,
    Verdict,
    root_of_image,
    tree_of,
)
from exporter.registry import RegistryClient
from exporter.settings import RegistrySettings

_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image, under the name by which somebody asked for it."""

    name: str
    image: ImageByTag | ImageByDigest

    @property
    def root(self) -> str:
        """What findings have among their tags."""
        return self.image.tag if isinstance(self.image, ImageByTag) else root_of_image(self.image.digest)


@dataclass(frozen=True, slots=True)
class VerifiedImage:
    """What is known of one image; `findings` are those that concern it."""

    name: str
    tree: Node
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Broken where any of it is, else unverified where any of it is."""
        verdicts = {finding.verdict for finding in self.findings}
        return next((one for one in (Verdict.BROKEN, Verdict.UNVERIFIED) if one in verdicts), Verdict.INTACT)


@dataclass(frozen=True, slots=True)
class Verified:
    """The report of one registry, and the images that were asked for; `bytes_read` is of blobs read whole."""

    report: Report
    images: tuple[VerifiedImage, ...]
    bytes_read: int = 0


class _NotIntactError(Exception):
    """Some image is not intact yet."""


class Verification:
    """Verifies images of one registry.

    A repository with an image that is not intact is verified again, all of it anew, up to `retries` times
    with growing waits between: some registries settle late.
    """

    def __init__(
        self,
        registry: RegistrySettings,
        client: RegistryClient,
        options: CycleOptions,
        images: Iterable[NamedImage],
        retries: int,
    ) -> None:
        self.name = registry.name
        self._registry = registry
        self._client = client
        self._options = options
        self._images = tuple(images)
        self._retries = retries
        self._trees: dict[str, Node] = {}
        self._cycle: Cycle | None = None
        self._bytes_read = 0

    @property
    def progress(self) -> CycleProgress:
        """How far the cycle that is under way has come."""
        return self._cycle.progress if self._cycle is not None else CycleProgress()

    async def run(self) -> Verified:
        """Verify."""
        started = asyncio.get_running_loop().time()
        report: Report | None = None
        try:
            async for attempt in stamina.retry_context(
                on=_NotIntactError,
                attempts=self._retries + 1,
                timeout=None,
                wait_initial=_FIRST_WAIT,
                wait_max=_LONGEST_WAIT,
            ):
                with attempt:
                    report = await self._attempt(report)
                    self._demand_intact(report, self._retries + 1 - attempt.num)
        except _NotIntactError:
            pass
        if report is None:
            raise AssertionError("the first attempt gives a report")
        report = replace(report, duration_seconds=asyncio.get_running_loop().time() - started)
        images = tuple(self._verified(image, report) for image in self._images)
        return Verified(report, images, self._bytes_read)

    async def _attempt(self, before: Report | None) -> Report:
        """Verify what is not intact yet."""
        images = self._images if before is None else self._not_intact(before)
        options = replace(self._options, only=tuple(image.image for image in images))
        # A cycle of its own remembers no manifest, so that every one is fetched and hashed.
        self._cycle = Cycle(
            self.name,
            self._registry.url,
            self._registry.kind,
            self._client,
            options,
            notice_walk=self._keep_trees,
        )
        report = await self._cycle.run(None)
        self._bytes_read += self._cycle.progress.bytes_read
        return report if before is None else merged(before, report)

    def _demand_intact(self, report: Report, retries_left: int) -> None:
        images = self._not_intact(report)
        if not images:
            return
        if retries_left:
            names = [image.name for image in images]
            _log.info(
                "not intact, verified again", registry=self.name, images=names, retries_left=retries_left
            )
        raise _NotIntactError

    def _keep_trees(self, walk: RepositoryWalk, report: RepositoryReport) -> None:
        for image in self._images:
            if image.image.repository == walk.name:
                self._trees[image.name] = tree_of(walk.graph, image.root, report.findings)

    def _not_intact(self, report: Report) -> tuple[NamedImage, ...]:
        repositories = {
            finding.repository for finding in report.findings() if finding.verdict is not Verdict.SKIPPED
        }
        return tuple(image for image in self._images if image.image.repository in repositories)

    def _verified(self, image: NamedImage, report: Report) -> VerifiedImage:
        repository = report.repositories[image.image.repository]
        findings = tuple(
            finding for finding in repository.findings if image.root in finding.tags or not finding.tags
        )
        tree = self._trees.get(image.name) or _unknown(findings)
        return VerifiedImage(image.name, tree, findings)


def _unknown(findings: Iterable[Finding]) -> Node:
    finding = next(iter(findings))  # a walk that failed has left one
    return Node(Kind.TAG, finding.verdict, finding.reason, finding.detail)


def merged(first: Report, second: Report) -> Report:
    """Replace in a report the repositories that were walked again."""
    left = first.repositories.keys() - second.repositories.keys()
    outcome, accessible = second.outcome, second.catalog_accessible
    if outcome is Outcome.FAILED and left:
        outcome, accessible = Outcome.INCOMPLETE, True
    return replace(
        second,
        outcome=outcome,
        catalog_accessible=accessible,
        started_at=first.started_at,
        requests=first.requests + second.requests,
        extra_requests={
            purpose: count + second.extra_requests[purpose] for purpose, count in first.extra_requests.items()
        },
        repositories={**first.repositories, **second.repositories},
    )
