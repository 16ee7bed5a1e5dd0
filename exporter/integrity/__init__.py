"""What intact means: the walk, one table that judges answers, confirmation, a cycle and its report."""

from exporter.integrity.cycle import Cycle
from exporter.integrity.finding import Finding, Impact, Kind, Reason, Reference, Verdict, image_of
from exporter.integrity.options import (
    BlobCheck,
    CycleOptions,
    ImageByDigest,
    ImageByTag,
    RepositoryOverride,
)
from exporter.integrity.progress import CycleProgress
from exporter.integrity.report import Outcome, RegistryKind, Report, RepositoryReport
from exporter.integrity.rules import GlobFilter, IgnoreRule, PlatformRule
from exporter.integrity.shards import Shard

__all__ = [
    "BlobCheck",
    "Cycle",
    "CycleOptions",
    "CycleProgress",
    "Finding",
    "GlobFilter",
    "IgnoreRule",
    "ImageByDigest",
    "ImageByTag",
    "Impact",
    "Kind",
    "Outcome",
    "PlatformRule",
    "Reason",
    "Reference",
    "RegistryKind",
    "Report",
    "RepositoryOverride",
    "RepositoryReport",
    "Shard",
    "Verdict",
    "image_of",
]
