"""The bytes that a second level keeps of an entry.

A header (what is asked before the value is worth reading: version, tags, times) and the payload.
All numbers are big-endian, times and version numbers doubles: a script within the server reads
them with the same format::

    "MA" | format u8 | flags u8 | incarnation 8 | number f64 | fresh_until f64 | kept_until f64
    | tags u32 | (length u32, tag)* | validator (length u32, text), if flag 1 | payload
"""

import struct
from typing import Final

from meshaccel.cache.level2 import StoredEntry, Version

FORMAT: Final = 1

_MAGIC: Final = b"MA"
_HAS_VALIDATOR: Final = 1
_HEAD: Final = struct.Struct(">2sBB8sdddI")
_LENGTH: Final = struct.Struct(">I")


def to_name(text: str) -> bytes:
    """Return a key or tag as bytes. Every ``str`` has a form, those with lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def to_text(name: bytes) -> str:
    """Return the key or tag that ``to_name`` made bytes of."""
    return name.decode("utf-8", "surrogatepass")


def encode(entry: StoredEntry) -> bytes:
    """Return the bytes of an entry. ``expired`` is not part of them: it is found when read."""
    parts = [
        _HEAD.pack(
            _MAGIC,
            FORMAT,
            0 if entry.validator is None else _HAS_VALIDATOR,
            entry.version.incarnation,
            entry.version.number,
            entry.fresh_until,
            entry.kept_until,
            len(entry.tags),
        )
    ]
    for tag in entry.tags:
        _append(parts, tag)
    if entry.validator is not None:
        _append(parts, entry.validator)
    parts.append(entry.payload)
    return b"".join(parts)


def decode(record: bytes) -> StoredEntry | None:
    """Return the entry, or None for bytes of another format, cut short, or not ours."""
    try:
        magic, version, flags, incarnation, number, fresh, kept, count = _HEAD.unpack_from(record)
        if magic != _MAGIC or version != FORMAT or count > len(record):
            return None
        at = _HEAD.size
        tags = []
        for _ in range(count):
            tag, at = _text_at(record, at)
            tags.append(tag)
        validator = None
        if flags & _HAS_VALIDATOR:
            validator, at = _text_at(record, at)
        return StoredEntry(
            payload=record[at:],
            tags=tuple(tags),
            version=Version(incarnation, int(number)),
            fresh_until=fresh,
            kept_until=kept,
            validator=validator,
        )
    except (struct.error, ValueError, OverflowError):
        return None


def _append(parts: list[bytes], text: str) -> None:
    name = to_name(text)
    parts.append(_LENGTH.pack(len(name)))
    parts.append(name)


def _text_at(record: bytes, at: int) -> tuple[str, int]:
    (length,) = _LENGTH.unpack_from(record, at)
    start = at + _LENGTH.size
    end = start + length
    if end > len(record):
        raise ValueError("cut short")
    return to_text(record[start:end]), end
