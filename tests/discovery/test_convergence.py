"""Hashes that others must be able to work out: in other versions, and in other languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.discovery.convergence import (
    BUCKETS,
    SetHash,
    agent_hash,
    bucket_of,
    document_digest,
    hash_text,
)
from meshaccel.reference.metadata import MetadataPool

HASHES = st.dictionaries(st.text(max_size=5), st.integers(1, 2**128 - 1), max_size=8)


def test_they_stay_what_they_are() -> None:
    """A registry and its clients may be of different versions."""
    digest = document_digest({"id": "a", "tools": [], "port": 80, "ratio": 0.5, "none": None})
    assert digest.hex() == "5248cada26f4b822c99fa7c313c40d1f"
    assert hash_text(agent_hash("a", 7, "healthy", digest)) == "ec166194d8b0487cbbd44c1df3bc75dd"
    assert [bucket_of(agent_id) for agent_id in ("a", "b", "日本/天気")] == [67, 249, 128]


def test_the_reference_says_the_same() -> None:
    document = {"b": [1, 1.0, True, "é", None], "a": {"x": 2**70}}
    assert MetadataPool().digest(document) == f"mm1:{document_digest(document).hex()}"


@given(HASHES, st.randoms())
def test_order_and_detours_do_not_matter(hashes: dict[str, int], rng: object) -> None:
    """The hash is of what is there, not of how it came there."""
    straight, around = SetHash(), SetHash()
    for agent_id, value in hashes.items():
        straight.replace(agent_id, old=0, new=value)
    names = list(hashes)
    getattr(rng, "shuffle")(names)  # noqa: B009  hypothesis gives it no type
    for agent_id in [*names, "gone"]:
        around.replace(agent_id, old=0, new=5)
    for agent_id in names:
        around.replace(agent_id, old=5, new=hashes[agent_id])
    around.replace("gone", old=5, new=0)
    assert (straight.total, straight.buckets) == (around.total, around.buckets)
    unpacked = SetHash.unpacked(straight.packed())
    assert (unpacked.total, unpacked.buckets) == (straight.total, straight.buckets)
    assert len(straight.buckets) == BUCKETS


def test_not_hashes() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        SetHash.unpacked(b"abc")
