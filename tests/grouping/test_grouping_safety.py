"""Grouping among foreign code, threads and the garbage collector."""

import gc
import signal
import sys
import threading
import time
import weakref
from itertools import repeat
from typing import Any

import pytest
from tests.strategies import Grumpy, Key, complain, nothing

from meshaccel.errors import GroupingError
from meshaccel.grouping import Child, RowGrouper, Shape

ONE = Shape("things", key=("id",), columns=("id", "value"))
TOOLS = Child(
    key=("id",),
    columns=("id", "label"),
    children={"tags": Child(key=("tag",), columns=("tag",))},
)
HOSTS = Child(key=("host",), columns=("host",))
AGENTS = Shape(
    "agents", key=("id",), columns=("id", "name"), children={"tools": TOOLS, "hosts": HOSTS}
)


def test_an_error_leaves_the_grouper_usable() -> None:
    grouper = RowGrouper(ONE)
    for _ in range(3):
        with pytest.raises(Grumpy):
            grouper.group([(1, 0), (Key(complain, nothing), 0)])
        assert grouper.group([(1, 2)]) == [{"id": 1, "value": 2}]


def test_values_may_use_the_grouper_and_change_the_rows_meanwhile() -> None:
    grouper = RowGrouper(ONE)
    rows: list[Any] = []
    inner: list[object] = []

    def meddle() -> None:
        inner.append(grouper.group([(1, 2)]))
        for row in rows:
            if isinstance(row, list):
                row.clear()

    rows += [[Key(meddle, meddle), 0], (Key(meddle, meddle), 1)]
    assert [record["value"] for record in grouper.group(rows)] == [0, 1]
    assert inner
    assert inner == [[{"id": 1, "value": 2}]] * len(inner)

    rows[:] = [(Key(rows.clear, nothing), 0), (1, 1)]
    assert len(grouper.group(rows)) == 1  # as a loop over a list that is emptied


def test_results_share_nothing_with_the_grouper() -> None:
    grouper = RowGrouper(AGENTS)
    rows = [("a", "n", None, None, None, None), ("b", "n", 1, None, None, None)]
    first = grouper.group(rows)
    expected = repr(first)
    second = grouper.group(rows)
    first[0].clear()
    first[1]["tools"].append(1)
    assert repr(second) == repr(grouper.group(rows)) == expected


def test_nothing_is_kept_of_rows_and_results() -> None:
    class Value:
        """A value that can be watched."""

    grouper = RowGrouper(AGENTS)
    name = sys.intern("label")
    broken = Key(complain, nothing)

    def once() -> weakref.ref[Value]:
        value = Value()
        rows = [("a", value, value, value, "t", value), ["a", value, 2, value, None, value]]
        grouper.group(rows)
        for bad in ([*rows, (broken,) * 6], [*rows, (None,) * 6], [*rows, ([],) * 6], [*rows, ()]):
            with pytest.raises((Grumpy, GroupingError)):
                grouper.group(bad)
        return weakref.ref(value)

    once()
    gc.collect()
    before = (sys.getrefcount(None), sys.getrefcount(name), len(gc.get_objects()))
    for _ in range(300):
        assert once()() is None
    gc.collect()
    after = (sys.getrefcount(None), sys.getrefcount(name), len(gc.get_objects()))
    assert all(abs(now - then) < 100 for then, now in zip(before, after, strict=True))


def test_threads_share_a_grouper() -> None:
    grouper = RowGrouper(AGENTS)
    rows = [(n % 700, "n", n % 50, n, n % 3, n % 2) for n in range(20_000)]
    expected = grouper.group(rows)
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda: results.append(grouper.group(rows))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result == expected for result in results)


def turns_of_another_thread() -> int:
    """How often another thread ran meanwhile.

    Lists of tuples run no Python code, which would let other threads run anyway.
    """
    grouper = RowGrouper(ONE)
    rows = [(n, None) for n in range(400_000)]
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.001):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.monotonic()
    grouper.group(rows)
    end = time.monotonic()
    done.set()
    ticker.join()
    return sum(start < at < end for at in ticks)


def test_other_threads_run_meanwhile() -> None:
    """If the system lets them: on a busy machine it takes more than one try to see it."""
    assert any(turns_of_another_thread() > 3 for _ in range(30))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
@pytest.mark.parametrize("alone", [True, False])
def test_signals_are_handled_meanwhile(*, alone: bool) -> None:
    """The rows never end, so only a signal handler can end this."""

    def interrupt(_: int, __: object) -> None:
        raise Grumpy

    def group_for_ever() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        RowGrouper(ONE).group(repeat((1, None)))

    done = threading.Event()
    other = threading.Thread(target=done.wait)
    before = signal.signal(signal.SIGALRM, interrupt)
    if not alone:
        other.start()
    try:
        with pytest.raises(Grumpy):
            group_for_ever()
    finally:
        signal.signal(signal.SIGALRM, before)
        done.set()
        if not alone:
            other.join()
