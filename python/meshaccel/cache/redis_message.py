"""What nodes tell each other on the channel of a namespace.

The script that takes a number writes it (incarnation and number, 16 bytes) before the message,
and publishes: messages come in the order of their numbers, and none is missing.
"""

import struct
from typing import Final, NamedTuple

import msgspec

from meshaccel.cache.level2 import Invalidation, Version
from meshaccel.cache.record import to_name, to_text

NODE_BYTES: Final = 8

_VERSION: Final = struct.Struct(">8sd")


class Told(NamedTuple):
    """A message, and who sent it."""

    node: bytes
    invalidation: Invalidation


class _Body(msgspec.Struct, array_like=True):
    """Names as bytes: not every ``str`` has a form in MessagePack."""

    keys: list[bytes]
    tags: list[bytes]
    expired: list[bytes]
    cleared: bool


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Body)


def to_message(node: bytes, invalidation: Invalidation) -> bytes:
    """Return what to tell, but for the version."""
    body = _Body(
        [to_name(key) for key in invalidation.keys],
        [to_name(tag) for tag in invalidation.tags],
        [to_name(tag) for tag in invalidation.expired],
        invalidation.cleared,
    )
    return node + _ENCODER.encode(body)


def from_message(message: bytes) -> Told | None:
    """Return what was told; None for what is no such message."""
    start = _VERSION.size + NODE_BYTES
    try:
        incarnation, number = _VERSION.unpack_from(message)
        body = _DECODER.decode(message[start:])
        invalidation = Invalidation(
            Version(incarnation, int(number)),
            keys=_texts(body.keys),
            tags=_texts(body.tags),
            expired=_texts(body.expired),
            cleared=body.cleared,
        )
    except (struct.error, ValueError, OverflowError):
        return None
    return Told(message[_VERSION.size : start], invalidation)


def _texts(names: list[bytes]) -> tuple[str, ...]:
    return tuple(to_text(name) for name in names)
