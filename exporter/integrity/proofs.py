"""Proving the data of blobs, once per digest of a registry, and learning whether ranges work there."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

import structlog

from exporter.integrity.finding import Verdict
from exporter.integrity.judge import Judgement, judge_blob_head, judge_error, judge_last_byte
from exporter.integrity.options import BlobCheck
from exporter.oci import Digest
from exporter.registry import AnswerError, Errand, Purpose, RegistryClient, RegistryError

BlobKey: TypeAlias = tuple[Digest, int | None]

_RANGE_DECIDES: Final = frozenset({401, 403, 405})


class RangeSupport:
    """Whether a registry answers ranges; learnt once, kept from cycle to cycle."""

    def __init__(self, registry: str, check: BlobCheck) -> None:
        self._registry = registry
        # Known from the start unless it is to be tried out.
        self._works: bool | None = {BlobCheck.AUTO: None, BlobCheck.RANGE: True, BlobCheck.HEAD: False}[check]
        self._seen = False
        self._trial = asyncio.Lock()

    @property
    def unknown(self) -> bool:
        """Whether it still has to be tried out."""
        return self._works is None

    @property
    def refused(self) -> bool:
        """Whether blobs are asked by `HEAD` only."""
        return self._works is False

    @property
    def trial(self) -> asyncio.Lock:
        """Held by the one question that tries it out, so that not every connection downloads a blob."""
        return self._trial

    def learn(self, *, works: bool) -> None:
        """Take note of an answer to a range; that ranges are ignored is said once.

        Where ranges were seen to work, one answer that ignores them says nothing of the other blobs. Where
        they are refused, by the registry or by its operator, a confirmation's range changes nothing.
        """
        if self.refused:
            return
        if works:
            self._works = self._seen = True
        elif not self._seen:
            self._works = False
            structlog.get_logger().warning(
                "the registry ignores ranges: blobs are checked by HEAD, which does not prove their data",
                registry=self._registry,
            )


class DataProofs:
    """Which repository's request proves the data of which blob in this cycle."""

    def __init__(self) -> None:
        # Of all blobs of a registry, so by their 64-bit hashes alone. That any two of a million share one has
        # a chance of one in forty million; then the data of one waits to be proved until the next start.
        self._proved: set[int] = set()
        self._failed: set[BlobKey] = set()
        self._waiting: dict[BlobKey, list[Callable[[bool], None]]] = {}

    def claim(self, key: BlobKey) -> bool:
        """Claim the proof of a blob; true for the first who asks."""
        if key in self._waiting or key in self._failed or hash(key) in self._proved:
            return False
        self._waiting[key] = []
        return True

    def failed(self, key: BlobKey) -> bool:
        """Whether the proof was tried and failed."""
        return key in self._failed

    def settle(self, key: BlobKey, *, proved: bool) -> None:
        """Say how a claimed proof ended, to all that wait for it."""
        if proved:
            self._proved.add(hash(key))
        else:
            self._failed.add(key)
        for callback in self._waiting.pop(key):
            callback(proved)

    def when_settled(self, key: BlobKey, callback: Callable[[bool], None]) -> bool:
        """Call back when a claimed proof is settled; false when it already is."""
        if key not in self._waiting:
            return False
        self._waiting[key].append(callback)
        return True


class BlobInquiry:
    """Asks for blobs in the way that proves most at one request each."""

    def __init__(self, client: RegistryClient, ranges: RangeSupport, proofs: DataProofs) -> None:
        self._client = client
        self._ranges = ranges
        self.proofs = proofs

    @property
    def smallest_first(self) -> bool:
        """Whether it matters that the smallest blob is asked first."""
        return self._ranges.unknown

    def by_head(self, key: BlobKey) -> bool:
        """Whether headers are all that is asked for."""
        return not key[1] or self._ranges.refused

    def expect(self, key: BlobKey) -> None:
        """Take note of a blob that will be asked for."""

    async def ask(self, repository: str, key: BlobKey, errand: Errand) -> tuple[Judgement, bool]:
        """Ask for a blob; the flag says whether another's proof of the same data is still to be awaited."""
        if self.by_head(key):
            return await self._head(repository, key, errand), False
        if self.proofs.claim(key):
            proved = False
            try:
                judgement = await self.prove(repository, key, errand)
                proved = judgement.verdict is Verdict.INTACT
            finally:
                self.proofs.settle(key, proved=proved)
            return judgement, False
        if self.proofs.failed(key):
            return await self.last_byte(repository, key, errand), False
        judgement = await self._head(repository, key, errand)
        return judgement, judgement.verdict is Verdict.INTACT

    async def last_byte(self, repository: str, key: BlobKey, errand: Errand) -> Judgement:
        """Ask for a blob's last byte, or for its first where its size is unknown."""
        digest, size = key
        try:
            answer = await self._client.last_byte(repository, digest, 1 if size is None else size, errand)
        except RegistryError as error:
            return judge_error(error)
        if not answer.ranged and answer.total is None:
            # Neither the range nor the length is told, so this says no more than that something is there.
            return await self._head(repository, key, replace(errand, purpose=Purpose.CONFIRMATION), last=True)
        judgement = judge_last_byte(answer, size)
        # A single byte is both the whole and the range.
        if size is not None and size > 1 and judgement.verdict is Verdict.INTACT:
            self._ranges.learn(works=answer.ranged)
        return judgement

    async def prove(self, repository: str, key: BlobKey, errand: Errand) -> Judgement:
        """Ask for the data of a blob, in the way that this registry knows."""
        if self._ranges.unknown:
            async with self._ranges.trial:
                if self._ranges.unknown:
                    return await self.last_byte(repository, key, errand)
        if self._ranges.refused:
            return await self._head(repository, key, errand)
        return await self.last_byte(repository, key, errand)

    async def _head(self, repository: str, key: BlobKey, errand: Errand, *, last: bool = False) -> Judgement:
        digest, size = key
        try:
            answer = await self._client.head_blob(repository, digest, errand)
        except AnswerError as error:
            if error.status in _RANGE_DECIDES and not last:
                return await self.last_byte(repository, key, replace(errand, purpose=Purpose.CONFIRMATION))
            return judge_error(error)
        except RegistryError as error:
            return judge_error(error)
        return judge_blob_head(answer, size)
