"""An image as the tree of what a pull of it follows, each reference with what is known of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from exporter.integrity.finding import Finding, Kind, Reason, Reference, Verdict
from exporter.integrity.graph import Failure, RepositoryGraph, kind_of
from exporter.oci import Descriptor, Digest, Role, is_foreign_layer

DEEPEST = 32  # levels of indexes that are followed: a hostile registry may nest without end


@dataclass(frozen=True, slots=True)
class Node:
    """One reference, and below it what its manifest leads to; `size` is in bytes.

    `detail` is the evidence, or why it was skipped. `elsewhere` says that what is below stands in the tree
    already, or too deep. A platform that an index lacks has no digest.
    """

    kind: Kind
    verdict: Verdict = Verdict.INTACT
    reason: Reason | None = None
    detail: str = ""
    digest: Digest | None = None
    media_type: str | None = None
    size: int | None = None
    platform: str | None = None
    children: tuple["Node", ...] = ()
    elsewhere: bool = False

    def all(self) -> Iterator["Node"]:
        """This and all below it, in the order of the documents."""
        yield self
        for child in self.children:
            yield from child.all()


def tree_of(graph: RepositoryGraph, name: str, findings: Iterable[Finding]) -> Node:
    """Make the tree of an image: of a tag, or of what `root_of_image` calls an image by digest.

    `findings` are the repository's: what a rule ignores is skipped there.
    """
    findings = [finding for finding in findings if name in finding.tags or not finding.tags]
    hidden = {finding.reference for finding in findings if finding.verdict is Verdict.SKIPPED}
    root = graph.roots.get(name)
    failure = graph.tag_failures.get(name) if root is None else graph.manifest_failures.get(root)
    node = _judged(Node(Kind.TAG, digest=root), failure, hidden, tag=name)
    if root is None:
        return node
    manifest = graph.manifests.get(root)
    if manifest is not None:
        children = _Builder(graph, hidden).below(root, 1)
        node = replace(node, media_type=manifest.media_type, size=manifest.size, children=tuple(children))
    return replace(node, children=(*node.children, *_not_shown(node, findings)))


class _Builder:
    """Makes what is below a manifest, each manifest once."""

    def __init__(self, graph: RepositoryGraph, hidden: set[Reference]) -> None:
        self._graph = graph
        self._hidden = hidden
        self._shown: set[Digest] = set()

    def below(self, parent: Digest, depth: int) -> Iterator[Node]:
        """Make the nodes of a manifest's descriptors."""
        manifest = self._graph.manifests.get(parent)
        for role, descriptor in manifest.descriptors if manifest is not None else ():
            yield self._node(role, descriptor, depth)

    def _node(self, role: Role, descriptor: Descriptor, depth: int) -> Node:
        graph = self._graph
        target = graph.target_of(role, descriptor)
        node = Node(
            kind_of(role, target),
            digest=descriptor.digest,
            media_type=descriptor.media_type,
            size=descriptor.size,
            platform=str(descriptor.platform) if descriptor.platform is not None else None,
        )
        if graph.skips(role, descriptor):
            foreign = is_foreign_layer(descriptor.media_type)
            detail = "foreign layer" if foreign else "another platform"
            return replace(node, verdict=Verdict.SKIPPED, detail=detail)
        node = _judged(node, graph.failure_of(target, descriptor), self._hidden)
        if node.kind is not Kind.CHILD or descriptor.digest not in graph.manifests:
            return node
        if descriptor.digest in self._shown or depth >= DEEPEST:
            return replace(node, elsewhere=True)
        self._shown.add(descriptor.digest)
        return replace(node, children=tuple(self.below(descriptor.digest, depth + 1)))


def _judged(node: Node, failure: Failure | None, hidden: set[Reference], tag: str | None = None) -> Node:
    if failure is None:
        return node
    judgement = failure.judgement
    reference = Reference(node.kind, tag=tag) if tag is not None else Reference(node.kind, node.digest)
    verdict = Verdict.SKIPPED if reference in hidden else judgement.verdict
    detail = f"ignored: {judgement.detail}" if reference in hidden else judgement.detail
    return replace(node, verdict=verdict, reason=judgement.reason, detail=detail)


def _not_shown(tree: Node, findings: Iterable[Finding]) -> Iterator[Node]:
    """Make nodes of what is not in the tree: platforms that an index lacks, and what is too deep."""
    shown = {(node.kind, node.digest) for node in tree.all()}
    for finding in findings:
        if finding.kind is not Kind.TAG and (finding.kind, finding.digest) not in shown:
            yield Node(
                finding.kind,
                finding.verdict,
                finding.reason,
                finding.detail,
                finding.digest,
                finding.media_type,
                finding.size,
                finding.platform,
            )
