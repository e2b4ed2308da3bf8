"""Hashes by which a reader finds out that it holds exactly what the registry holds.

Each agent has a hash of its id, revision, status and document. The hash of a set of agents is the
sum of theirs modulo 2**128: it takes one addition to keep it up to date, and unlike XOR it does not
lose what is there twice. The same sums by bucket, of which an agent's id names one in 256, show
where two sets differ. (The sum of hashes as a set hash is AdHash of Bellare and Micciancio, 1997.
Here it guards against faults, not against forgers.)
"""

import zlib
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

from meshaccel.metadata import MetadataPool

BUCKETS = 256
HASH_BYTES = 16

_MODULUS = 1 << (8 * HASH_BYTES)
_PREFIX = "mm1:"


def bucket_of(agent_id: str) -> int:
    """Return the bucket of an agent: the last byte of the CRC-32 of its id in UTF-8."""
    return zlib.crc32(agent_id.encode()) % BUCKETS


def document_digest(document: Any) -> bytes:
    """Return the 16 bytes of the digest of a decoded document, or of a view of it.

    That is ``MetadataPool.digest``: equal for equal JSON, whatever the order of keys, and the
    same in every version.
    """
    return bytes.fromhex(_digests().digest(document).removeprefix(_PREFIX))


def agent_hash(agent_id: str, revision: int, status: str, digest: bytes) -> int:
    """Return the hash of an agent whose document has this digest."""
    return int.from_bytes(document_digest([agent_id, revision, status, digest.hex()]))


def added(total: int, plus: int, minus: int = 0) -> int:
    """Return the hash of a set after one agent came and another one went; 0 is none."""
    return (total + plus - minus) % _MODULUS


def hash_text(total: int) -> str:
    """Return a hash as it is on the wire: 32 hexadecimal digits."""
    return total.to_bytes(HASH_BYTES).hex()


class SetHash:
    """The hash of a set of agents, as a whole and by bucket."""

    __slots__ = ("buckets", "total")

    def __init__(self, buckets: Iterable[int] = ()) -> None:
        self.buckets = list(buckets) or [0] * BUCKETS
        self.total = sum(self.buckets) % _MODULUS

    def replace(self, agent_id: str, *, old: int, new: int) -> None:
        """Count an agent by its new hash instead of its old one; 0 for none."""
        bucket = bucket_of(agent_id)
        self.buckets[bucket] = added(self.buckets[bucket], new, old)
        self.total = added(self.total, new, old)

    def copy(self) -> "SetHash":
        """Return an equal one that lives on its own."""
        return SetHash(self.buckets)

    def packed(self) -> bytes:
        """Return the buckets' hashes in order, 16 bytes each, big endian."""
        return b"".join(bucket.to_bytes(HASH_BYTES) for bucket in self.buckets)

    @classmethod
    def unpacked(cls, packed: bytes) -> "SetHash":
        """Read what ``packed`` returned.

        Raises:
            ValueError: it has another length.
        """
        if len(packed) != BUCKETS * HASH_BYTES:
            raise ValueError(f"{len(packed)} bytes are not {BUCKETS} hashes")
        return cls(
            int.from_bytes(packed[start : start + HASH_BYTES])
            for start in range(0, len(packed), HASH_BYTES)
        )


def read_document(document: bytes | msgspec.Raw) -> Any:
    """Return the JSON value that a document says."""
    return msgspec.json.decode(document)


# Made when it is first needed: importing must not start anything.
@cache
def _digests() -> MetadataPool:
    return MetadataPool()
