"""The metrics of single cycles: what `/metrics` would show of a registry after its first cycle."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.registry import CollectorRegistry

from exporter.integrity.report import Report
from exporter.metrics.exposition import Format
from exporter.metrics.live import CycleMetrics, LiveCollector, RequestMetrics
from exporter.metrics.registries import ExportedRegistry
from exporter.metrics.reports import ReportCollector


@dataclass(frozen=True, slots=True)
class ProbedRegistry:
    """A registry that is walked once; `requests` is to be told of the requests to it."""

    exported: ExportedRegistry
    requests: RequestMetrics = field(default_factory=RequestMetrics)


def write_probes(probed: Iterable[tuple[ProbedRegistry, Report]], version: str) -> bytes:
    """Write out, as text, the metrics of some registries by the only cycle of each.

    What tells of the process itself is left out: node_exporter has series of the same names, and another
    process pushes the next ones.
    """
    probed = tuple(probed)
    registries = [one.exported for one, _ in probed]
    requests = {one.exported.name: one.requests for one, _ in probed}
    reports = {report.registry: report for _, report in probed}
    cycles = CycleMetrics(registries)
    for report in reports.values():
        cycles.ended[report.registry, report.outcome] += 1
    collectors = CollectorRegistry()
    collectors.register(ReportCollector(lambda: registries, lambda: reports))
    collectors.register(LiveCollector(lambda: registries, lambda: requests, cycles, version))
    return Format.TEXT.write(collectors)
