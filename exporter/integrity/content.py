"""Reading blobs whole, to compare their content with their digests."""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Final

from exporter.integrity.judge import LONGEST_BLOB, Judgement, judge_content, judge_error
from exporter.integrity.progress import CycleProgress
from exporter.integrity.proofs import BlobInquiry, BlobKey, DataProofs, RangeSupport
from exporter.oci import Digest
from exporter.registry import Errand, RegistryClient, RegistryError

_PIECE: Final = 1024 * 1024


class WholeBlobInquiry(BlobInquiry):
    """Reads the data of each blob once and hashes it; in other repositories its headers are asked for."""

    def __init__(
        self, client: RegistryClient, ranges: RangeSupport, proofs: DataProofs, progress: CycleProgress
    ) -> None:
        super().__init__(client, ranges, proofs)
        self._progress = progress
        self._expected: set[BlobKey] = set()

    @property
    def smallest_first(self) -> bool:
        """Nothing is tried out."""
        return False

    def expect(self, key: BlobKey) -> None:
        """Take note of a blob that will be read."""
        if key not in self._expected:
            self._expected.add(key)
            self._progress.bytes += key[1] or 0

    def by_head(self, key: BlobKey) -> bool:  # noqa: ARG002 - the base's
        """Headers prove nothing here."""
        return False

    async def prove(self, repository: str, key: BlobKey, errand: Errand) -> Judgement:
        """Read a blob and compare its content with its digest."""
        digest, size = key
        reading = _Reading(digest, size, self._progress)
        try:
            await self._client.read_blob(repository, digest, reading, errand)
            computed = await reading.digest()
        except RegistryError as error:
            return judge_error(error)
        finally:
            reading.end()
        return judge_content(reading.announced, reading.received, computed, digest, size)

    async def last_byte(self, repository: str, key: BlobKey, errand: Errand) -> Judgement:
        """Read the blob again, all of it."""
        self._progress.bytes += key[1] or 0
        return await self.prove(repository, key, errand)


class _Reading:
    """Hashes a blob as it comes, in another thread, one piece while the next is on its way."""

    def __init__(self, digest: Digest, size: int | None, progress: CycleProgress) -> None:
        self.announced: int | None = None
        self.received = 0
        self._algorithm = digest.algorithm if digest.verifiable else None
        self._size = size
        self._progress = progress
        self._hash = self._new_hash()
        self._piece: list[bytes] = []
        self._waiting = 0  # bytes in the piece
        self._hashing: asyncio.Future[None] | None = None

    def begin(self, length: int | None) -> bool:
        """Begin, perhaps again; a blob of another length need not be read."""
        self._progress.bytes_done -= self.received
        self.announced, self.received = length, 0
        self._hash, self._piece, self._waiting, self._hashing = self._new_hash(), [], 0, None
        return self._size is None or length is None or length == self._size

    async def add(self, chunk: bytes) -> bool:
        """Take the next bytes, of which there may be too many."""
        self.received += len(chunk)
        self._progress.bytes_done += len(chunk)
        self._progress.bytes_read += len(chunk)
        self._piece.append(chunk)
        self._waiting += len(chunk)
        if self._waiting >= _PIECE:
            await self._hash_piece()
        return self.received <= (LONGEST_BLOB if self._size is None else self._size)

    async def digest(self) -> Digest | None:
        """Compute the digest of what came; None where its algorithm is not known."""
        if self._hash is None:
            return None
        await self._hash_piece()
        if self._hashing is not None:
            await self._hashing
        return Digest(f"{self._algorithm}:{self._hash.hexdigest()}")

    def end(self) -> None:
        """Count what did not come as done."""
        self._progress.bytes_done += max(0, (self._size or 0) - self.received)

    async def _hash_piece(self) -> None:
        piece, self._piece, self._waiting = self._piece, [], 0
        if self._hashing is not None:
            await self._hashing
        if self._hash is not None:
            self._hashing = asyncio.get_running_loop().run_in_executor(None, _update, self._hash, piece)

    def _new_hash(self) -> "hashlib._Hash | None":
        return hashlib.new(self._algorithm, usedforsecurity=False) if self._algorithm else None


def _update(digest: "hashlib._Hash", chunks: Iterable[bytes]) -> None:
    digest.update(b"".join(chunks))  # one long piece: for short ones the lock is not given up
