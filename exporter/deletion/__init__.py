"""What a deletion would break, told before it is done."""

from exporter.deletion.check import CheckedRegistry, DeletionCheck
from exporter.deletion.consequences import (
    BrokenTag,
    Deletion,
    Listed,
    RepositoryConsequences,
    RepositoryGraph,
    consequences_of,
)
from exporter.deletion.document import deletion_status, render_json
from exporter.deletion.listing import STANDARD_INPUT, read_file, read_list
from exporter.deletion.screen import render_consequences
from exporter.deletion.walk import RepositoryWalk

__all__ = [
    "STANDARD_INPUT",
    "BrokenTag",
    "CheckedRegistry",
    "Deletion",
    "DeletionCheck",
    "Listed",
    "RepositoryConsequences",
    "RepositoryGraph",
    "RepositoryWalk",
    "consequences_of",
    "deletion_status",
    "read_file",
    "read_list",
    "render_consequences",
    "render_json",
]
