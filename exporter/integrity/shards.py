"""Shares of a registry's repositories, for several exporters that divide the work."""

import hashlib
import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` shares, about equally large; `index` is from 0 to `count` - 1.

    A repository belongs to the shard that gives its name the greatest weight (rendezvous hashing): one more
    shard takes its share from all others, and what it does not take stays where it is.
    """

    index: int
    count: int

    def holds(self, repository: str) -> bool:
        """Whether a repository belongs to this shard; of all shards of a count exactly one holds it."""
        # SHAKE gives as many bytes as one likes, and more of them begin with the fewer: one more shard adds
        # its weight to those of the others, for one hash a name. All exporters must agree, so it stays.
        name = repository.encode("utf-8", "surrogatepass")
        written = hashlib.shake_128(name, usedforsecurity=False).digest(8 * self.count)
        weights = struct.unpack(f">{self.count}Q", written)
        return weights.index(max(weights)) == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"
