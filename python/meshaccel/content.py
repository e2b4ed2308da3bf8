"""Canonical bytes and digests of declared content."""

import hashlib

import msgspec

DIGEST_BYTES = 16


def digest(value: object) -> bytes:
    """Return a 16-byte digest of ``value`` that ignores the order of keys and nothing else.

    The input is the JSON of ``value`` with sorted keys, so 1 and 1.0 differ. Agents are not
    trusted and equal digests share storage, hence a cryptographic hash (BLAKE2b).
    """
    return digest_bytes(msgspec.json.encode(value, order="deterministic"))


def digest_bytes(data: bytes) -> bytes:
    """Return the 16-byte BLAKE2b digest of ``data``."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()
