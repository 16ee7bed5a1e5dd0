"""The walk of one repository: every tag, manifest and blob below it, each question once."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from exporter.integrity.finding import Kind, Reason, Reference, Verdict
from exporter.integrity.graph import Description, Failure, RepositoryGraph, kind_of, root_of_image
from exporter.integrity.judge import (
    INTACT,
    Judgement,
    judge_description,
    judge_error,
    judge_listing_error,
    judge_manifest,
    judge_manifest_head,
    unverified,
)
from exporter.integrity.manifests import ManifestCache, MetManifests
from exporter.integrity.options import Scope
from exporter.integrity.proofs import BlobInquiry, BlobKey
from exporter.integrity.workers import Batch
from exporter.oci import (
    Descriptor,
    Digest,
    InvalidValueError,
    Manifest,
    Role,
    Target,
    check_tag,
    digested_content,
    quoted,
)
from exporter.registry import Errand, Purpose, RegistryClient, RegistryError

MOST_REFERENCES: Final = 25_000  # that one tag may lead to
_NAMES_SHOWN: Final = 3


@dataclass(slots=True)
class DigestHeaders:
    """Whether a registry tells a tag's digest in its headers; ECR and others never do.

    Where it was `told` once, an answer without it says nothing of the other tags. Where it was `missed`, but
    came with a tag's body, it may have been a proxy's fault.
    """

    told: bool = False
    missed: bool = False
    told_with_body: bool = False

    @property
    def missing(self) -> bool:
        """Whether to ask without hoping for it."""
        return self.missed and not self.told

    def begin_cycle(self) -> None:
        """Hope again where there is reason to."""
        self.missed = self.missed and not self.told_with_body
        self.told_with_body = False


@dataclass(frozen=True, slots=True)
class WalkContext:
    """What the walks of one cycle share."""

    client: RegistryClient
    cache: ManifestCache
    blobs: BlobInquiry
    walking: Errand
    digest_headers: DigestHeaders = field(default_factory=DigestHeaders)

    def errand(self, purpose: Purpose) -> Errand:
        """Requests of this cycle for a purpose."""
        return self.walking if purpose is Purpose.WALK else replace(self.walking, purpose=purpose)


class RepositoryWalk:
    """Asks everything about one repository and keeps what it learnt in `graph`.

    `seen` holds the distinct references by kind, tags apart; `unmirrored` the children that
    `platforms` says are not meant to be there.
    `listing` judges the asking for the tags, `names` what came. No `RegistryError` leaves it.
    """

    def __init__(
        self,
        name: str,
        context: WalkContext,
        batch: Batch,
        previous_roots: Mapping[str, Digest],
        scope: Scope,
    ) -> None:
        self.name = name
        self.scope = scope
        self.graph = RepositoryGraph(MetManifests(context.cache), scope.platforms)
        self.listing: Judgement = INTACT
        self.names: Judgement = INTACT
        self.seen: dict[Kind, set[Digest]] = {kind: set() for kind in Kind if kind is not Kind.TAG}
        self.unmirrored: set[Digest] = set()
        self.batch = batch
        self._context = context
        self._previous_roots = previous_roots
        self._known_roots = frozenset(previous_roots.values())
        self._asked_manifests: set[Digest] = set()
        self._followed: set[Digest] = set()
        # Tags that no HEAD resolves: some proxies know only GET.
        self._by_get: set[str] = set()
        self._opaque_manifests: set[Digest] = set()
        self._asked_blobs: set[BlobKey] = set()
        # By which root each manifest was reached first, and to how many references each root has led so far.
        self._reached_by: dict[Digest, Digest] = {}
        self._led_to: Counter[Digest] = Counter()
        self._too_many: set[Digest] = set()
        # What descriptors promise of manifests that have not come yet.
        self._promised: dict[Digest, set[Description]] = {}
        # Descriptors whose type does not tell where the content is: one of each digest, all keys.
        self._uncertain: dict[Digest, tuple[Role, Descriptor]] = {}
        self._asked_anywhere: set[BlobKey] = set()

    @property
    def met_manifests(self) -> set[Digest]:
        """All manifests that this walk has asked for."""
        return self._asked_manifests | self._opaque_manifests

    def found_intact(self, reference: Reference) -> bool:
        """Whether this walk asked for what this leads to, below the tags, and found nothing wrong."""
        graph, digest = self.graph, reference.digest
        if digest is None or digest not in self.seen.get(reference.kind, ()):
            return False
        if reference.kind is Kind.CHILD:
            failed = digest in graph.manifest_failures or digest in graph.misdescribed
            return digest in graph.manifests and not failed
        return all(digest != asked for asked, _ in graph.blob_failures)

    async def run(self) -> None:
        """List the tags, then ask for all that they and the images lead to; nothing is confirmed yet."""
        if self.scope.lists_tags:
            self.batch.add(self._list)
        for tag in self.scope.named_tags:
            self.graph.tags.add(tag)
            self.batch.add(self.ask_tag, tag)
        for digest in self.scope.images:
            self.graph.roots[root_of_image(digest)] = digest
            self.follow(digest)
        await self.batch.finished()

    async def list_tags(self, purpose: Purpose) -> set[str] | None:
        """List the tags; None where that failed, with `listing` saying why."""
        try:
            names = await self._context.client.tags(self.name, self._context.errand(purpose))
        except RegistryError as error:
            self.listing = judge_listing_error(error)
            return None
        tags: set[str] = set()
        wrong: list[str] = []
        for name in names:
            try:
                tags.add(check_tag(name))
            except InvalidValueError:
                wrong.append(quoted(name))
        if wrong:
            shown = ", ".join(wrong[:_NAMES_SHOWN])
            detail = f"GET tags/list answered with {len(wrong)} names that are no tags: {shown}"
            self.names = unverified(Reason.PROTOCOL, detail)
        return {tag for tag in tags if self.scope.tags.accepts(tag)}

    async def ask_tag(self, tag: str, purpose: Purpose = Purpose.WALK) -> None:
        """Resolve a tag and follow it."""
        graph = self.graph
        by_get = purpose is Purpose.CONFIRMATION and (tag not in graph.roots or tag in self._by_get)
        resolved = await self._resolve(tag, purpose, by_get=by_get)
        if by_get:
            self._by_get.add(tag)
        if isinstance(resolved, Digest):
            graph.tag_failures.pop(tag, None)
            graph.kept_roots.pop(tag, None)
            graph.roots[tag] = resolved
            self.follow(resolved)
            return
        kept = graph.roots.pop(tag, None) or self._previous_roots.get(tag)
        graph.tag_failures[tag] = self._failure(resolved, confirmed=by_get)
        if resolved.verdict is Verdict.UNVERIFIED and kept is not None:
            # What it led to keeps its verdict, so that has to be asked for all the same.
            graph.kept_roots[tag] = kept
            self.follow(kept)

    def follow(self, digest: Digest) -> None:
        """Ask for a manifest and all below it, unless that was done before in this walk."""
        self._followed.add(digest)
        if digest not in self._asked_manifests:
            self._asked_manifests.add(digest)
            self._reached_by.setdefault(digest, digest)
            self.batch.add(self._ask_manifest, digest)

    async def confirm_manifest(self, digest: Digest) -> None:
        """Ask for a manifest again, by `GET`; what it holds is followed where it turns out intact."""
        if digest in self._uncertain:
            await self._ask_anywhere(*self._uncertain[digest], Purpose.CONFIRMATION)
        is_blob = self.graph.targets.get(digest) is Target.BLOB
        if digest in self._followed if is_blob else digest not in self._uncertain:
            result = await self._fetch(digest, Purpose.CONFIRMATION)
            self._settle_manifest(digest, result, confirmed=True)
        misdescribed = self.graph.misdescribed.get(digest, {})
        misdescribed.update({one: replace(failure, confirmed=True) for one, failure in misdescribed.items()})

    async def confirm_blob(self, key: BlobKey) -> None:
        """Ask for a blob again, by `GET` of its last byte."""
        self._settle_blob(key, await self._ask_as_blob(key, Purpose.CONFIRMATION), confirmed=True)

    async def _list(self) -> None:
        tags = await self.list_tags(Purpose.WALK)
        for tag in tags or ():
            self.graph.tags.add(tag)
            self.batch.add(self.ask_tag, tag)

    async def _resolve(self, tag: str, purpose: Purpose, *, by_get: bool) -> Digest | Judgement:
        client, errand = self._context.client, self._context.errand(purpose)
        headers = self._context.digest_headers
        try:
            if not by_get and not headers.missing:
                head = await client.head_manifest(self.name, tag, errand)
                if head.digest is not None:
                    headers.told = True
                    return head.digest
                headers.missed = True
                errand = self._context.errand(Purpose.CONFIRMATION)  # on top, of what HEAD should have told
            # Without the header only content tells the digest; and only GET tells why a tag is not there.
            answer = await client.get_manifest(self.name, tag, errand)
        except RegistryError as error:
            return judge_error(error)
        headers.told_with_body = headers.told_with_body or answer.digest is not None
        return answer.digest or Digest.of(digested_content(answer.body))

    async def _ask_manifest(self, digest: Digest) -> None:
        cache = self._context.cache
        remembered = cache.get(self.name, digest)
        if remembered is None:
            if not (cache.refuses and self._reached_by.get(digest) in self._known_roots):
                self.graph.fresh.add(digest)
            self._settle_manifest(digest, await self._fetch(digest, Purpose.WALK))
            return
        result = await self._ask_remembered_manifest(digest, remembered)
        self._settle_manifest(digest, result)
        if isinstance(result, Judgement) and result.verdict is Verdict.UNVERIFIED:
            # It cannot be asked now; what is below it can.
            self._keep_manifest(digest, remembered)

    async def _ask_remembered_manifest(self, digest: Digest, remembered: Manifest) -> Manifest | Judgement:
        """Ask for the headers, and for the body again where that is due."""
        now = asyncio.get_running_loop().time()
        judgement = await self._ask_manifest_head(digest, remembered)
        if judgement is not INTACT:
            return judgement
        if self._context.cache.due(self.name, digest, now):
            return await self._fetch(digest, Purpose.REFETCH)
        return remembered

    async def _ask_manifest_head(self, digest: Digest, remembered: Manifest) -> Judgement:
        try:
            errand = self._context.errand(Purpose.WALK)
            answer = await self._context.client.head_manifest(self.name, digest, errand)
        except RegistryError as error:
            return judge_error(error)
        return judge_manifest_head(answer, digest, remembered)

    async def _fetch(self, digest: Digest, purpose: Purpose) -> Manifest | Judgement:
        try:
            errand = self._context.errand(purpose)
            answer = await self._context.client.get_manifest(self.name, digest, errand)
        except RegistryError as error:
            return judge_error(error)
        result = judge_manifest(answer, digest)
        if isinstance(result, Manifest):
            self._context.cache.remember(self.name, digest, result, asyncio.get_running_loop().time())
        return result

    def _settle_manifest(
        self, digest: Digest, result: Manifest | Judgement, *, confirmed: bool = False
    ) -> None:
        self.graph.manifest_failures.pop(digest, None)
        if isinstance(result, Manifest):
            self._keep_manifest(digest, result)
            return
        self.graph.manifest_failures[digest] = self._failure(result, confirmed=confirmed)
        if result.verdict is Verdict.BROKEN:
            self._context.cache.forget(self.name, digest)

    def _keep_manifest(self, digest: Digest, manifest: Manifest) -> None:
        root = self._reached_by.get(digest, digest)
        if digest not in self.graph.manifests:
            self._led_to[root] += manifest.references
            if self._led_to[root] > MOST_REFERENCES:  # a hostile registry can go on for ever
                self._too_many.add(digest)
        self.graph.manifests.add(digest, manifest)
        for description in self._promised.pop(digest, ()):
            self._compare(digest, manifest, description)
        if digest in self._too_many:
            detail = f"not followed: its tag leads to more than {MOST_REFERENCES} references"
            self.graph.manifest_failures[digest] = self._failure(
                unverified(Reason.TOO_LARGE, detail), confirmed=False
            )
            return
        self._expand(manifest, root)

    def _check_description(self, digest: Digest, description: Description) -> None:
        manifest = self.graph.manifests.head(digest)
        if manifest is None:
            self._promised.setdefault(digest, set()).add(description)
        else:
            self._compare(digest, manifest, description)

    def _compare(self, digest: Digest, manifest: Manifest, description: Description) -> None:
        judgement = judge_description(manifest, *description)
        if judgement is not INTACT:
            misdescribed = self.graph.misdescribed.setdefault(digest, {})
            misdescribed.setdefault(description, self._failure(judgement, confirmed=False))

    def _expand(self, manifest: Manifest, root: Digest) -> None:
        blobs: list[tuple[Role, Descriptor]] = []
        for role, descriptor in manifest.descriptors:
            if self.graph.skips(role, descriptor):
                if not self.graph.mirrors(role, descriptor):
                    self.unmirrored.add(descriptor.digest)
                continue
            match self.graph.target_of(role, descriptor):
                case Target.BLOB:
                    blobs.append((role, descriptor))
                case Target.MANIFEST if role is Role.ENTRY:
                    self._reached_by.setdefault(descriptor.digest, root)
                    self.seen[Kind.CHILD].add(descriptor.digest)
                    self._check_description(descriptor.digest, (descriptor.media_type, descriptor.size))
                    self.follow(descriptor.digest)
                case _ if (key := (descriptor.digest, descriptor.size)) not in self._asked_anywhere:
                    self._reached_by.setdefault(descriptor.digest, root)
                    self._uncertain.setdefault(descriptor.digest, (role, descriptor))
                    self._asked_anywhere.add(key)
                    self.batch.add(self._ask_anywhere, role, descriptor)
                case _:
                    pass
        if self._context.blobs.smallest_first:  # jobs are taken newest first
            blobs.sort(key=lambda item: item[1].size or 0, reverse=True)
        for role, descriptor in blobs:
            self.seen[kind_of(role, Target.BLOB)].add(descriptor.digest)
            key = (descriptor.digest, descriptor.size)
            if key not in self._asked_blobs:
                self._asked_blobs.add(key)
                self._context.blobs.expect(key)
                self.batch.add(self._ask_blob, key)

    async def _ask_anywhere(
        self, role: Role, descriptor: Descriptor, purpose: Purpose = Purpose.WALK
    ) -> None:
        """Ask for content whose type does not tell where it is: as a blob, then as a manifest."""
        digest, key = descriptor.digest, (descriptor.digest, descriptor.size)
        confirmed = purpose is Purpose.CONFIRMATION
        as_blob = None
        if confirmed or not self._context.cache.knows(self.name, digest):
            as_blob = await self._ask_as_blob(key, purpose)
            if as_blob.verdict is not Verdict.UNVERIFIED and as_blob.reason is not Reason.MISSING:
                self.graph.targets[digest] = Target.BLOB
                if digest not in self._followed:
                    self.graph.manifest_failures.pop(digest, None)
                    self.seen[kind_of(role, Target.MANIFEST)].discard(digest)
                self.seen[kind_of(role, Target.BLOB)].add(digest)
                self._asked_blobs.add(key)
                self._settle_blob(key, as_blob, confirmed=confirmed)
                return
        self.seen[kind_of(role, Target.MANIFEST)].add(digest)
        if role is Role.LAYER:
            await self._ask_opaque_manifest(descriptor, purpose)
        elif confirmed:
            result = await self._fetch(digest, purpose)
            self._settle_manifest(digest, result, confirmed=True)
        else:
            self._check_description(digest, (descriptor.media_type, descriptor.size))
            if digest not in self._asked_manifests:
                self._asked_manifests.add(digest)
                await self._ask_manifest(digest)
        failure = self.graph.manifest_failures.get(digest)
        if failure is None:
            self.graph.targets[digest] = Target.MANIFEST
        elif (
            failure.judgement.reason is Reason.MISSING
            and as_blob is not None
            and as_blob.reason is not Reason.MISSING
        ):
            # It may be the blob that could not be asked for.
            self.graph.manifest_failures[digest] = self._failure(as_blob, confirmed=confirmed)

    async def _ask_opaque_manifest(self, descriptor: Descriptor, purpose: Purpose) -> None:
        """Ask for a layer that is stored as a manifest; what it lists is not followed."""
        digest = descriptor.digest
        remembered = self._context.cache.get(self.name, digest)
        if remembered is None or purpose is Purpose.CONFIRMATION:
            result = await self._fetch(digest, purpose)
        else:
            result = await self._ask_remembered_manifest(digest, remembered)
        self._opaque_manifests.add(digest)
        if isinstance(result, Manifest):
            self.graph.manifest_failures.pop(digest, None)
        else:
            self._settle_manifest(digest, result, confirmed=purpose is Purpose.CONFIRMATION)

    async def _ask_blob(self, key: BlobKey) -> None:
        self._settle_blob(key, await self._ask_as_blob(key, Purpose.WALK))

    async def _ask_as_blob(self, key: BlobKey, purpose: Purpose) -> Judgement:
        blobs, errand = self._context.blobs, self._context.errand(purpose)
        if purpose is Purpose.CONFIRMATION:
            return await blobs.last_byte(self.name, key, errand)
        judgement, proof_pending = await blobs.ask(self.name, key, errand)
        if proof_pending:
            self._await_proof(key)
        return judgement

    def _await_proof(self, key: BlobKey) -> None:
        proofs = self._context.blobs.proofs

        def settled(proved: bool) -> None:
            if not proved:
                self.batch.add(self._ask_data, key)
            self.batch.release()

        self.batch.hold()
        if not proofs.when_settled(key, settled):
            settled(not proofs.failed(key))

    async def _ask_data(self, key: BlobKey) -> None:
        # The link was there, but elsewhere the data was not.
        self._settle_blob(key, await self._ask_as_blob(key, Purpose.CONFIRMATION))

    def _settle_blob(self, key: BlobKey, judgement: Judgement, *, confirmed: bool = False) -> None:
        if judgement.verdict is Verdict.INTACT:
            self.graph.blob_failures.pop(key, None)
        else:
            self.graph.blob_failures[key] = self._failure(judgement, confirmed=confirmed)

    def _failure(self, judgement: Judgement, *, confirmed: bool) -> Failure:
        return Failure(judgement, asyncio.get_running_loop().time(), confirmed)
