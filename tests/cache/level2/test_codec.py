"""Codecs: what comes back, and what is never loaded."""

import os
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.cache.codec import JsonCodec, MsgpackCodec, SignedPickleCodec
from meshaccel.cache.level2 import Codec
from meshaccel.errors import CacheOptionError, CodecError

KEY = b"0123456789abcdef"
CODECS: list[Codec] = [MsgpackCodec(), JsonCodec(), SignedPickleCodec(KEY)]

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


class Page(msgspec.Struct):
    """A value with a type."""

    name: str
    ranks: tuple[int, ...] = ()


class Bomb:
    """Loading it touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
@given(value=PLAIN)
def test_plain_values_come_back(codec: Codec, value: object) -> None:
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
@given(payload=st.binary(max_size=60))
def test_foreign_bytes_are_refused(codec: Codec, payload: bytes) -> None:
    for other in CODECS:
        if other is not codec:
            with pytest.raises(CodecError):
                codec.decode(other.encode("value"))
    if payload[:1] not in (b"\x01", b"\x02"):
        with pytest.raises(CodecError):
            codec.decode(payload)


@pytest.mark.parametrize("codec", [MsgpackCodec(Page), JsonCodec(Page)])
def test_values_with_a_type(codec: Codec) -> None:
    page = Page("p", (1, 2))
    assert codec.decode(codec.encode(page)) == page
    with pytest.raises(CodecError, match="Expected"):
        codec.decode(codec.encode({"name": 1}))


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
def test_what_cannot_be_expressed(codec: Codec) -> None:
    with pytest.raises(CodecError, match="cannot express a function"):
        codec.encode(lambda: None)


def test_an_unsigned_pickle_is_not_loaded(tmp_path: Path) -> None:
    """Not with a wrong key, a changed body, a mac cut short, or none at all."""
    path = tmp_path / "touched"
    codec, foreign = SignedPickleCodec(KEY), SignedPickleCodec(b"another key, as long")
    bomb = pickle.dumps(Bomb(path))
    good = codec.encode(Bomb(path))
    for payload in (
        foreign.encode(Bomb(path)),
        b"\x03" + bomb,
        b"\x03" + bytes(32) + bomb,
        b"\x03",
        good[:20],
        good[:-1] + b"!",
        good[:33] + bomb + b"more",
    ):
        with pytest.raises(CodecError, match="not signed"):
            codec.decode(payload)
    assert not path.exists()
    codec.decode(good)
    assert path.exists()


def test_keys_are_replaced() -> None:
    old, new = SignedPickleCodec(KEY), SignedPickleCodec(b"k" * 16, former_keys=[KEY])
    assert new.decode(old.encode(7)) == 7
    with pytest.raises(CodecError):
        old.decode(new.encode(7))


@pytest.mark.parametrize("keys", [(b"short", ()), (KEY, (b"",))])
def test_short_keys_are_refused(keys: tuple[bytes, tuple[bytes, ...]]) -> None:
    with pytest.raises(CacheOptionError, match="at least 16 bytes long"):
        SignedPickleCodec(keys[0], former_keys=keys[1])
