"""Streams among threads, the garbage collector and a million rows."""

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.strategies import Grumpy, Key, complain, nothing

from meshaccel.errors import GroupingError, StreamBusyError
from meshaccel.grouping import Child, GroupStream, RowGrouper, Shape
from meshaccel.shape import Row

ONE = Shape("things", key=("id",), columns=("id", "value"))
TAGS = Child(key=("tag",), columns=("tag", "note"))
AGENTS = Shape(
    "agents",
    key=("id",),
    columns=("id", "config"),
    json={"config": "shared"},
    children={"tags": TAGS},
)
MILLION = 1_000_000


def test_a_stream_at_work_in_another_thread_is_busy() -> None:
    stream = RowGrouper(ONE).stream()
    at_work, go_on = threading.Event(), threading.Event()

    def rows() -> Iterator[Row]:
        yield (1, "a")
        at_work.set()
        assert go_on.wait(60)
        yield (2, "b")

    worker = threading.Thread(target=stream.feed, args=(rows(),))
    worker.start()
    assert at_work.wait(60)
    for call in (lambda: stream.feed([(3, "c")]), stream.finish, stream.finish_json):
        with pytest.raises(StreamBusyError):
            call()
    go_on.set()
    worker.join()
    assert [record["id"] for record in stream.finish()] == [1, 2]


def test_threads_that_share_a_stream_lose_no_row_it_took() -> None:
    stream = RowGrouper(ONE).stream()
    taken: list[int] = []

    def feed(start: int) -> None:
        for n in range(start, start + 20_000, 500):
            try:
                stream.feed([(number, None) for number in range(n, n + 500)])
            except StreamBusyError:
                continue
            taken.extend(range(n, n + 500))

    threads = [threading.Thread(target=feed, args=(start,)) for start in range(0, 80_000, 20_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {record["id"] for record in stream.finish()} == set(taken)


def test_each_thread_may_have_a_stream() -> None:
    grouper = RowGrouper(AGENTS)
    rows = [(n % 700, '{"a": 1}', n % 50, n) for n in range(20_000)]
    expected = grouper.group(rows)
    results: list[object] = []

    def run() -> None:
        stream = grouper.stream()
        for start in range(0, len(rows), 999):
            stream.feed(rows[start : start + 999])
        results.append(stream.finish())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


class Holder:
    """A value, hashable, that knows the stream it is in."""

    stream: GroupStream


def as_key(stream: GroupStream, holder: Holder) -> None:
    stream.feed([(holder, None)])


def as_value(stream: GroupStream, holder: Holder) -> None:
    stream.feed([(1, holder)])


def as_value_of_a_refused_row(stream: GroupStream, holder: Holder) -> None:
    with pytest.raises(GroupingError):
        stream.feed([([], holder)])


def as_iterator(stream: GroupStream, holder: Holder) -> None:
    def rows() -> Iterator[Row]:
        yield (1, 2)
        holder.stream = stream
        yield (2, 3)

    stream.feed(rows())


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("put", [as_key, as_value, as_value_of_a_refused_row, as_iterator])
def test_streams_in_reference_cycles_are_collected(
    put: Callable[[GroupStream, Holder], None], *, ordered: bool
) -> None:
    stream = RowGrouper(ONE).stream(ordered=ordered)
    holder = Holder()
    holder.stream = stream
    put(stream, holder)
    gone = weakref.ref(holder)
    del stream, holder
    gc.collect()
    assert gone() is None


def test_a_finished_record_that_nobody_took_is_collected() -> None:
    stream = RowGrouper(ONE).stream(ordered=True)
    holder = Holder()
    holder.stream = stream
    with pytest.raises(GroupingError):
        stream.feed([(1, holder), (2, None), ()])
    gone = weakref.ref(holder)
    del stream, holder
    gc.collect()
    assert gone() is None


def test_a_collection_in_the_middle_of_a_row_harms_nothing() -> None:
    stream = RowGrouper(ONE).stream()
    stream.feed([(Key(gc.collect, gc.collect), "a"), (Key(gc.collect, gc.collect), "b")])
    assert [record["value"] for record in stream.finish()] == ["a", "b"]


def test_values_may_go_away_with_the_stream_in_hand() -> None:
    """What a finish drops may run code, which finds the stream ready."""
    stream = RowGrouper(ONE).stream()
    seen: list[object] = []

    class Last:
        def __del__(self) -> None:
            seen.append(stream.finish())

    def rows() -> Iterator[Row]:
        yield (1, Last())

    stream.feed(rows())
    stream.finish_json(default=str)
    assert seen == [[]]


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def growth(step: Callable[[int], int], enough: int) -> int:
    """Bytes that a million rows leave behind, after some to warm up. A step returns its rows.

    If they are not below ``enough``, the next million is measured: other parts of the process may
    have grown, and what leaks does so with every million.
    """
    fed = 0
    while fed < MILLION // 5:
        fed += step(fed)
    grown = enough
    for _ in range(3):
        gc.collect()
        before, end = resident(), fed + MILLION
        while fed < end:
            fed += step(fed)
        gc.collect()
        grown = resident() - before
        if grown < enough:
            break
    return grown


def agents(start: int) -> list[Any]:
    """Rows of 500 agents, 10 tags each, all of them new objects."""
    return [
        (f"agent {start + n // 10}", f'{{"number": {start + n}}}', f"tag {n}", f"note {start}")
        for n in range(5_000)
    ]


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ENOUGH = 8 << 20
KEYS = 64 << 20
"""Of a million rows: a key, its hash and its place each."""


@needs_proc
@pytest.mark.parametrize("finish", ["finish", "finish_json"])
def test_memory_is_flat_over_a_million_rows(finish: str) -> None:
    stream = RowGrouper(AGENTS).stream()

    def step(fed: int) -> int:
        rows = agents(fed)
        for start in range(0, len(rows), 700):
            stream.feed(rows[start : start + 700])
        assert getattr(stream, finish)()
        return len(rows)

    assert growth(step, ENOUGH) < ENOUGH


@needs_proc
def test_memory_is_flat_over_a_million_rows_of_known_records() -> None:
    stream = RowGrouper(AGENTS).stream()

    def step(_: int) -> int:
        rows = agents(0)
        assert stream.feed(rows) == []
        return len(rows)

    assert growth(step, ENOUGH) < ENOUGH
    assert len(stream.finish()) == 500


@needs_proc
def test_memory_is_flat_over_a_million_malformed_rows() -> None:
    stream = RowGrouper(AGENTS).stream()
    broken = Key(complain, nothing)

    def step(fed: int) -> int:
        name, tag = f"agent {fed}", f"tag {fed}"
        bad: tuple[Any, ...] = (
            *((name, "{}", tag), (name, "{", tag, ""), (name, "{}", [tag], ""), {"id": name}),
            *((None, "{}", tag, ""), (name, 5, tag, ""), (name, "{}", broken, ""), name),
        )
        good = [("agent", "{}", "tag", f"note {fed + n}") for n in range(13)]
        for row in bad:
            with pytest.raises((GroupingError, Grumpy)):
                stream.feed([*good, row, *good])
        return len(bad) * (len(good) + 1)

    assert growth(step, ENOUGH) < ENOUGH
    assert len(stream.finish()) == 1


@needs_proc
def test_an_ordered_stream_keeps_but_the_keys_of_a_million_rows() -> None:
    stream = RowGrouper(AGENTS).stream(ordered=True)

    def step(fed: int) -> int:
        rows = agents(fed)
        stream.feed(rows)
        return len(rows)

    assert growth(step, KEYS) < KEYS
    assert len(stream.finish()) == 1
