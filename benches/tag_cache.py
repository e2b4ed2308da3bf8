"""Compare the tag cache with other caches: time, memory, hits.

    python -m benches.tag_cache [--quick] [--only time memory hits]

Needs the extra ``bench``. Time: all contenders take turns in one process, in another order each
round; the figure is the median over the rounds of the ratio of CPU time to the contender named
in the head of the column. The loop is included, which makes ratios look a little better than
those of the calls alone. Keys are equal but not identical to the stored ones, in random order.
Async calls are awaited in a coroutine. Memory: resident memory of a process of its own per
contender, without keys and values, as a ratio to dict.
"""

import argparse
import asyncio
import gc
import random
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from benches import cache_contenders as contenders
from benches.cache_contenders import Contender
from benches.cache_hits import print_hits
from benches.cache_memory import print_memory

TAGS = 100
"""Entries per tag, of the first kind; ten times that of the second, all of the third."""

BASES = {
    "hit": "dict",
    "miss": "dict",
    "overwrite": "dict",
    "insert+evict": "cachebox LRU",
    "set, 3 tags": "the brief's class",
}


CALLS = 20_000
"""Reads and overwrites per contender and round, at least."""

Run = Callable[[], None]
Times = dict[str, float]
Measured = TypeVar("Measured")


def names(count: int, kind: str) -> list[str]:
    return [f"{kind}:{number:08}" for number in range(count)]


def tags_of(number: int) -> tuple[str, str, str]:
    return f"agent:{number // TAGS}", f"cap:{number // TAGS // 10}", "fleet"


def shuffled(keys: list[str]) -> list[str]:
    random.Random(1).shuffle(keys)  # noqa: S311 - no secret
    return keys


def seconds(run: Run) -> float:
    """CPU time: what other processes do meanwhile is not counted."""
    start = time.process_time()
    run()
    return time.process_time() - start


def undisturbed(measure: Callable[[], Measured]) -> Measured:
    """Measure one round without the garbage collector, which does its work before."""
    gc.collect()
    gc.disable()
    try:
        return measure()
    finally:
        gc.enable()


def repeat(contender: Contender, call: Callable[..., object], arguments: Iterable[object]) -> Run:
    """Call with each of the arguments."""

    def sync() -> None:
        for argument in arguments:
            call(argument)

    async def awaited() -> None:
        for argument in arguments:
            await call(argument)  # type: ignore[misc]

    return (lambda: run(awaited())) if contender.is_async else sync


def store(contender: Contender, keys: list[str]) -> Run:
    """Set each key."""
    call = contender.set

    def sync() -> None:
        for key in keys:
            call(key, 1)

    async def awaited() -> None:
        for key in keys:
            await call(key, 1)

    return (lambda: run(awaited())) if contender.is_async else sync


def store_tagged(contender: Contender, items: Sequence[tuple[str, tuple[str, ...]]]) -> Run:
    """Set each key with three tags."""
    call = contender.set_tagged
    assert call is not None

    def sync() -> None:
        for key, tags in items:
            call(key, 1, tags)

    async def awaited() -> None:
        for key, tags in items:
            await call(key, 1, tags)

    return (lambda: run(awaited())) if contender.is_async else sync


def run(awaitable: object) -> None:
    asyncio.get_event_loop().run_until_complete(awaitable)  # type: ignore[arg-type]


def filled(make: Callable[[int], Contender], entries: int) -> Contender:
    contender = make(entries * 2)
    keys = names(entries, "key")
    if contender.set_tagged is None:
        store(contender, keys)()
    else:
        items = [(key, tags_of(number)) for number, key in enumerate(keys)]
        store_tagged(contender, items)()
    return contender


def time_calls(entries: int) -> dict[str, Times]:
    """One round: by column, by contender."""
    made = list(contenders.ALL)
    random.shuffle(made)
    passes = max(1, CALLS // entries)
    hits, misses = shuffled(names(entries, "key")), shuffled(names(entries, "nokey"))
    many_hits, many_misses = hits * passes, misses * passes
    columns: dict[str, Times] = {name: {} for name in BASES}
    for make in made:
        contender = filled(make, entries)
        name = contender.name
        repeat(contender, contender.get, hits)()
        columns["hit"][name] = seconds(repeat(contender, contender.get, many_hits)) / passes
        if name != "functools.lru_cache":
            repeat(contender, contender.get, misses)()
            missed = seconds(repeat(contender, contender.get, many_misses))
            columns["miss"][name] = missed / passes
            columns["overwrite"][name] = seconds(store(contender, many_hits)) / passes
        full = make(entries)
        store(full, names(entries * 2, "old"))()
        fresh = names(entries, "new")
        columns["insert+evict"][name] = seconds(store(full, fresh))
        if contender.set_tagged is not None:
            empty = make(entries * 2)
            items = [(key, tags_of(n)) for n, key in enumerate(names(entries, "key"))]
            columns["set, 3 tags"][name] = seconds(store_tagged(empty, items))
    return columns


def time_many(entries: int) -> tuple[float, float]:
    """One round: `get_many` of 100 keys, and `dict.get` of as many."""
    cache, plain = filled(contenders.meshaccel, entries), filled(contenders.plain_dict, entries)
    keys = shuffled(names(entries, "key"))
    batches = [keys[start : start + 100] for start in range(0, entries, 100)]
    get_many = cache.get.__self__.get_many  # type: ignore[attr-defined]
    runs = repeat(cache, get_many, batches * 10), repeat(plain, plain.get, keys * 10)
    for each in runs:
        each()
    return seconds(runs[0]), seconds(runs[1])


def time_invalidation(size: int) -> Times:
    """One round: tags of so many entries, until memory is released; and until the call returns."""
    times: Times = {}
    count = max(1, 10_000 // size)
    keys = names(size * count, "key")
    items = [(key, (f"t:{n // size}", "x:1", "y:1")) for n, key in enumerate(keys)]
    tags = [f"t:{number}" for number in range(count)]
    for make in (contenders.meshaccel, contenders.brief, contenders.brief_level1):
        contender = make(size * count)
        store_tagged(contender, items)()
        assert contender.invalidate is not None
        invalidate = repeat(contender, contender.invalidate, tags)
        times[contender.name] = seconds(invalidate)
        if make is contenders.meshaccel:
            sweep = contender.get.__self__.sweep  # type: ignore[attr-defined]
            times["swept"] = times[contender.name] + seconds(sweep)
    return {name: taken / count for name, taken in times.items()}


def print_times(entries: int, rounds: int) -> None:
    samples = [undisturbed(partial(time_calls, entries)) for _ in range(rounds)]
    many = [undisturbed(partial(time_many, entries)) for _ in range(rounds)]
    print(
        f"\nTime at {entries:,} entries, median of {rounds} rounds, as a ratio to the column's base"
    )
    print(f"{'':<22}" + "".join(f"{column:>19}" for column in BASES))
    print(f"{'base':<22}" + "".join(f"{_base(column):>19}" for column in BASES))
    for name in [make(1).name for make in contenders.ALL]:
        cells = []
        for column, base in BASES.items():
            bases = [sample["hit" if column == "miss" else column][base] for sample in samples]
            ratios = [
                sample[column][name] / base
                for sample, base in zip(samples, bases, strict=True)
                if name in sample[column]
            ]
            cells.append(f"{statistics.median(ratios):19.2f}" if ratios else f"{'':>19}")
        print(f"{name:<22}" + "".join(cells))
    nanoseconds = statistics.median(sample["hit"]["dict"] for sample in samples) / entries * 1e9
    ratio = statistics.median(ours / theirs for ours, theirs in many)
    print(f"get_many(100): {ratio:.2f} of dict.get per key; dict.get: {nanoseconds:.0f} ns")


def _base(column: str) -> str:
    return "dict, hit" if column == "miss" else BASES[column]


def print_invalidations(rounds: int) -> None:
    bases = ("the brief's class", "the brief's, L1 only")
    print("\nInvalidation of a tag until all memory is released, as a ratio to")
    print(f"{'':<22}" + "".join(f"{base:>22}" for base in bases) + f"{'the call alone, us':>22}")
    returned: list[float] = []
    for size in (10, 1_000, 100_000):
        samples = [undisturbed(partial(time_invalidation, size)) for _ in range(rounds)]
        ratios = [
            statistics.median(each["swept"] / each[base] for each in samples) for base in bases
        ]
        returned.append(statistics.median(each["TagCache"] for each in samples) * 1e6)
        cells = "".join(f"{ratio:22.2f}" for ratio in ratios)
        print(f"{size:>14,} entries" + cells + f"{returned[-1]:22.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", default=["time", "memory", "hits"])
    options = parser.parse_args()
    asyncio.set_event_loop(asyncio.new_event_loop())
    rounds = 3 if options.quick else 11
    if "time" in options.only:
        for entries in (1_000, 10_000):
            print_times(entries, rounds)
        print_invalidations(rounds)
    if "memory" in options.only:
        print_memory(100_000 if options.quick else 1_000_000)
    if "hits" in options.only:
        print_hits(50_000 if options.quick else None)


if __name__ == "__main__":
    main()
