"""How long operations take beside what else there is.

All contenders of a table take turns in one process. A figure is the median of the ratios of the
rounds, so that whatever else the machine does falls on all of them.
"""

from __future__ import annotations

import copy
import gc
import json
import statistics
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from benches.metadata.contenders import orjson_xxh3
from benches.metadata.fleet import Fleet
from benches.naive.metadata import MetadataPool as BriefPool
from benches.naive.metadata import json_sha256

from meshaccel.metadata import MetadataPool

Json = dict[str, Any]
Act = Callable[[], object]

SIZES = (200, 2_000, 6_000, 50_000)
COLD = 600
"""Distinct records, which together are larger than the second-level cache."""


@dataclass
class Table:
    """Contenders, by name, and their goals: how many times ours has to be faster than each."""

    title: str
    ours: Act
    theirs: dict[str, tuple[Act, float | None]]
    repeat: int = 1
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, rounds: int, burst_s: float) -> None:
        """Let all take turns."""
        acts = {"": self.ours} | {name: act for name, (act, _) in self.theirs.items()}
        counts = {}
        for name, act in acts.items():
            act()
            took = min(_timed(act, 1) for _ in range(3))
            counts[name] = max(1, int(burst_s / max(took, 1e-7)))
        gc.disable()
        for _ in range(rounds):
            for name, act in acts.items():
                self.seconds.setdefault(name, []).append(_timed(act, counts[name]))
        gc.enable()

    def lines(self) -> list[str]:
        """Return a line for each contender: how many times faster ours is, and the goal."""
        ours = self.seconds[""]
        microseconds = statistics.median(ours) / self.repeat * 1e6
        lines = [f"{self.title}: {microseconds:.2f} us"]
        for name, (_, goal) in self.theirs.items():
            pairs = zip(self.seconds[name], ours, strict=True)
            ratio = statistics.median(theirs / mine for theirs, mine in pairs)
            verdict = "" if goal is None else f"  goal {goal:g}  {_verdict(ratio, goal)}"
            lines.append(f"    {ratio:8.2f} x  {name}{verdict}")
        return lines


def _verdict(ratio: float, goal: float) -> str:
    return "met" if ratio >= goal else "MISSED"


def _timed(act: Act, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        act()
    return (time.perf_counter() - start) / count


def records() -> dict[int, Json]:
    """Return a record of about each size."""
    fleet = Fleet(2000)
    texts = sorted({fleet.text(agent) for agent in range(2000)}, key=len)
    small = {
        "id": "weather-00000001",
        "name": "weather",
        "version": "1.0.0",
        "endpoint": "http://10.0.0.1:8080",
        "tags": ["a", "b"],
        "labels": {"zone": "eu", "tier": "1"},
        "healthy": True,
        "tools": [{"name": "now"}, {"name": "soon"}],
    }
    found: dict[int, Json] = {200: small}
    for size in SIZES[1:]:
        found[size] = json.loads(min(texts, key=lambda text: abs(len(text) - size)))
    return found


def hot(size: int, record: Json) -> list[Table]:
    """Return the tables of one record, again and again."""
    pool, brief = MetadataPool(), BriefPool()
    key, theirs = pool.intern(record), brief.intern(record)
    view, again = pool.get(key), json.loads(json.dumps(record))
    plain, text = view.to_dict(), orjson.dumps(record)
    assert plain == record
    assert orjson.loads(view.to_json()) == record
    name = f"{size} B"
    digests: dict[str, tuple[Act, float | None]] = {
        "json.dumps(sort_keys) + sha256": (lambda: json_sha256(again), 11),
        "orjson sorted + xxh3_128": (lambda: orjson_xxh3(again), 1),
    }
    return [
        Table(f"digest, {name}", lambda: pool.digest(again), digests),
        Table(
            f"digest of a view, {name}",
            view.digest,
            {k: (a, None) for k, (a, _) in digests.items()},
        ),
        Table(
            f"intern, known, {name}",
            lambda: pool.intern(again),
            {"the brief's pool": (lambda: brief.intern(again), 5)},
        ),
        Table(
            f"reintern, unchanged, {name}",
            lambda: pool.reintern(key, again),
            {"the brief's pool": (lambda: brief.intern(again), 8)},
        ),
        Table(
            f"intern_json, seen before, {name}",
            lambda: pool.intern_json(text),
            {"json.loads + the brief's pool": (lambda: brief.intern(json.loads(text)), 80)},
        ),
        Table(
            f"intern into an empty pool, {name}",
            lambda: MetadataPool().intern(again),
            {
                "the brief's pool": (lambda: BriefPool().intern(again), None),
                "with a deep copy": (lambda: BriefPool().intern(copy.deepcopy(again)), None),
            },
        ),
        Table(
            f"get, {name}",
            lambda: pool.get(key),
            {
                "MappingProxyType(pool.get(key))": (
                    lambda: types.MappingProxyType(brief.get(theirs)),
                    1,
                )
            },
        ),
        Table(
            f"a field, {name}",
            lambda: view["name"],
            {"of a dict": (lambda: plain["name"], None)},
        ),
        Table(
            f"to_dict, {name}",
            view.to_dict,
            {
                "copy.deepcopy": (lambda: copy.deepcopy(plain), 6),
                "json.loads": (lambda: json.loads(text), None),
                "orjson.loads": (lambda: orjson.loads(text), None),
            },
        ),
        Table(
            f"to_json, {name}",
            view.to_json,
            {"orjson.dumps of the dict": (lambda: orjson.dumps(plain), 0.95)},
        ),
    ]


def cold() -> list[Table]:
    """Return the tables of many records, one after the other."""
    fleet = Fleet(COLD)
    many = [fleet.record(agent) for agent in range(COLD)]
    pool, brief = MetadataPool(), BriefPool()
    keys = [pool.intern(record) for record in many]
    for record in many:
        brief.intern(record)

    def each(act: Callable[[Json], object]) -> Act:
        return lambda: [act(record) for record in many]

    def all_reinterned() -> object:
        return [pool.reintern(key, record) for key, record in zip(keys, many, strict=True)]

    return [
        Table(
            "digest, cold",
            each(pool.digest),
            {
                "json.dumps(sort_keys) + sha256": (each(json_sha256), 10),
                "orjson sorted + xxh3_128": (each(orjson_xxh3), 1),
            },
            COLD,
        ),
        Table(
            "intern, known, cold",
            each(pool.intern),
            {"the brief's pool": (each(brief.intern), 5)},
            COLD,
        ),
        Table(
            "reintern, unchanged, cold",
            all_reinterned,
            {"the brief's pool": (each(brief.intern), 8)},
            COLD,
        ),
    ]
