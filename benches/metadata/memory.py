"""How much memory five contexts take that each hold their own state of a fleet.

Each way is measured in a process of its own, as the growth of the memory that is the process's
alone (USS) while it takes up the fleet. Each context maps the id of an agent to what the way
gives it: a record, or a key.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from benches.metadata.contenders import FrozenPool, SplitPool
from benches.metadata.fleet import Fleet
from benches.naive.metadata import MetadataPool as BriefPool

from meshaccel.metadata import MetadataPool

Way = Callable[[], Callable[[bytes], object]]


def copies() -> Callable[[bytes], object]:
    return json.loads


def brief_pool() -> Callable[[bytes], object]:
    pool = BriefPool()
    return lambda text: pool.intern(json.loads(text))


def split_pool() -> Callable[[bytes], object]:
    pool = SplitPool()
    return lambda text: pool.intern(json.loads(text))


def frozen_pool() -> Callable[[bytes], object]:
    pool = FrozenPool()
    return lambda text: pool.intern(json.loads(text))


def metadata_pool() -> Callable[[bytes], object]:
    pool = MetadataPool()
    return lambda text: pool.intern(json.loads(text))


def compressed() -> Callable[[bytes], object]:
    import zstandard  # noqa: PLC0415 (only this way needs it)

    fleet = Fleet(2000)
    gc.collect()
    dictionary = zstandard.train_dictionary(110_000, [fleet.text(n) for n in range(0, 2000, 4)])
    compressor = zstandard.ZstdCompressor(level=3, dict_data=dictionary)
    # The compressor returns blocks that are longer than what they hold.
    return lambda text: bytes(memoryview(compressor.compress(text)))


WAYS: dict[str, Way] = {
    "parsed copies": copies,
    "the brief's pool": brief_pool,
    "static part split off by hand": split_pool,
    "frozendict and tuple consing": frozen_pool,
    "zstd bytes, trained dictionary": compressed,
    "MetadataPool": metadata_pool,
}
if find_spec("zstandard") is None:
    del WAYS["zstd bytes, trained dictionary"]


def uss_bytes() -> int:
    """Return the memory that is this process's alone."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) * 1024


def take_up(way: str, contexts: int) -> None:
    """Take up the records that come in, and print the growth in bytes."""
    lines = iter(sys.stdin.buffer)
    first = next(lines)
    # Whatever is made once only is made before: interned names, code, buffers.
    WAYS[way]()(first)
    json.loads(first)
    before = uss_bytes()
    keep = WAYS[way]()
    held: list[dict[str, object]] = [{} for _ in range(contexts)]
    for number, line in enumerate(itertools.chain([first], lines)):
        if number % contexts == 0:
            id_ = f"agent-{number // contexts}"
        held[number % contexts][id_] = keep(line)
    print(uss_bytes() - before)


def growth(way: str, size: int, *, contexts: int = 5, own_types: bool = False) -> int:
    """Return the growth in bytes, measured in a new process."""
    fleet = Fleet(size, own_types=own_types)
    command = [sys.executable, "-m", "benches.metadata.memory", way, str(contexts)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for agent in range(size):
            for context in range(contexts):
                process.stdin.write(fleet.text(agent, context) + b"\n")
        process.stdin.close()
        return int(process.stdout.read())


if __name__ == "__main__":
    take_up(sys.argv[1], int(sys.argv[2]))
