"""What intact means: the walk, one table that judges answers, confirmation, a cycle and its report."""

from exporter.integrity.cycle import Cycle
from exporter.integrity.finding import Finding, Impact, Kind, Reason, Reference, Verdict
from exporter.integrity.options import BlobCheck, CycleOptions
from exporter.integrity.report import Outcome, RegistryKind, Report, RepositoryReport

__all__ = [
    "BlobCheck",
    "Cycle",
    "CycleOptions",
    "Finding",
    "Impact",
    "Kind",
    "Outcome",
    "Reason",
    "Reference",
    "RegistryKind",
    "Report",
    "RepositoryReport",
    "Verdict",
]
