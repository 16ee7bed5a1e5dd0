"""The damage model: from what is stored and what was done to it to the findings that must come of it.

It knows nothing of how the walk goes about it. A reference's verdict follows from the registry's answers
(`facts.py`), a finding's tags and impact from the content (`sample.content`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from sample import media_types
from sample.content import Content, Descriptor, Manifest
from tests.integrity.facts import FACTS, INTACT, Answer, Answers, Memory, Part
from tests.integrity.world import Deed, File, World

IMAGE_CONFIGS: Final = {media_types.OCI_CONFIG, media_types.DOCKER_CONFIG}

# What each answer says of a reference; None: that it is intact.
VERDICTS: Final = {
    Answer.WHOLE: None,
    Answer.LAST_BYTE: None,
    Answer.GONE: ("broken", "missing"),
    Answer.MANIFEST_UNKNOWN: ("broken", "missing"),
    Answer.BLOB_UNKNOWN: ("broken", "missing"),
    Answer.LENGTH_0: ("broken", "size_mismatch"),
    Answer.SHORT: ("broken", "size_mismatch"),
    Answer.BEYOND: ("broken", "size_mismatch"),
    Answer.CUT: ("broken", "truncated"),
    Answer.OTHER_BYTES: ("broken", "digest_mismatch"),
    Answer.ERROR: ("unverified", "server_error"),
    Answer.UNKNOWN: ("unverified", "server_error"),
}
Verdict = tuple[str, str] | None

# What is there, in whatever state, is not sent again by the client or not written again by the registry.
PUSHING_AGAIN_LEAVES: Final = {"empty_data", "truncate_data", "flip_data", "break_data"}


@dataclass(frozen=True)
class ExpectedFinding:
    """A finding as far as the model tells it."""

    repository: str
    kind: str
    tags: tuple[str, ...]
    digest: str | None
    verdict: str
    reason: str
    impact: str
    stale: bool = False


@dataclass(frozen=True)
class ExpectedRepository:
    """A repository's part of the report."""

    tags: int
    checked: Mapping[str, int]
    findings: tuple[ExpectedFinding, ...]


@dataclass
class _Reference:
    verdict: Verdict
    pulled_by: set[str] = field(default_factory=set)
    described_by: set[str] = field(default_factory=set)


class Model:
    """What a cycle must report of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        done = (*_collected(world), *world.deeds)
        if world.pushed_again:
            done = tuple(deed for deed in done if deed.damage in PUSHING_AGAIN_LEAVES)
        self._done: dict[File, Deed] = {deed.file: deed for deed in done}
        self._manifests = {
            manifest.digest: manifest for content in world.contents for manifest in content.manifests
        }

    @cached_property
    def report(self) -> dict[str, ExpectedRepository]:
        """The repositories that the catalog lists, by name."""
        return {name: self._repository(name) for name in self._world.repositories if not self._unlisted(name)}

    def _unlisted(self, name: str) -> bool:
        gone = any(("repository", above) in self._done for above in (name, *_above(name)))
        return gone or ("layers", name) in self._done

    def _repository(self, name: str) -> ExpectedRepository:
        tags = self._world.repositories[name]
        if ("manifests", name) in self._done:
            tags = {}
        tags = {tag: root for tag, root in tags.items() if ("tag folder", name, tag) not in self._done}
        return _RepositoryModel(self, name, tags, self._world).report()

    def manifest(self, digest: str) -> Manifest:
        return self._manifests[digest]

    def tag_answers(self, repository: str, tag: str, root: str) -> Answers:
        """The answers by a tag's name."""
        deed = self._done.get(("tag", repository, tag))
        if deed is not None:
            return FACTS[Memory.NOTHING][Part.TAG, deed.damage]
        return self.manifest_answers(repository, root)

    def manifest_answers(self, repository: str, digest: str) -> Answers:
        """The answers by a manifest's digest."""
        link = self._done.get(("revision", repository, digest))
        data = self._done.get(("data", digest))
        for deed in (link, data):
            if deed is not None:
                return FACTS[Memory.NOTHING][Part.MANIFEST, deed.damage]
        return INTACT[Part.MANIFEST]

    def blob_answers(self, repository: str, descriptor: Descriptor) -> Answers:
        """The answers to the question for a blob, its last byte for GET."""
        part = Part.BLOB if descriptor.size else Part.EMPTY_BLOB
        memory = Memory.SIZE if self._world.warm else Memory.NOTHING
        answers = INTACT[part]
        for file in (("layer", repository, descriptor.digest), ("data", descriptor.digest)):
            if file in self._done and answers == INTACT[part]:
                answers = FACTS[memory][part, self._done[file].damage]
        return answers


class _RepositoryModel:
    """One repository, walked from its tags as a reader of the specification would."""

    def __init__(self, model: Model, name: str, tags: Mapping[str, Content], world: World) -> None:
        self._model, self._name, self._tags, self._world = model, name, tags, world
        self._references: dict[tuple[str, str], _Reference] = {}
        self._checked: set[tuple[str, str]] = set()
        self._findings: list[ExpectedFinding] = []

    def report(self) -> ExpectedRepository:
        for tag, content in self._tags.items():
            self._tag(tag, content)
        for (kind, digest), reference in self._references.items():
            self._add(kind, digest, reference)
        checked = {"tag": len(self._tags)}
        for kind in ("child", "config", "layer"):
            checked[kind] = sum(one == kind for one, _ in self._checked)
        return ExpectedRepository(len(self._tags), checked, tuple(sorted(self._findings, key=repr)))

    def _tag(self, tag: str, content: Content) -> None:
        root = content.digest
        by_name = VERDICTS[self._model.tag_answers(self._name, tag, root).head]
        if by_name is not None:
            self._findings.append(ExpectedFinding(self._name, "tag", (tag,), None, *by_name, impact="pull"))
            if by_name[0] == "unverified" and self._world.remembered:
                # What it led to before is asked for, and counted, but who knows whether it still does.
                for kind, digest, _, _, _ in self._below(root):
                    self._checked.add((kind, digest))
            return
        verdict = self._manifest_verdict(root)
        if verdict is not None:
            self._findings.append(ExpectedFinding(self._name, "tag", (tag,), root, *verdict, impact="pull"))
        for kind, digest, verdict, described, _ in self._below(root):
            self._checked.add((kind, digest))
            reference = self._references.setdefault((kind, digest), _Reference(verdict))
            assert reference.verdict == verdict
            (reference.described_by if described else reference.pulled_by).add(tag)

    def _below(
        self, digest: str, *, described: bool = False
    ) -> Iterator[tuple[str, str, Verdict, bool, Descriptor]]:
        """Yield every reference below a manifest as far down as manifests can be read."""
        verdict = self._manifest_verdict(digest)
        unread = verdict is not None and not (verdict[0] == "unverified" and self._world.remembered)
        if unread:
            return
        manifest = self._model.manifest(digest)
        for child in manifest.children:
            below = described or self._only_describes(child)
            yield "child", child.digest, self._manifest_verdict(child.digest), below, child
            yield from self._below(child.digest, described=below)
        if manifest.config is not None:
            config = manifest.config
            yield "config", config.digest, self._blob_verdict(config), described, config
        for layer in manifest.layers:
            if not layer.foreign:
                yield "layer", layer.digest, self._blob_verdict(layer), described, layer

    def _only_describes(self, child: Descriptor) -> bool:
        if child.platform == "unknown/unknown":
            return True
        verdict = self._manifest_verdict(child.digest)
        if verdict is not None and not (verdict[0] == "unverified" and self._world.remembered):
            return False  # its descriptor says nothing, and itself cannot be read
        manifest = self._model.manifest(child.digest)
        is_image = manifest.config is not None and manifest.config.media_type in IMAGE_CONFIGS
        return "artifactType" in manifest.document and not is_image

    def _manifest_verdict(self, digest: str) -> Verdict:
        answers = self._model.manifest_answers(self._name, digest)
        # What was read before is asked for by HEAD, and by GET again only when that fails.
        if self._world.remembered and VERDICTS[answers.head] is None:
            return None
        return VERDICTS[answers.get]

    def _blob_verdict(self, descriptor: Descriptor) -> Verdict:
        answers = self._model.blob_answers(self._name, descriptor)
        if self._world.heads_only and VERDICTS[answers.head] is None:
            return None
        return VERDICTS[answers.get]

    def _add(self, kind: str, digest: str, reference: _Reference) -> None:
        if reference.verdict is None:
            return
        impact = "pull" if reference.pulled_by else "metadata"
        tags = tuple(sorted(reference.pulled_by or reference.described_by))
        self._findings.append(
            ExpectedFinding(self._name, kind, tags, digest, *reference.verdict, impact=impact)
        )


def _above(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _collected(world: World) -> Iterable[Deed]:
    """What `garbage-collect --delete-untagged` of 2.8.2 does, told as damage.

    It deletes every manifest that no tag of its repository points to, and the data of whatever no remaining
    manifest lists: an index lists its children, but not what those need.
    """
    if not world.collected:
        return
    needed: set[str] = set()
    for tags in world.repositories.values():
        for content in tags.values():
            needed.add(content.digest)
            needed.update(_listed(content.root))
    for name, tags in world.repositories.items():
        tagged = {content.digest for content in tags.values()}
        for digest in sorted({one.digest for content in tags.values() for one in content.manifests} - tagged):
            yield Deed("remove_revision_link", name, digest)
    for digest in sorted(world.data - needed):
        yield Deed("remove_data", None, digest)


def _listed(manifest: Manifest) -> Iterator[str]:
    for descriptor in (*manifest.entries, *manifest.layers):
        yield descriptor.digest
    if manifest.config is not None:
        yield manifest.config.digest
