"""Metrics over the last report of each registry. All of them are gauges, which `exposition` relies on."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.integrity.finding import Kind, Verdict, image_of
from exporter.integrity.report import Report, RepositoryReport
from exporter.metrics.registries import PREFIX, ExportedRegistry

_Values = tuple[str, ...]
_Samples = Iterable[tuple[_Values, float]]


@dataclass(frozen=True, slots=True)
class _Source:
    registry: ExportedRegistry
    report: Report

    @property
    def repositories(self) -> Iterator[RepositoryReport]:
        return (self.report.repositories[name] for name in sorted(self.report.repositories))


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    help: str
    labels: _Values
    read: Callable[[_Source], _Samples]

    def family(self, sources: Iterable[_Source] = ()) -> GaugeMetricFamily:
        family = GaugeMetricFamily(PREFIX + self.name, self.help, labels=("registry", *self.labels))
        for source in sources:
            for values, value in self.read(source):
                family.add_metric([_encodable(word) for word in (source.registry.name, *values)], value)
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
        reports = self._reports()
        sources = [
            _Source(registry, reports[registry.name])
            for registry in self._registries()
            if registry.name in reports
        ]
        for gauge in _GAUGES:
            family = gauge.family(sources)
            if family.samples:
                yield family


def _encodable(text: str) -> str:
    # A registry's JSON may hold half a surrogate pair, and one such word would spoil the whole exposition.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _per_registry(read: Callable[[Report], float | None]) -> Callable[[_Source], _Samples]:
    def samples(source: _Source) -> _Samples:
        value = read(source.report)
        return [] if value is None else [((), value)]

    return samples


def _per_repository(read: Callable[[RepositoryReport], float | None]) -> Callable[[_Source], _Samples]:
    def samples(source: _Source) -> _Samples:
        for repository in source.repositories:
            value = read(repository)
            if value is not None:
                yield (repository.name,), value

    return samples


def _per_kind(read: Callable[[RepositoryReport], Mapping[Kind, int]]) -> Callable[[_Source], _Samples]:
    def samples(source: _Source) -> _Samples:
        for repository in source.repositories:
            counts = read(repository)
            for kind in Kind:
                yield (repository.name, kind.value), counts[kind]

    return samples


def _broken(repository: RepositoryReport) -> Mapping[Kind, int]:
    return Counter(finding.kind for finding in repository.broken())


def _unverified(source: _Source) -> _Samples:
    for repository in source.repositories:
        counts = Counter(
            (finding.kind.value, finding.reason.value)
            for finding in repository.findings
            if finding.verdict is Verdict.UNVERIFIED
        )
        for (kind, reason), count in sorted(counts.items()):
            yield (repository.name, kind, reason), count


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
        _per_repository(lambda found: _seconds(found.last_verified)),
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
