"""What the feed spares its readers, by numbers that can be checked by hand."""

import msgspec
import pytest

from meshaccel.discovery.protocol import Changes, Gone, Remove, Upsert
from meshaccel.registry.readership import POLL_S, Readership


def documents(*sizes: int) -> Changes:
    """Return an answer with documents of these sizes, and a removal."""
    items = [
        Upsert(f"a{number}", number, "healthy", msgspec.Raw(b"x" * size))
        for number, size in enumerate(sizes, 1)
    ]
    return Changes(epoch="e", since=0, to=9, items=(*items, Remove("gone", 9)))


NOTHING = Changes(epoch="e", since=9, to=9)


def test_a_snapshot_saves_nothing() -> None:
    readership = Readership()
    readership.called()
    readership.told(documents(100, 300), waited_s=0.0, selected=2)
    stats = readership.stats(readers=0)
    assert (stats.calls, stats.polls, stats.documents) == (1, 1.0, 2)
    assert (stats.bytes, stats.polled_bytes) == (400, 400)
    assert (stats.calls_avoided_percent, stats.bytes_avoided) == (0.0, 0)


def test_a_reader_who_waits_saves_polls() -> None:
    """One who waits for ten polls' time makes one call, and is not sent the list ten times."""
    readership = Readership()
    readership.called()
    readership.told(documents(100, 300), waited_s=0.0, selected=2)
    readership.called()
    readership.told(NOTHING, waited_s=10 * POLL_S, selected=2)
    stats = readership.stats(readers=0)
    assert (stats.calls, stats.polls) == (2, 11.0)
    assert stats.calls_avoided_percent == pytest.approx(100 * 9 / 11)
    assert stats.bytes_avoided == 10 * 2 * 200


def test_a_stream_is_one_call() -> None:
    readership = Readership()
    readership.called()
    for _ in range(20):
        readership.told(NOTHING, waited_s=2 * POLL_S, selected=5)
    stats = readership.stats(readers=1)
    assert (stats.calls, stats.polls) == (1, 40.0)
    # No document was sent yet, so nothing is known of what polling would have sent.
    assert stats.polled_bytes == 0


def test_frequent_calls_save_nothing() -> None:
    """Who asks more often than a poller avoids none; the share is never below zero."""
    readership = Readership()
    for _ in range(10):
        readership.called()
        readership.told(NOTHING, waited_s=0.1, selected=5)
    readership.called()
    assert readership.stats(readers=0).calls_avoided_percent == 0.0


def test_a_refusal_has_no_documents() -> None:
    readership = Readership()
    readership.told(Gone(reason="epoch", epoch="e", revision=9), waited_s=0.0, selected=5)
    stats = readership.stats(readers=0)
    assert (stats.documents, stats.bytes, stats.polls) == (0, 0, 1.0)
    assert Readership().stats(readers=0).calls_avoided_percent is None
