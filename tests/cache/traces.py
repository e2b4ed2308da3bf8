"""Traces of key requests: generated ones, and recorded ones where the data is at hand."""

import gzip
import random
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path

DATA = Path(__file__).parents[3] / "shared" / "data"
RECORDED = ("orm_busy", "web12")


def zipf(requests: int, keys: int, skew: float, seed: int = 1) -> list[str]:
    """Independent requests whose popularity falls with rank to the power of ``skew``."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    weights = list(accumulate(1 / rank**skew for rank in range(1, keys + 1)))
    names = [f"{rank:08x}" for rank in range(keys)]
    return rng.choices(names, cum_weights=weights, k=requests)


def zipf_with_sweeps(requests: int, keys: int, skew: float) -> list[str]:
    """As `zipf`, with a sweep over all keys now and then, as by a check of everyone's health."""
    steady = iter(zipf(requests, keys, skew))
    trace: list[str] = []
    while len(trace) < requests:
        trace += islice(steady, keys * 2)
        trace += [f"{key:08x}" for key in range(keys)]
    return trace[:requests]


def shifting(requests: int, keys: int, skew: float) -> list[str]:
    """As `zipf`, but who is popular changes ten times."""
    part = requests // 10
    return [
        f"{number}{key}" if int(key, 16) < keys // 10 else key
        for number in range(10)
        for key in zipf(part, keys, skew, seed=number)
    ]


def generated(requests: int) -> dict[str, list[str]]:
    """The generated traces, by name."""
    keys = requests // 20
    return {
        "zipf 0.8": zipf(requests, keys, 0.8),
        "zipf 0.99": zipf(requests, keys, 0.99),
        "zipf 1.2": zipf(requests, keys, 1.2),
        "zipf 0.99, sweeps": zipf_with_sweeps(requests, keys, 0.99),
        "zipf 0.99, shifting": shifting(requests, keys, 0.99),
    }


def recorded(requests: int | None = None) -> Iterator[tuple[str, list[str]]]:
    """Name and keys of each recorded trace that is at hand."""
    for name in RECORDED:
        path = DATA / f"cache_trace_{name}.txt.gz"
        if path.exists():
            with gzip.open(path, "rt") as lines:
                yield name, [line.rstrip() for line in islice(lines, requests)]
