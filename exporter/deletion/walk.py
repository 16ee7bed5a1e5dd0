"""What the kept tags of a repository lead to: its tags and indexes are asked for, nothing else is."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from exporter.deletion.consequences import Listed, RepositoryGraph
from exporter.integrity import Reason
from exporter.integrity.judge import Judgement, judge_error, judge_manifest
from exporter.integrity.walk import MOST_REFERENCES
from exporter.integrity.workers import Batch
from exporter.oci import (
    Descriptor,
    Digest,
    InvalidValueError,
    Target,
    check_tag,
    digested_content,
    quoted,
    target_of,
)
from exporter.oci.media_types import INDEXES, MANIFESTS
from exporter.registry import AnswerError, Errand, RegistryClient, RegistryError

_LISTS_NOTHING: Final = MANIFESTS - INDEXES
_GET_MAY_DO: Final = frozenset({401, 403, 404, 405})  # statuses of a HEAD, which never says why
_NAMES_SHOWN: Final = 3


class RepositoryWalk:
    """Reads the graph of one repository, as far as what is listed could matter to it.

    No `RegistryError` leaves it: what could not be read is told in the graph.
    """

    def __init__(
        self, client: RegistryClient, repository: str, listed: Listed, errand: Errand, batch: Batch
    ) -> None:
        self._client = client
        self._repository = repository
        self._listed = listed
        self._errand = errand
        self._batch = batch
        self._tags: set[str] = set()
        self._roots: dict[str, Digest] = {}
        self._types: dict[Digest, str] = {}  # media types of the roots
        self._children: dict[Digest, tuple[Digest, ...]] = {}
        self._going: frozenset[Digest] = frozenset()
        self._absent: set[str] = set()
        self._doubtful: dict[Digest, str] = {}
        self._unread: set[str] = set()
        self._asked: set[Digest] = set()
        self._digests: dict[Digest, Digest] = {}  # each once, however many indexes list it
        self._led_to: Counter[Digest] = Counter()
        self._by_get = False  # no digests in headers

    async def run(self) -> RepositoryGraph:
        """List and resolve the tags; where anything that is listed is there, read what the others lead to."""
        self._batch.add(self._list_tags)
        await self._batch.finished()
        self._going = self._listed.digests.difference(self._absent).union(
            root for tag, root in self._roots.items() if tag in self._listed.tags
        )
        if self._going:
            for tag, root in self._roots.items():
                if tag not in self._listed.tags:
                    self._follow(root, self._types[root], Target.MANIFEST, root)
            await self._batch.finished()
        return RepositoryGraph(
            self._roots,
            self._children,
            self._absent,
            self._doubtful,
            self._unread,
            self._tags - self._roots.keys(),
        )

    async def _list_tags(self) -> None:
        try:
            names = await self._client.tags(self._repository, self._errand)
        except RegistryError as error:
            self._unread.add(str(error))
            return
        self._tags = self._checked(names)
        self._absent |= self._listed.tags - self._tags
        if self._listed.tags.isdisjoint(self._tags) and not self._listed.digests:
            return
        for tag in self._tags:
            self._batch.add(self._resolve, tag)
        for digest in self._listed.digests:
            self._batch.add(self._look_for, digest)

    def _checked(self, names: Iterable[str]) -> set[str]:
        tags, wrong = set(), []
        for name in names:
            try:
                tags.add(check_tag(name))
            except InvalidValueError:
                wrong.append(quoted(name))
        if wrong:
            shown = ", ".join(wrong[:_NAMES_SHOWN])
            self._unread.add(f"GET tags/list answered with {len(wrong)} names that are no tags: {shown}")
        return tags

    async def _resolve(self, tag: str) -> None:
        def not_read(reason: str) -> None:
            self._unread.add(reason)

        found = await self._find(tag, not_read)
        if found is not None:
            digest, self._types[digest] = found
            self._roots[tag] = digest

    async def _look_for(self, digest: Digest) -> None:
        def not_read(reason: str) -> None:
            self._doubtful[digest] = reason

        await self._find(digest, not_read)

    async def _find(self, reference: str, not_read: Callable[[str], None]) -> tuple[Digest, str] | None:
        """Find the digest and media type of a manifest; None where it is not there or could not be read."""
        try:
            return await self._head(reference) or await self._get(reference)
        except RegistryError as error:
            if judge_error(error).reason is not Reason.MISSING:
                not_read(str(error))
            elif reference in self._listed.tags or reference in self._listed.digests:
                self._absent.add(reference)
        return None

    async def _head(self, reference: str) -> tuple[Digest, str] | None:
        if self._by_get:
            return None
        try:
            head = await self._client.head_manifest(self._repository, reference, self._errand)
        except AnswerError as error:
            if error.status in _GET_MAY_DO:
                return None
            raise
        self._by_get = head.digest is None
        return (head.digest, head.media_type) if head.digest is not None else None

    async def _get(self, reference: str) -> tuple[Digest, str]:
        answer = await self._client.get_manifest(self._repository, reference, self._errand)
        return answer.digest or Digest.of(digested_content(answer.body)), answer.media_type

    def _follow(self, digest: Digest, media_type: str, target: Target, root: Digest) -> None:
        # Runtimes refuse an index that is declared to be an image, so what that lists is not pulled.
        if media_type not in _LISTS_NOTHING and digest not in self._asked:
            self._asked.add(digest)
            self._batch.add(self._read, digest, target, root)

    async def _read(self, digest: Digest, target: Target, root: Digest) -> None:
        try:
            answer = await self._client.get_manifest(self._repository, digest, self._errand)
        except RegistryError as error:
            # What is not there now, no deletion takes away.
            missing = judge_error(error).reason is Reason.MISSING
            if not missing and not (target is Target.UNKNOWN and await self._is_blob(digest)):
                self._unread.add(str(error))
            return
        manifest = judge_manifest(answer, digest)
        if isinstance(manifest, Judgement):
            self._unread.add(f"{self._repository}@{digest}: {manifest.detail}")
            return
        self._keep(digest, manifest.entries, root)

    def _keep(self, digest: Digest, entries: tuple[Descriptor, ...], root: Digest) -> None:
        self._led_to[root] += len(entries)
        if self._led_to[root] > MOST_REFERENCES:  # a hostile registry can go on for ever
            detail = f"not followed: its tag leads to more than {MOST_REFERENCES} references"
            self._unread.add(f"{self._repository}@{digest}: {detail}")
            return
        below = [entry for entry in entries if self._matters(entry)]
        self._children[digest] = tuple(self._once(entry.digest) for entry in below)
        for entry in below:
            self._follow(self._once(entry.digest), entry.media_type, target_of(entry.media_type), root)

    def _matters(self, entry: Descriptor) -> bool:
        """Whether it goes, or something below it may: most of what indexes list need not be remembered."""
        if target_of(entry.media_type) is Target.BLOB:
            return False
        return entry.digest in self._going or entry.media_type not in _LISTS_NOTHING

    def _once(self, digest: Digest) -> Digest:
        return self._digests.setdefault(digest, digest)

    async def _is_blob(self, digest: Digest) -> bool:
        try:
            await self._client.head_blob(self._repository, digest, self._errand)
        except RegistryError:
            return False
        return True
