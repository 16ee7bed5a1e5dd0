"""What `check-deletion` tells machines: one JSON document, and the exit status."""

import json
from collections.abc import Iterable
from typing import Any

from exporter.deletion.check import CheckedRegistry
from exporter.deletion.consequences import RepositoryConsequences


def deletion_status(checked: Iterable[CheckedRegistry]) -> int:
    """Tell what the process ends with: 0 nothing would break, 1 something would, 3 not all could be told."""
    repositories = [repository for one in checked for repository in one.repositories]
    if any(repository.broken_tags for repository in repositories):
        return 1
    return 3 if any(repository.undetermined for repository in repositories) else 0


def render_json(checked: Iterable[CheckedRegistry]) -> str:
    """Write the document of `--output json`."""
    document = {
        "registries": [
            {
                "registry": one.registry,
                "url": one.url,
                "repositories": [_repository(repository) for repository in one.repositories],
            }
            for one in checked
        ]
    }
    return json.dumps(document, indent=2) + "\n"


def _repository(consequences: RepositoryConsequences) -> dict[str, Any]:
    return {
        "repository": consequences.repository,
        "kept_tags": consequences.kept_tags,
        "would_break": [
            {"tag": one.tag, "digest": one.digest, "deleted": one.deleted, "lost": list(one.lost)}
            for one in consequences.broken_tags
        ],
        "would_be_deleted": [
            {
                "digest": one.digest,
                "listed": list(one.listed),
                "tags": list(one.tags),
                "kept_indexes": list(one.kept_indexes),
            }
            for one in consequences.deletions
        ],
        "not_found": list(consequences.not_found),
        "undetermined": list(consequences.undetermined),
    }
