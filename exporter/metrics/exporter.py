"""All metrics of one exporter, in a registry of their own."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence

from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from exporter.daemon import LastReports
from exporter.integrity.report import Outcome, Report
from exporter.metrics.exposition import Beginning, Format
from exporter.metrics.live import CycleMetrics, LiveCollector, RequestMetrics
from exporter.metrics.registries import ExportedRegistry
from exporter.metrics.reports import ReportCollector


class ExporterMetrics:
    """The metrics of one exporter; what the daemon takes as its `CycleObserver`.

    The series of reports, thousands for a large registry, are written out once for each report, beside the
    event loop. A scrape joins to them what is cheap to read, and waits for nothing.
    """

    def __init__(self, registries: Sequence[ExportedRegistry], reports: LastReports, version: str) -> None:
        """Prepare the metrics of some registries over the reports that `reports` will hold."""
        self._registries = tuple(registries)
        self._reports = reports
        self._requests = {registry.name: RequestMetrics() for registry in registries}
        self._cycles = CycleMetrics(registries)

        self._live = CollectorRegistry(auto_describe=True)
        self._live.register(LiveCollector(registries, self._requests, self._cycles, version))
        self._live.register(ProcessCollector(registry=None))
        self._live.register(PlatformCollector(registry=None))
        GCCollector(self._live)
        self.registry = CollectorRegistry(auto_describe=True)
        self.registry.register(ReportCollector(registries, lambda: reports.snapshot))
        self.registry.register(self._live)

        self._written = reports.snapshot
        self._beginning = self._write(self._written)
        self._writing = asyncio.Lock()

    def requests(self, registry: str) -> RequestMetrics:
        """Give the observer of one registry's requests."""
        return self._requests[registry]

    def cycle_ended(self, registry: str, outcome: Outcome) -> None:
        """Count a cycle."""
        self._cycles.ended[registry, outcome] += 1

    def cycle_overran(self, registry: str) -> None:
        """Count a cycle that took longer than its interval."""
        self._cycles.overruns[registry] += 1

    @property
    def not_contacted(self) -> tuple[str, ...]:
        """The registries of which no request was answered or has failed, and no cycle has ended."""
        return tuple(
            name
            for name, requests in self._requests.items()
            if not requests.contacted and not any(self._cycles.ended[name, outcome] for outcome in Outcome)
        )

    async def refresh(self) -> None:
        """Write out the reports, unless that was done since the last of them was replaced."""
        async with self._writing:
            snapshot = self._reports.snapshot
            if snapshot is not self._written:
                self._beginning = await asyncio.to_thread(self._write, snapshot)
                self._written = snapshot

    async def scrape(self, format_: Format, names: Sequence[str] = (), *, compress: bool = False) -> bytes:
        """Give the exposition, or those samples of it that have one of the names; `compress` is with gzip."""
        if names:
            return await asyncio.to_thread(self._select, format_, names, compress)
        return self._beginning.followed_by(format_.write(self._live), compress=compress)

    def _write(self, reports: Mapping[str, Report]) -> Beginning:
        return Beginning.of(ReportCollector(self._registries, lambda: reports))

    def _select(self, format_: Format, names: Sequence[str], compress: bool) -> bytes:
        written = format_.write(self.registry.restricted_registry(names))
        return gzip.compress(written) if compress else written
