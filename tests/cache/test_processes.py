"""The cache among threads, after a fork, and after a million operations."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from meshaccel.cache import TagCache

MILLION = """
import random, resource, sys
from meshaccel.cache import TagCache
cache = TagCache(1000, max_bytes=50_000, weigh=lambda key, value: 10, jitter=.1)
rng = random.Random(1)
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
def work(count):
    for n in range(count):
        key = f"key{rng.randrange(5000)}"
        kind = n % 8
        if kind < 4:
            tags = [f"tag{rng.randrange(3000)}", f"unique{n}", "all"]
            idle = .001 if kind == 1 else None
            cache.set(key, object(), tags, ttl=rng.choice([.001, .01, 1, 1000]), idle_ttl=idle)
        elif kind == 4:
            cache.invalidate_by_tag(f"tag{rng.randrange(3000)}", f"never{n}")
        elif kind == 5:
            with cache.flight() as flight:
                cache.invalidate_by_tag(f"other{n}")
                cache.set(key, object(), ["x"], since=flight)
        elif kind == 6:
            cache.delete(key)
        else:
            cache.get(key)
        if n % 100_000 == 0:
            cache.invalidate_by_tag("all")
work(100_000)
before = rss()
work(1_000_000)
cache.validate()
print(rss() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_over_a_million_operations() -> None:
    """Setting, retagging, evicting, expiring, invalidating and flying leave nothing behind."""
    command = [sys.executable, "-c", MILLION]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_000_000


def test_threads_share_a_cache() -> None:
    """Every value read is one that was stored under that key, and no count is lost."""
    cache = TagCache[tuple[str, int]](200)
    failures: list[object] = []
    per_thread = 20_000

    def work(seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 - no secret
        try:
            for n in range(per_thread):
                key = f"{rng.randrange(400)}"
                found = cache.get(key)
                if found is None:
                    with cache.flight() as flight:
                        cache.set(key, (key, n), [key[0], key[-1]], since=flight)
                elif found[0] != key:
                    failures.append((key, found))
                if n % 50 == 0:
                    cache.invalidate_by_tag(key[0])
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures
    stats = cache.stats()
    assert stats.hits + stats.misses == 4 * per_thread
    cache.validate()


def lengths_seen_during_a_sweep() -> set[int]:
    """The lengths between full and empty that another thread finds meanwhile."""
    now = 0.0
    cache = TagCache[int](400_000, clock=lambda: now)
    for n in range(400_000):
        cache.set(f"{n}", n, ttl=1)
    now = 10.0
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.0005):
            seen.append(len(cache))

    watcher = threading.Thread(target=look)
    watcher.start()
    assert cache.sweep() == 400_000
    done.set()
    watcher.join()
    return {length for length in seen if 0 < length < 400_000}


def test_other_threads_run_during_a_sweep() -> None:
    """If the system lets them: on a busy machine it takes more than one try to see it."""
    assert any(len(lengths_seen_during_a_sweep()) > 1 for _ in range(30))


INTERPRETERS = """
import sys
from meshaccel import _native
from meshaccel.cache import TagCache
try:
    import _interpreters as interpreters
    other, run = interpreters.create("legacy"), interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    options = {"isolated": False} if sys.version_info >= (3, 12) else {}
    other, run = interpreters.create(**options), interpreters.run_string
cache = TagCache(10)
cache.set("a", 1, ["t"], ttl=5.0)
run(other, f'''
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("_native", {_native.__file__!r})
try:
    spec.loader.exec_module(module_from_spec(spec))
except ImportError as error:
    assert str(error) == "meshaccel can be used by one interpreter of a process only"
else:
    raise AssertionError
''')
interpreters.destroy(other)
cache.set("b", 2, ["t"], ttl=5.0)
assert cache.invalidate_by_tag("t") == 2
assert isinstance(_native.ready(1), _native.Ready)
"""


def test_other_interpreters_are_refused() -> None:
    """Methods were mixed up on CPython 3.12 after another interpreter had loaded the module."""
    subprocess.run([sys.executable, "-c", INTERPRETERS], check=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_goes_on_alone(tmp_path: Path) -> None:
    """With other threads in the middle of using the cache, and a flight under way."""
    cache = TagCache[Any](1000, ttl=100)
    stop = threading.Event()

    def work() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            cache.set(f"{n % 2000}", n, [f"{n % 7}"])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    flight = cache.flight()
    try:
        for number in range(20):
            child = os.fork()
            if child == 0:
                cache.invalidate_by_tag("3")
                cache.set("child", number, ["3"], ttl=1000)
                fine = cache.get("child") == number and not cache.set("x", 1, ["3"], since=flight)
                flight.end()
                cache.validate()
                (tmp_path / str(number)).write_text("fine" if fine else "wrong")
                os._exit(0)
            _, status = os.waitpid(child, 0)
            assert status == 0
            assert (tmp_path / str(number)).read_text() == "fine"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert "child" not in cache
    cache.validate()
