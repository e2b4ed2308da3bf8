"""Memory of caches beyond their keys and values, each measured in a process of its own."""

import gc
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cachebox
import cachetools

from meshaccel.cache import TagCache

Fill = Callable[[list[str], list[object]], object]
HOUR = 3600.0


def fill_dict(keys: list[str], values: list[object]) -> object:
    cache = {}
    for key, value in zip(keys, values, strict=True):
        cache[key] = value  # noqa: PERF403 - as it grows in use
    return cache


def fill_tag_cache(keys: list[str], values: list[object]) -> object:
    cache = TagCache[object](len(keys))
    for key, value in zip(keys, values, strict=True):
        cache.set(key, value)
    return cache


def fill_with_ttl(keys: list[str], values: list[object]) -> object:
    cache = TagCache[object](len(keys), ttl=HOUR)
    for key, value in zip(keys, values, strict=True):
        cache.set(key, value)
    return cache


def fill_with_tags(keys: list[str], values: list[object]) -> object:
    cache = TagCache[object](len(keys), ttl=HOUR)
    for number, (key, value) in enumerate(zip(keys, values, strict=True)):
        cache.set(key, value, (f"agent:{number // 100}", f"cap:{number // 1000}", "fleet"))
    return cache


def fill_brief(keys: list[str], values: list[object]) -> object:
    cache: dict[str, object] = {}
    index: dict[str, set[str]] = {}
    for number, (key, value) in enumerate(zip(keys, values, strict=True)):
        cache[key] = value
        for tag in (f"agent:{number // 100}", f"cap:{number // 1000}", "fleet"):
            index.setdefault(tag, set()).add(key)
    return cache, index


def fill_cachebox(keys: list[str], values: list[object]) -> object:
    cache = cachebox.LRUCache[str, object](len(keys))
    for key, value in zip(keys, values, strict=True):
        cache.insert(key, value)
    return cache


def fill_cachetools(keys: list[str], values: list[object]) -> object:
    cache: cachetools.TTLCache[str, object] = cachetools.TTLCache(len(keys), HOUR)
    for key, value in zip(keys, values, strict=True):
        cache[key] = value
    return cache


FILLS: dict[str, Fill] = {
    "dict": fill_dict,
    "TagCache": fill_tag_cache,
    "TagCache, TTL": fill_with_ttl,
    "TagCache, TTL + 3 tags": fill_with_tags,
    "the brief's class, 3 tags": fill_brief,
    "cachebox LRU": fill_cachebox,
    "cachetools TTL": fill_cachetools,
}


def resident() -> int:
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def bytes_per_entry(name: str, entries: int) -> float:
    """Measure in a new process."""
    command = [sys.executable, "-m", __name__, name, str(entries)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def print_memory(entries: int) -> None:
    print(f"\nBytes per entry at {entries:,} entries beyond keys and values, and ratio to dict")
    base = bytes_per_entry("dict", entries)
    for name in FILLS:
        size = bytes_per_entry(name, entries)
        print(f"  {name:<28}{size:8.1f}{size / base:8.2f}")


def main() -> None:
    name, entries = sys.argv[1], int(sys.argv[2])
    keys = [f"key:{number:012}" for number in range(entries)]
    values: list[object] = [object() for _ in range(entries)]
    before = resident()
    kept = FILLS[name](keys, values)
    print((resident() - before) / entries)
    del kept


if __name__ == "__main__":
    main()
