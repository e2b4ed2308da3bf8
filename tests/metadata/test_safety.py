"""The pool among foreign code, threads, forks, the garbage collector, and a long time."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from meshaccel.metadata import MetadataPool


def record(number: int) -> dict[str, Any]:
    return {
        "id": f"agent-{number}",
        "seen": number / 7,
        "tools": [{"name": name, "schema": {"type": "object"}} for name in ("a", "b")],
        "labels": {"zone": "eu", "shard": str(number % 3)},
    }


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_a_million_cycles_leave_nothing() -> None:
    pool = MetadataPool()
    held = [pool.intern(record(number)) for number in range(50)]
    records = [record(number) for number in range(100)]

    def cycles(count: int) -> None:
        for number in range(count):
            key = pool.intern(records[number % 100])
            held_number = number % 50
            pool.release(held[held_number])
            held[held_number] = key

    cycles(50_000)
    before, stats = resident_bytes(), pool.stats()
    cycles(1_000_000)
    assert resident_bytes() - before < 2 << 20
    assert (pool.stats().nodes, pool.stats().bytes) == (stats.nodes, stats.bytes)
    for key in held:
        pool.release(key)
    stats = pool.stats()
    assert (stats.values, stats.references, stats.nodes, stats.bytes) == (0, 0, 0, 0)


def test_threads_share_a_pool() -> None:
    pool = MetadataPool()
    failed: list[BaseException] = []
    start = threading.Barrier(4)

    def live(offset: int) -> None:
        try:
            start.wait()
            for number in range(2000):
                value = record((number * 7 + offset) % 40)
                key = pool.intern(value)
                view = pool.get(key)
                assert view["tools"] == value["tools"]
                assert pool.intern_json(view.to_json()) == key
                pool.release(key)
                pool.release(key)
                assert view == value
        except BaseException as error:  # noqa: BLE001 (reported below)
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=live, args=(offset,)) for offset in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failed, failed
    assert pool.stats().references == 0
    assert pool.stats().nodes == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_goes_on() -> None:
    pool = MetadataPool()
    key = pool.intern(record(1))
    view = pool.get(key)
    child = os.fork()
    if child == 0:
        fine = pool.intern(record(1)) == key and view == record(1)
        fine = fine and pool.get(pool.intern(record(2))) == record(2)
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.stats().references == 1


def test_finalizers_may_use_the_pool() -> None:
    """Views and finalizers go whenever the collector likes, in the midst of anything."""
    pool = MetadataPool()
    used: list[int] = []

    class Loop:
        def __init__(self, number: int) -> None:
            self.itself = self
            self.view = pool.get(pool.intern(record(number)))

        def __del__(self) -> None:
            pool.release(pool.intern(self.view))
            used.append(len(self.view.to_dict()))

    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(300):
            Loop(number)
            value = record(number)
            value["surrogate"] = "\ud800"
            value["big"] = 2**100
            view = pool.get(pool.intern(value))
            assert view == value
            assert view.to_dict()["surrogate"] == "\ud800"
            str(view)
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert used == [4] * 300


READS = (
    "pool.get(key)",
    "view['text']",
    "view['list']",
    "view['list'][0]",
    "view.get_path('list')",
    "list(view)",
    "list(view['list'])",
    "pickle.loads(pickled)",
)


@pytest.mark.parametrize("read", READS)
def test_finalizers_may_use_the_pool_while_it_is_read(read: str) -> None:
    """In a process of its own, which hangs if the pool is locked meanwhile."""
    program = f"""
import faulthandler, gc, pickle
faulthandler.dump_traceback_later(30, exit=True)
from meshaccel.metadata import MetadataPool
pool = MetadataPool()
key = pool.intern({{"text": "\\ud800", "list": ["\\ud800", []], "\\ud801": 1}})
view = pool.get(key)
pickled = pickle.dumps(view)
class Loop:
    def __init__(self):
        self.itself = self
    def __del__(self):
        pool.stats()
# A list that was there before is taken without a collection.
held = [[] for _ in range(1000)]
gc.set_threshold(1)
for _ in range(50):
    Loop()
    held.append([])
    {read}
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_type_may_use_the_pool_to_say_its_name() -> None:
    """In a process of its own, as above."""
    program = """
import faulthandler
faulthandler.dump_traceback_later(30, exit=True)
from meshaccel.metadata import MetadataPool
pool = MetadataPool()
class Named(type):
    __name__ = property(lambda kind: f"Named{len(pool)}")
class Key(metaclass=Named):
    pass
for act in (pool.get, pool.release, lambda key: pool.reintern(key, 1), pool.intern):
    try:
        act(Key())
    except TypeError:
        continue
    raise SystemExit(1)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_collector_stays_as_it_was() -> None:
    pool = MetadataPool()
    for set_, enabled in ((gc.disable, False), (gc.enable, True)):
        set_()
        view = pool.get(pool.intern([record(1)]))
        view.to_list()
        with pytest.raises(TypeError):
            pool.intern([{1}])
        assert gc.isenabled() == enabled


def test_a_hook_may_change_what_is_being_interned() -> None:
    pool: MetadataPool
    value: dict[str, Any] = {}

    def meddle(_: object) -> object:
        value.clear()
        value["list"] = [{3}]
        gc.collect()
        return pool.get(pool.intern(record(5)))

    pool = MetadataPool(default=meddle)
    value |= {"first": "x" * 100, "odd": {1}, "list": [{2}], "last": "y" * 100}
    view = pool.get(pool.intern(value))
    assert view["first"] == "x" * 100
    assert view["odd"] == view["list"][0] == record(5)


def test_subclasses_are_taken_by_what_they_hold() -> None:
    """No method of theirs is called."""

    def refuse(*_: object) -> Any:
        raise AssertionError("called")

    methods = ("__iter__", "__len__", "__getitem__", "__str__", "__repr__", "__eq__", "__hash__")
    more = ("keys", "items", "__int__", "__index__", "__float__", "__contains__", "__reduce__")
    body = dict.fromkeys((*methods, *more), refuse)
    kinds = {kind: type("Sub", (kind,), body) for kind in (dict, list, tuple, str, int, float)}
    value = kinds[dict](
        {
            "list": kinds[list]([1, 2]),
            "tuple": kinds[tuple]((3,)),
            "str": kinds[str]("text"),
            "int": kinds[int](4),
            "big": kinds[int](2**100),
            "float": kinds[float](0.5),
        }
    )
    pool = MetadataPool()
    view = pool.get(pool.intern(value))
    assert view == {
        "list": [1, 2],
        "tuple": [3],
        "str": "text",
        "int": 4,
        "big": 2**100,
        "float": 0.5,
    }
    assert type(view["str"]) is str
    assert view["list"].to_list() == [1, 2]


def test_a_pool_in_a_cycle_with_its_hook_goes() -> None:
    class Owner:
        def __init__(self) -> None:
            self.pool = MetadataPool(default=self.convert)

        def convert(self, value: object) -> object:
            return str(value)

    owner = Owner()
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_results_do_not_leak() -> None:
    pool = MetadataPool()
    value = record(1)
    gc.collect()
    before = len(gc.get_objects()), sys.getrefcount(None)

    def once() -> None:
        key = pool.intern(value)
        view = pool.get(key)
        assert view["tools"][0].to_dict() == value["tools"][0]
        for act in (lambda: view["x"], lambda: pool.intern({1: 2}), lambda: pool.release(0)):
            with pytest.raises((KeyError, TypeError)):
                act()
        list(view.items()), repr(view), hash(view), view.digest(), view.to_json()
        pool.release(key)

    for _ in range(300):
        once()
    gc.collect()
    after = len(gc.get_objects()), sys.getrefcount(None)
    assert all(abs(now - then) < 100 for then, now in zip(before, after, strict=True))
    assert pool.stats().nodes == 0


def test_remembered_json_is_bounded() -> None:
    pool = MetadataPool(memo_bytes=10_000)
    texts = [b'{"text": "%s", "n": %d}' % (b"x" * 500, number) for number in range(100)]
    for text in texts:
        key = pool.intern_json(text)
        assert pool.intern_json(text) == key
        pool.release(key)
        pool.release(key)
        again = pool.intern_json(text)
        assert again != key
        assert pool.get(again).to_json() == text.replace(b" ", b"")
    without = MetadataPool(memo_bytes=0)
    for text in texts:
        without.intern_json(text)
    remembered = pool.stats().bytes - without.stats().bytes
    assert 9_000 < remembered <= 10_000


def test_garbage_collector_does_not_follow_views() -> None:
    """They are in no cycle, and a service may hold hundreds of thousands of them."""
    pool = MetadataPool()
    view = pool.get(pool.intern({"a": [{"b": 1}]}))
    views = [view, view["a"], view["a"][0], *view.values(), *view["a"]]
    assert not any(map(gc.is_tracked, views))
