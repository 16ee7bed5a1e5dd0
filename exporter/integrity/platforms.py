"""Whether an index has anything for a platform that somebody wants to run it on."""

from collections.abc import Iterator

from exporter.integrity.graph import RepositoryGraph
from exporter.integrity.rules import matches_platform
from exporter.oci import Descriptor, Digest
from exporter.oci.media_types import INDEXES

_MOST_SHOWN = 10


def unoffered(graph: RepositoryGraph, root: Digest, platform: str) -> str | None:
    """Tell what an index is for, where it is for other platforms only; None: it may be for this one too.

    What has no platform may be for any, and so may what is no index or could not be read.
    """
    manifest = graph.manifests.get(root)
    if manifest is None or manifest.media_type not in INDEXES:
        return None
    offered: set[str] = set()
    for child in _children(graph, root):
        if child is None or child.platform is None:
            return None
        if matches_platform(child.platform, {platform}):
            return None
        if child.platform.runnable:
            offered.add(str(child.platform))
    shown = sorted(offered)[:_MOST_SHOWN]
    more = len(offered) - len(shown)
    return (", ".join(shown) + (f" and {more} more" if more else "")) or "nothing that can be run"


def _children(graph: RepositoryGraph, root: Digest) -> Iterator[Descriptor | None]:
    """Give the descriptors of all that is no index; None stands for an index that was not read."""
    stack, seen = [root], {root}
    while stack:
        manifest = graph.manifests.get(stack.pop())
        if manifest is None:
            yield None
            continue
        for entry in manifest.entries:
            if entry.media_type not in INDEXES:
                yield entry
            elif entry.digest not in seen:
                seen.add(entry.digest)
                stack.append(entry.digest)
