"""Digests are the same everywhere and for ever: these vectors must never change."""

import hashlib
import subprocess
import sys
from typing import Any

import pytest
import xxhash
from tests.metadata.values import NAN, ODD

from meshaccel.metadata import MetadataPool
from meshaccel.reference.metadata_values import canonical, freeze

RECORD = {
    "name": "weather",
    "version": "1.0.0",
    "tools": [{"name": "forecast", "schema": {"type": "object", "required": []}}],
    "labels": {"zone": "eu", "größe": "ß😀"},
    "weight": 0.5,
    "ports": [8080, -1, 2**40],
    "stateful": False,
    "owner": None,
}

VECTORS: list[tuple[Any, bytes | None, str]] = [
    (None, b"n", "mm1:c311d21b3583875acbaa0f6724ae8b0a"),
    (True, b"t", "mm1:190e8fcdd645bb7c76033e85f0acf92d"),
    (1, b"i\x01\x00\x00\x00\x00\x00\x00\x00", "mm1:5c0fabed007821c11267cbb5dcaed171"),
    (-1, b"i\xff\xff\xff\xff\xff\xff\xff\xff", "mm1:1e0fa58c1f9e577b92f9fc5d04ac20b3"),
    (1.0, b"d\x00\x00\x00\x00\x00\x00\xf0?", "mm1:311793fe147ccecc00e327bcdd94803f"),
    (-0.0, b"d\x00\x00\x00\x00\x00\x00\x00\x80", "mm1:2472c993f905b8d054295d231dea6fea"),
    (NAN, b"d\x00\x00\x00\x00\x00\x00\xf8\x7f", "mm1:e3c5dc4957fadfcc3a822c8a233e84f0"),
    (
        2**200,
        b"I\x1a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
        "mm1:f503b46df9082abe387392056bc89297",
    ),
    (
        -(2**63) - 1,
        b"I\t\xff\xff\xff\xff\xff\xff\xff\x7f\xff",
        "mm1:8ecf997097cffd6dbd5dff10abad5532",
    ),
    ("", b"s\x00", "mm1:97a3ac58fe2267a2bc8052da541822ce"),
    ("é", b"s\x02\xc3\xa9", "mm1:f1f7c98758d2ddaaa64923448f695ca6"),
    ("\ud800", b"s\x03\xed\xa0\x80", "mm1:3d400c00d4459f867e6b42b4d37db6c6"),
    ("a" * 300, None, "mm1:d8d8f51389109bececee3cc0b39a0588"),
    ([], b"le", "mm1:f7748052f520248993db5186cb58e677"),
    ({}, b"me", "mm1:0b53e1fe0debff6936e2dfec0fa10325"),
    (
        [1, [], {}],
        b"li\x01\x00\x00\x00\x00\x00\x00\x00lemee",
        "mm1:7e4778fed2ccaf59b1c39b185378c2d6",
    ),
    (
        {"b": 1, "a": [None]},
        b"ms\x01alnes\x01bi\x01\x00\x00\x00\x00\x00\x00\x00e",
        "mm1:6bb91230157d9b2c319d64df202195b3",
    ),
    (RECORD, None, "mm1:cf8b94f3ac8bf8feb4dfa0b00d863e42"),
    (list(range(3000)), None, "mm1:fad11022f68ef9f2eb52555ce2505ea8"),
]
"""A value, its canonical form unless that is long, and its digest."""

RECORD_SHA256 = "mm1-sha256:76ef79f138343590c78d70e177efbac7c1e405b522bf314fd5d57d718e889439"


@pytest.mark.parametrize(("value", "form", "digest"), VECTORS)
def test_golden_vectors(value: Any, form: bytes | None, digest: str) -> None:
    """By the native code, and by an independent implementation of XXH3 from the documented form."""
    pool = MetadataPool()
    assert pool.digest(value) == digest
    assert pool.get(pool.intern([value])).digest() == pool.digest([value])
    written = canonical(freeze(value, 1000))
    assert form is None or written == form
    assert f"mm1:{xxhash.xxh3_128_hexdigest(written)}" == digest


def test_golden_sha256() -> None:
    pool = MetadataPool()
    view = pool.get(pool.intern(RECORD))
    assert pool.digest(RECORD, "sha256") == view.digest("sha256") == RECORD_SHA256
    form = canonical(freeze(RECORD, 1000))
    assert f"mm1-sha256:{hashlib.sha256(form).hexdigest()}" == RECORD_SHA256


def test_odd_values_all_differ() -> None:
    pool = MetadataPool()
    nan = [value for value in ODD if value != value]  # noqa: PLR0124 (only NaN does)
    digests = {pool.digest(value) for value in ODD}
    assert len(digests) == len(ODD) - len(nan) + 1


def test_the_same_in_another_process() -> None:
    """Neither hash randomisation nor the seed of the pool has a say."""
    program = (
        "from meshaccel.metadata import MetadataPool;"
        "print(MetadataPool().digest({'b': [1.5, 'x'], 'a': None}))"
    )
    command = [sys.executable, "-c", program]
    printed = {
        subprocess.run(
            command, check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1")
    }
    assert printed == {MetadataPool().digest({"a": None, "b": [1.5, "x"]}).encode() + b"\n"}


def test_no_other_algorithm() -> None:
    pool = MetadataPool()
    with pytest.raises(ValueError, match="md5"):
        pool.digest({}, "md5")  # type: ignore[arg-type]
