"""Metrics over the last report of each registry. All of them are gauges, which `exposition` relies on."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Self

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.integrity.finding import Kind, image_of
from exporter.integrity.report import PerRepository, Report, RepositoryReport
from exporter.metrics.registries import PREFIX, ExportedRegistry

_Values = tuple[str, ...]
_Samples = Iterable[tuple[_Values, float]]


_Group = tuple[RepositoryReport, ...]
_REST = ""  # to Prometheus a label without a value is none


@dataclass(frozen=True, slots=True)
class _Source:
    """A report with its repositories in their order."""

    registry: ExportedRegistry
    report: Report
    repositories: _Group

    @classmethod
    def of(cls, registry: ExportedRegistry, report: Report) -> Self:
        return cls(registry, report, tuple(report.repositories[name] for name in sorted(report.repositories)))

    @property
    def groups(self) -> Iterator[tuple[str, _Group]]:
        """The repositories as they are told: by themselves, or as the rest."""
        told = self.registry.per_repository
        if told is not PerRepository.ALL:
            yield _REST, tuple(found for found in self.repositories if not told.tells(found))
        for found in self.repositories:
            if told.tells(found):
                yield found.name, (found,)


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    help: str
    labels: _Values
    read: Callable[[_Source], _Samples]

    def samples(self, sources: Iterable[_Source]) -> Iterator[tuple[_Values, float]]:
        for source in sources:
            for values, value in self.read(source):
                yield tuple(_encodable(word) for word in (source.registry.name, *values)), value

    def family(self, samples: _Samples = ()) -> GaugeMetricFamily:
        family = GaugeMetricFamily(PREFIX + self.name, self.help, labels=("registry", *self.labels))
        for values, value in samples:
            family.add_metric(values, value)
        return family


class ReportCollector(Collector):
    """Builds the families anew from the reports each time, so that what is gone takes its series with it."""

    def __init__(
        self,
        registries: Callable[[], Sequence[ExportedRegistry]],
        reports: Callable[[], Mapping[str, Report]],
    ) -> None:
        self._registries = registries
        self._reports = reports

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name all families, with no samples."""
        return [gauge.family() for gauge in _GAUGES]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Build the families that have samples, one at a time, since those of a large registry are large."""
        sources = self._sources()
        for gauge in _GAUGES:
            family = gauge.family(gauge.samples(sources))
            if family.samples:
                yield family

    def slices(self, most: int) -> Iterator[GaugeMetricFamily]:
        """Build the same families in slices of at most so many samples, of which one at a time is there."""
        sources = self._sources()
        for gauge in _GAUGES:
            samples = gauge.samples(sources)
            while part := tuple(islice(samples, most)):
                yield gauge.family(part)

    def _sources(self) -> list[_Source]:
        reports = self._reports()
        return [
            _Source.of(registry, reports[registry.name])
            for registry in self._registries()
            if registry.name in reports
        ]


def _encodable(text: str) -> str:
    # A registry's JSON may hold half a surrogate pair, and one such word would spoil the whole exposition.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _per_registry(read: Callable[[Report], float | None]) -> Callable[[_Source], _Samples]:
    def samples(source: _Source) -> _Samples:
        value = read(source.report)
        return [] if value is None else [((), value)]

    return samples


def _per_repository(read: Callable[[RepositoryReport], int]) -> Callable[[_Source], _Samples]:
    def samples(source: _Source) -> _Samples:
        for name, group in source.groups:
            yield (name,), sum(map(read, group))

    return samples


def _per_kind(read: Callable[[RepositoryReport], Mapping[Kind, int]]) -> Callable[[_Source], _Samples]:
    def samples(source: _Source) -> _Samples:
        for name, group in source.groups:
            counts = [read(repository) for repository in group]
            for kind in Kind:
                yield (name, kind.value), sum(count[kind] for count in counts)

    return samples


def _broken(repository: RepositoryReport) -> Mapping[Kind, int]:
    return Counter(finding.kind for finding in repository.broken())


def _unverified(source: _Source) -> _Samples:
    for name, group in source.groups:
        counts = Counter(
            (finding.kind.value, finding.reason.value)
            for repository in group
            for finding in repository.unverified()
        )
        for (kind, reason), count in sorted(counts.items()):
            yield (name, kind, reason), count


def _last_verified(source: _Source) -> _Samples:
    for name, group in source.groups:
        moments = [found.last_verified for found in group if found.last_verified is not None]
        # One that nobody walks has no time, and nothing that is unverified either.
        never = any(found.last_verified is None and found.troubled for found in group)
        if moments and not never:
            yield (name,), min(moments).timestamp()


def _broken_info(source: _Source) -> _Samples:
    prefix = source.registry.image_prefix
    series = sorted(
        (
            repository.name,
            tag,
            f"{prefix}/{image_of(repository.name, tag)}",
            finding.kind.value,
            finding.platform or "",
            finding.digest or "",
            finding.reason.value,
            finding.impact.value,
        )
        for repository in source.repositories
        for finding in repository.broken()
        for tag in finding.tags
    )
    return [(values, 1) for values in series[: source.registry.max_broken_info]]


def _broken_not_listed(source: _Source) -> _Samples:
    series = sum(len(finding.tags) for repository in source.repositories for finding in repository.broken())
    return [((), max(0, series - source.registry.max_broken_info))]


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


_GAUGES = (
    _Gauge(
        "catalog_accessible",
        "Whether the last cycle read the whole catalog of the registry (1) or not (0).",
        (),
        _per_registry(lambda report: report.catalog_accessible),
    ),
    _Gauge(
        "repositories",
        "Repositories that the last complete cycle saw.",
        (),
        _per_registry(lambda report: report.repositories_at_success),
    ),
    _Gauge("tags", "Tags in the repository.", ("repository",), _per_repository(lambda found: found.tags)),
    _Gauge(
        "broken_tags",
        "Tags of the repository that cannot be pulled for some platform.",
        ("repository",),
        _per_repository(lambda found: len(found.broken_tags)),
    ),
    _Gauge(
        "checked_references",
        "Distinct references of the repository that were checked, whatever was found.",
        ("repository", "kind"),
        _per_kind(lambda found: found.checked),
    ),
    _Gauge(
        "broken_references",
        "References of the repository that the registry cannot serve.",
        ("repository", "kind"),
        _per_kind(_broken),
    ),
    _Gauge(
        "unverified_references",
        "References of the repository whose state could not be determined.",
        ("repository", "kind", "reason"),
        _unverified,
    ),
    _Gauge(
        "stale_references",
        "References of the repository that keep an earlier verdict, because the last cycle could not ask.",
        ("repository",),
        _per_repository(lambda found: found.stale),
    ),
    _Gauge(
        "stuck_references",
        "References of the repository that answered an error for three cycles or more.",
        ("repository",),
        _per_repository(lambda found: found.stuck),
    ),
    _Gauge(
        "broken_reference_info",
        "A reference that the registry cannot serve, once for each tag whose pull it breaks; always 1.",
        ("repository", "tag", "image", "kind", "platform", "digest", "reason", "impact"),
        _broken_info,
    ),
    _Gauge(
        "broken_references_not_listed",
        "Series of broken_reference_info that were left out, because there are too many.",
        (),
        _broken_not_listed,
    ),
    _Gauge(
        "ignored_references",
        "References that ignore rules and platforms hide.",
        (),
        _per_registry(lambda report: sum(found.ignored for found in report.repositories.values())),
    ),
    _Gauge(
        "ignore_rules_expired",
        "Ignore rules whose day has passed, so that they hide nothing any more.",
        (),
        _per_registry(lambda report: len(report.expired_rules)),
    ),
    _Gauge(
        "manifests_remembered",
        "Manifests that are remembered from one cycle to the next, so that their headers are enough.",
        (),
        _per_registry(lambda report: report.manifests_remembered),
    ),
    _Gauge(
        "manifests_not_remembered",
        "Manifests that the last cycle had no room to remember, so that the next fetches them again.",
        (),
        _per_registry(lambda report: report.manifests_refused),
    ),
    _Gauge(
        "repository_last_verified_timestamp_seconds",
        "When a walk of the repository last left nothing unverified, since the epoch.",
        ("repository",),
        _last_verified,
    ),
    _Gauge(
        "last_run_timestamp_seconds",
        "When the last cycle ended, whatever its outcome, since the epoch.",
        (),
        _per_registry(lambda report: _seconds(report.finished_at)),
    ),
    _Gauge(
        "last_success_timestamp_seconds",
        "When the last complete cycle ended, since the epoch.",
        (),
        _per_registry(lambda report: _seconds(report.last_success)),
    ),
    _Gauge(
        "cycle_duration_seconds",
        "How long the last cycle took.",
        (),
        _per_registry(lambda report: report.duration_seconds),
    ),
)
