"""All metrics of one exporter, in a registry of their own."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from exporter.daemon import LastReports
from exporter.integrity.report import Outcome, Report
from exporter.metrics.configuration import ConfigurationMetrics
from exporter.metrics.exposition import Beginning, Format
from exporter.metrics.live import CycleMetrics, LiveCollector, RequestMetrics
from exporter.metrics.registries import ExportedRegistry
from exporter.metrics.reports import ReportCollector

_SLICE: Final = 500  # samples


class ExporterMetrics:
    """The metrics of one exporter; what the daemon takes as its `CycleObserver`.

    The series of reports, thousands for a large registry, are written out once for each report, beside the
    event loop. A scrape joins to them what is cheap to read, and waits for nothing.
    """

    def __init__(
        self,
        registries: Sequence[ExportedRegistry],
        reports: LastReports,
        version: str,
        configuration: ConfigurationMetrics | None = None,
    ) -> None:
        """Prepare the metrics of some registries over the reports that `reports` will hold.

        `configuration` is for what can read its configuration again.
        """
        self._registries = tuple(registries)
        self._reports = reports
        self._requests = {registry.name: RequestMetrics() for registry in registries}
        self._cycles = CycleMetrics(registries)

        self._live = CollectorRegistry(auto_describe=True)
        live = LiveCollector(lambda: self._registries, lambda: self._requests, self._cycles, version)
        own = [live, *([configuration] if configuration is not None else [])]
        self.registry = CollectorRegistry(auto_describe=True)
        self.registry.register(ReportCollector(lambda: self._registries, lambda: reports.snapshot))
        # A registry within the other would be searched for names that it had at the start only.
        for registry in (self._live, self.registry):
            for collector in (*own, ProcessCollector(registry=None), PlatformCollector(registry=None)):
                registry.register(collector)
            GCCollector(registry)

        self._written = (self._registries, reports.snapshot)
        self._beginning = self._write(*self._written)
        self._writing = asyncio.Lock()

    def requests(self, registry: str) -> RequestMetrics:
        """Give the observer of one registry's requests."""
        return self._requests[registry]

    async def replace(
        self, registries: Sequence[ExportedRegistry], requests: Mapping[str, RequestMetrics]
    ) -> None:
        """From now on show these registries, with these observers of their requests.

        Where an observer is the one that a registry had, the count of its cycles goes on too; what is not
        among the registries takes its series with it.
        """
        kept = {name for name, observer in requests.items() if self._requests.get(name) is observer}
        self._registries = tuple(registries)
        self._requests = dict(requests)  # another one: a scrape may be reading the last
        self._cycles.replace(registries, kept)
        await self.refresh()

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
            registries, reports = self._registries, self._reports.snapshot
            if registries is not self._written[0] or reports is not self._written[1]:
                self._beginning = await asyncio.to_thread(self._write, registries, reports)
                self._written = registries, reports

    async def scrape(self, format_: Format, names: Sequence[str] = (), *, compress: bool = False) -> bytes:
        """Give the exposition, or those samples of it that have one of the names; `compress` is with gzip."""
        if names:
            return await asyncio.to_thread(self._select, format_, names, compress)
        return self._beginning.followed_by(format_.write(self._live), compress=compress)

    @staticmethod
    def _write(registries: Sequence[ExportedRegistry], reports: Mapping[str, Report]) -> Beginning:
        return Beginning.of(ReportCollector(lambda: registries, lambda: reports).slices(_SLICE))

    def _select(self, format_: Format, names: Sequence[str], compress: bool) -> bytes:
        written = format_.write(self.registry.restricted_registry(names))
        return gzip.compress(written) if compress else written
