"""What awaiting a hit costs, as a ratio to ``dict.get``: ``python -m benches.cache_await``.

CPU time, median of 15 rounds in which all take turns; loops included, 10,000 entries with a time
to live and three tags.
"""

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from meshaccel._native import ready
from meshaccel.cache import TagCache

ENTRIES, ROUNDS = 10_000, 15

Run = Callable[[], object]


class BriefLevel1:
    """What the class of the project's brief does in a hit."""

    def __init__(self, entries: dict[str, int]) -> None:
        self.l1_cache = entries

    async def get(self, key: str, _fetch: object = None) -> int | None:
        if key in self.l1_cache:
            return self.l1_cache[key]
        return None


def called(function: Callable[[str], object], keys: Iterable[str]) -> Run:
    def run() -> None:
        for key in keys:
            function(key)

    return run


def awaited(function: Callable[[str], Awaitable[object]], keys: Iterable[str]) -> Run:
    async def each() -> None:
        for key in keys:
            await function(key)

    def run() -> None:
        try:
            each().send(None)
        except StopIteration:
            return
        raise AssertionError

    return run


def seconds(run: Run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    names = [f"key:{number:08}" for number in range(ENTRIES)]
    keys = [f"key:{number:08}" for number in range(ENTRIES)] * 2
    entries = {name: number for number, name in enumerate(names)}
    cache = TagCache[Any](ENTRIES * 2, ttl=3600)
    for name, number in entries.items():
        cache.set(name, number, (f"agent:{number // 100}", f"cap:{number // 1000}", "fleet"))

    async def never(key: str) -> int:
        raise LookupError(key)

    runs = {
        "dict.get": called(entries.get, keys),
        "await ready(key)": awaited(ready, keys),
        "await read(key), of TagCache.reader": awaited(cache.reader(never), keys),
        "await get(key), of the brief's class": awaited(BriefLevel1(entries).get, keys),
    }
    gc.disable()
    rounds = [{name: seconds(run) for name, run in runs.items()} for _ in range(ROUNDS)]
    for name in runs:
        ratio = statistics.median(each[name] / each["dict.get"] for each in rounds)
        print(f"{name:<40}{ratio:6.2f}")


if __name__ == "__main__":
    main()
