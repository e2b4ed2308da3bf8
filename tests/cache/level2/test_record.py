"""The bytes of an entry: all come back, and no others are taken for one."""

import math

from hypothesis import given
from hypothesis import strategies as st

from meshaccel.cache.level2 import StoredEntry, Version
from meshaccel.cache.record import decode, encode

TIMES = st.floats(0, 1e12) | st.just(math.inf)
TEXT = st.text(st.characters(), max_size=8)  # lone surrogates and NUL among them
ENTRIES = st.builds(
    StoredEntry,
    payload=st.binary(max_size=20),
    tags=st.lists(TEXT, max_size=4).map(tuple),
    version=st.builds(Version, st.binary(min_size=8, max_size=8), st.integers(0, 2**53)),
    fresh_until=TIMES,
    kept_until=TIMES,
    expired=st.just(False),  # noqa: FBT003 - found when read, not kept
    validator=st.none() | TEXT,
)


@given(ENTRIES)
def test_round_trip(entry: StoredEntry) -> None:
    assert decode(encode(entry)) == entry


@given(ENTRIES, st.data())
def test_cut_short_within_the_header_is_no_entry(entry: StoredEntry, data: st.DataObject) -> None:
    record = encode(entry)
    header = len(record) - len(entry.payload)
    assert decode(record[: data.draw(st.integers(0, header - 1))]) is None


@given(st.binary(max_size=100))
def test_foreign_bytes_are_no_entry(record: bytes) -> None:
    assert decode(record) is None


@given(ENTRIES, st.integers(0, 60), st.integers(0, 255))
def test_damage_raises_nothing(entry: StoredEntry, at: int, byte: int) -> None:
    record = bytearray(encode(entry))
    record[at % len(record)] = byte
    decode(bytes(record))
