"""What a repository's tags lead to, and which of them a failed reference breaks."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from exporter.integrity.compact import CompactDigest, compact_digest
from exporter.integrity.finding import Kind, Reference, Verdict
from exporter.integrity.judge import Judgement
from exporter.integrity.manifests import MetManifests
from exporter.integrity.proofs import BlobKey
from exporter.integrity.rules import PlatformRule
from exporter.integrity.slices import Turns
from exporter.oci import Descriptor, Digest, Role, Target, is_foreign_layer, target_of
from exporter.oci.media_types import IMAGE_CONFIGS

_DESCRIPTORS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """A question that was not answered with what should be there.

    `asked_at` is in seconds of the event loop's clock. `confirmed` says that it may be reported: a broken
    one was asked again, the others need not be.
    """

    judgement: Judgement
    asked_at: float
    confirmed: bool = False

    @property
    def suspected(self) -> bool:
        """Whether it is broken by a single answer only."""
        return self.judgement.verdict is Verdict.BROKEN and not self.confirmed


# What is asked again: a tag, a manifest, or a blob.
Suspect: TypeAlias = str | Digest | BlobKey

# What a descriptor says of a manifest: its media type and size.
Description: TypeAlias = tuple[str, int | None]


@dataclass(slots=True)
class RepositoryGraph:
    """What one cycle has learnt of a repository: the graph below its tags, and the failures in it.

    `roots` is what each tag resolves to, and the images by digest, each under a name that is none of `tags`;
    `kept_roots` what a tag that cannot be resolved now used to resolve to. `fresh` are the manifests that
    were met for the first time: nothing below them has an earlier verdict. `targets` holds where content was
    found whose type does not tell. `platforms` says which children are meant to be there; None: all.
    """

    manifests: MetManifests
    platforms: PlatformRule | None = None
    tags: set[str] = field(default_factory=set)
    roots: dict[str, Digest] = field(default_factory=dict)
    kept_roots: dict[str, Digest] = field(default_factory=dict)
    fresh: set[Digest] = field(default_factory=set)
    targets: dict[Digest, Target] = field(default_factory=dict)
    tag_failures: dict[str, Failure] = field(default_factory=dict)
    manifest_failures: dict[Digest, Failure] = field(default_factory=dict)
    blob_failures: dict[BlobKey, Failure] = field(default_factory=dict)
    # Of manifests that are intact, but not what some descriptor says: by digest, by what that says.
    misdescribed: dict[Digest, dict[Description, Failure]] = field(default_factory=dict)

    def flawless(self) -> bool:
        """Whether nothing failed."""
        return not (self.tag_failures or self.manifest_failures or self.blob_failures or self.misdescribed)

    def failed_digests(self) -> frozenset[CompactDigest]:
        """The digests of all content that failed."""
        blobs = (digest for digest, _ in self.blob_failures)
        return frozenset(map(compact_digest, chain(self.manifest_failures, self.misdescribed, blobs)))

    def skips(self, role: Role, descriptor: Descriptor) -> bool:
        """Whether a descriptor is not followed: a foreign layer, or a child of a platform not mirrored."""
        if is_foreign_layer(descriptor.media_type):
            return True
        return self.platforms is not None and not self.mirrors(role, descriptor)

    def mirrors(self, role: Role, descriptor: Descriptor) -> bool:
        """Whether a descriptor is of a platform that is meant to be there."""
        return role is not Role.ENTRY or self.platforms is None or self.platforms.mirrors(descriptor)

    def target_of(self, role: Role, descriptor: Descriptor) -> Target:
        """Tell where the content is, by its type and, where that does not tell, by where it was found."""
        if role is Role.CONFIG:
            return Target.BLOB
        target = target_of(descriptor.media_type)
        if role is Role.LAYER and target is not Target.MANIFEST:
            return Target.BLOB
        if role is Role.ENTRY and target is not Target.UNKNOWN:
            return target
        return self.targets.get(descriptor.digest, Target.UNKNOWN)

    def failure_of(self, target: Target, descriptor: Descriptor) -> Failure | None:
        """The failure of the content that a descriptor leads to."""
        if target is Target.BLOB:
            return self.blob_failures.get((descriptor.digest, descriptor.size))
        misdescribed = self.misdescribed.get(descriptor.digest, {})
        failure = misdescribed.get((descriptor.media_type, descriptor.size))
        return self.manifest_failures.get(descriptor.digest, failure)

    def remove_tag(self, tag: str) -> None:
        """Forget a tag that is known to be gone."""
        self.tags.discard(tag)
        self.roots.pop(tag, None)
        self.kept_roots.pop(tag, None)
        self.tag_failures.pop(tag, None)


def root_of_image(digest: Digest) -> str:
    """The name that an image by digest has among the tags of findings; no tag looks like it."""
    return f"@{digest}"


def kind_of(role: Role, target: Target) -> Kind:
    """The kind of the reference that a descriptor is."""
    if role is Role.CONFIG:
        return Kind.CONFIG
    # An entry whose type does not tell and which is found nowhere counts as what indexes are made for.
    if role is Role.ENTRY and target is not Target.BLOB:
        return Kind.CHILD
    return Kind.LAYER


@dataclass(frozen=True, slots=True)
class Edge:
    """A failed reference on the way down from one root.

    `described` says that it is only reached through an attestation, a signature or the like; `known` that an
    earlier cycle had met it.
    """

    reference: Reference
    failure: Failure
    suspect: Suspect
    descriptor: Descriptor
    described: bool
    known: bool


@dataclass(slots=True)
class Breakage:
    """A failed reference with every tag that leads to it.

    `digest` and `descriptor` are None where a tag does not resolve, `descriptor` for every tag. `pulled_by`
    are the tags whose pull needs it, `described_by` those that it only describes.
    """

    reference: Reference
    failure: Failure
    suspect: Suspect
    digest: Digest | None = None
    descriptor: Descriptor | None = None
    known: bool = False
    pulled_by: set[str] = field(default_factory=set)
    described_by: set[str] = field(default_factory=set)

    @property
    def tags(self) -> set[str]:
        """All tags that lead here."""
        return self.pulled_by | self.described_by


async def breakages(graph: RepositoryGraph) -> dict[Reference, Breakage]:
    """Follow every tag to the failed references below it; others have their turns meanwhile."""
    found: dict[Reference, Breakage] = {}
    if graph.flawless():
        return found
    for tag, failure in graph.tag_failures.items():
        reference = Reference(Kind.TAG, tag=tag)
        found[reference] = Breakage(reference, failure, tag, known=tag in graph.kept_roots, pulled_by={tag})
    failed, turns = graph.failed_digests(), Turns(_DESCRIPTORS_AT_ONCE)
    for root, tags in tags_by_root(graph.roots).items():
        root_failure = graph.manifest_failures.get(root)
        if root_failure is not None:
            for tag in tags:
                reference = Reference(Kind.TAG, tag=tag)
                known = root not in graph.fresh
                found[reference] = Breakage(reference, root_failure, root, root, known=known, pulled_by={tag})
        async for edge in _failed_edges(graph, root, failed, turns):
            breakage = found.get(edge.reference)
            if breakage is None or _outweighs(edge.failure, breakage.failure):
                breakage = found[edge.reference] = Breakage(
                    edge.reference, edge.failure, edge.suspect, edge.reference.digest, edge.descriptor
                )
            elif _outweighs(breakage.failure, edge.failure):
                continue
            breakage.known = breakage.known or edge.known
            breakage.descriptor = min(breakage.descriptor or edge.descriptor, edge.descriptor, key=_order)
            (breakage.described_by if edge.described else breakage.pulled_by).update(tags)
    return found


def _outweighs(failure: Failure, other: Failure) -> bool:
    # Descriptors of several sizes are several questions about the same content. What is broken counts, for
    # the tags that it breaks, and before all what is still to be asked again.
    return _weight(failure) > _weight(other)


def _weight(failure: Failure) -> tuple[bool, bool]:
    return failure.judgement.verdict is Verdict.BROKEN, failure.suspected


def _order(descriptor: Descriptor) -> tuple[str, int, str]:
    # Several descriptors may lead to the same content; which one is shown must not depend on timing.
    return (descriptor.media_type, descriptor.size or 0, str(descriptor.platform))


def tags_by_root(roots: Mapping[str, Digest]) -> dict[Digest, list[str]]:
    """Turn around what tags resolve to."""
    grouped: dict[Digest, list[str]] = {}
    for tag, root in roots.items():
        grouped.setdefault(root, []).append(tag)
    return grouped


async def _failed_edges(
    graph: RepositoryGraph, root: Digest, failed: Collection[CompactDigest], turns: Turns
) -> AsyncIterator[Edge]:
    # Not recursive, and each manifest at most twice: a hostile registry may nest deep and in circles.
    stack = [(root, False)]
    seen = set(stack)
    while stack:
        parent, described = stack.pop()
        await turns.after()
        if not graph.manifests.may_list(parent, failed):  # most do not, and are not made again
            continue
        manifest = graph.manifests.get(parent)
        if manifest is None:
            continue
        for role, descriptor in manifest.descriptors:
            await turns.after()
            if graph.skips(role, descriptor):
                continue
            target = graph.target_of(role, descriptor)
            kind = kind_of(role, target)
            below = described or (kind is Kind.CHILD and _only_describes(graph, descriptor))
            failure = graph.failure_of(target, descriptor)
            if failure is not None:
                suspect: Suspect = (
                    (descriptor.digest, descriptor.size) if target is Target.BLOB else descriptor.digest
                )
                reference = Reference(kind, digest=descriptor.digest)
                yield Edge(reference, failure, suspect, descriptor, below, parent not in graph.fresh)
            step = (descriptor.digest, below)
            if kind is Kind.CHILD and step not in seen:
                seen.add(step)
                stack.append(step)


def _only_describes(graph: RepositoryGraph, child: Descriptor) -> bool:
    if child.platform is not None and not child.platform.runnable:
        return True
    if child.artifact_type is not None and child.artifact_type not in IMAGE_CONFIGS:
        return True
    manifest = graph.manifests.head(child.digest)
    return manifest is not None and not manifest.runnable
