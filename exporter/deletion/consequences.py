"""Which kept tags a deletion takes away or breaks.

A listed tag goes together with the manifest that it resolves to, since registries such as docker-registry
delete by digest only, and with a manifest goes every tag that resolves to it. What an index lists does not
go with it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from exporter.oci import Digest


@dataclass(frozen=True, slots=True)
class Listed:
    """What of one repository is to be deleted."""

    tags: frozenset[str] = frozenset()
    digests: frozenset[Digest] = frozenset()


@dataclass(frozen=True, slots=True)
class RepositoryGraph:
    """What was learnt of a repository before anything of it is deleted.

    `roots` is what its tags resolve to, `unresolved` are those of which that is not known. `children` are, of
    each index that a kept tag reaches, the manifests that go and the other indexes that it lists. `absent`
    are the listed tags and digests that are not there, `doubtful` the listed digests of which that could not
    be told, with why. `unread` says what else could not be read, and why.
    """

    roots: Mapping[str, Digest]
    children: Mapping[Digest, tuple[Digest, ...]]
    absent: Collection[str] = ()
    doubtful: Mapping[Digest, str] | None = None
    unread: Collection[str] = ()
    unresolved: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class BrokenTag:
    """A kept tag that would break: `lost` are the manifests it needs that would be deleted, sorted.

    `deleted` says that the manifest it resolves to is one of them, so that the tag itself would be gone.
    """

    tag: str
    digest: Digest
    deleted: bool
    lost: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Deletion:
    """A manifest that would be deleted.

    `listed` are the tags and the digest by which it was listed, `tags` all that resolve to it and would be
    gone, `kept_indexes` the indexes that list it, stay, and are reached by a kept tag.
    """

    digest: Digest
    listed: tuple[str, ...]
    tags: tuple[str, ...]
    kept_indexes: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class RepositoryConsequences:
    """What a deletion would do to one repository, everything sorted.

    `kept_tags` is how many tags are not listed, `not_found` which listed tags and digests are not there,
    `undetermined` what could not be read, and why: with any of it, other tags may break too.
    """

    repository: str
    kept_tags: int
    broken_tags: tuple[BrokenTag, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    not_found: tuple[str, ...] = ()
    undetermined: tuple[str, ...] = ()


def consequences_of(repository: str, graph: RepositoryGraph, listed: Listed) -> RepositoryConsequences:
    """Tell what deleting what is listed would do."""
    doubtful = graph.doubtful or {}
    there = listed.digests.difference(graph.absent, doubtful)
    going = there | {root for tag, root in graph.roots.items() if tag in listed.tags}
    kept = {tag: root for tag, root in graph.roots.items() if tag not in listed.tags}
    parents = _turned_around(graph.children)
    needed = doubtful.keys() & {*kept.values(), *parents}
    # Looked for upwards, since many tags may share what is below them.
    breaking = _closure(going, parents)
    return RepositoryConsequences(
        repository,
        len(kept) + len(set(graph.unresolved) - listed.tags),
        tuple(_broken_tags(kept, graph.children, going, breaking)),
        tuple(_deletions(going, graph.roots, listed, parents)),
        tuple(sorted(graph.absent)),
        tuple(sorted({*graph.unread, *(doubtful[digest] for digest in needed)})),
    )


def _broken_tags(
    kept: Mapping[str, Digest],
    children: Mapping[Digest, tuple[Digest, ...]],
    going: Collection[Digest],
    breaking: Collection[Digest],
) -> Iterable[BrokenTag]:
    lost: dict[Digest, tuple[Digest, ...]] = {}
    for tag, root in sorted(kept.items()):
        if root in breaking:
            if root not in lost:
                lost[root] = tuple(sorted(_closure([root], children).intersection(going)))
            yield BrokenTag(tag, root, root in going, lost[root])


def _deletions(
    going: Iterable[Digest],
    roots: Mapping[str, Digest],
    listed: Listed,
    parents: Mapping[Digest, Collection[Digest]],
) -> Iterable[Deletion]:
    tags: dict[Digest, list[str]] = defaultdict(list)
    for tag, root in sorted(roots.items()):
        tags[root].append(tag)
    going = frozenset(going)
    for digest in sorted(going):
        by_tag = (tag for tag in tags[digest] if tag in listed.tags)
        by_digest = [digest] if digest in listed.digests else []
        indexes = sorted(set(parents.get(digest, ())) - going)
        yield Deletion(digest, (*by_tag, *by_digest), tuple(tags[digest]), tuple(indexes))


def _turned_around(children: Mapping[Digest, tuple[Digest, ...]]) -> Mapping[Digest, Collection[Digest]]:
    parents: dict[Digest, list[Digest]] = {}
    for index, below in children.items():
        for digest in below:
            parents.setdefault(digest, []).append(index)
    return parents


def _closure(beginning: Iterable[Digest], following: Mapping[Digest, Collection[Digest]]) -> set[Digest]:
    reached = set(beginning)
    waiting = list(reached)
    while waiting:
        new = set(following.get(waiting.pop(), ())) - reached
        reached |= new
        waiting += new
    return reached
