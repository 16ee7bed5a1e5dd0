"""What Prometheus sees: the last report of each registry, and the exporter's own doings."""

from exporter.metrics.configuration import ConfigurationMetrics
from exporter.metrics.exporter import ExporterMetrics
from exporter.metrics.exposition import Format
from exporter.metrics.live import RequestMetrics
from exporter.metrics.probes import ProbedRegistry, write_probes
from exporter.metrics.registries import ExportedRegistry

__all__ = [
    "ConfigurationMetrics",
    "ExportedRegistry",
    "ExporterMetrics",
    "Format",
    "ProbedRegistry",
    "RequestMetrics",
    "write_probes",
]
