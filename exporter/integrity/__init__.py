"""What intact means: the walk, one table that judges answers, confirmation, a cycle and its report."""

from exporter.integrity.cycle import Cycle
from exporter.integrity.finding import Finding, Impact, Kind, Reason, Reference, Verdict, image_of
from exporter.integrity.graph import root_of_image
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
from exporter.integrity.tree import Node, tree_of
from exporter.integrity.walk import RepositoryWalk

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
    "Node",
    "Outcome",
    "PlatformRule",
    "Reason",
    "Reference",
    "RegistryKind",
    "Report",
    "RepositoryOverride",
    "RepositoryReport",
    "RepositoryWalk",
    "Shard",
    "Verdict",
    "image_of",
    "root_of_image",
    "tree_of",
]
