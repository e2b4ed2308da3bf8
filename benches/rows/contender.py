"""What is compared: ways to do the same, and how they are timed."""

from __future__ import annotations

import gc
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median
from typing import Any, NamedTuple

import orjson
from benches.rows.dataset import AGENT_JSON, CAPABILITY_JSON, Json

Plain = Callable[[Any], list[Json]]
"""Turns a result into plain nested dicts whose JSON columns may be text."""


class Sample(NamedTuple):
    """One call: seconds on the clock, and of CPU in all threads of the process."""

    wall_s: float
    cpu_s: float


@dataclass
class Contender:
    """A way to do it, and what came of it.

    ``plain`` is None where there are no records to compare. ``python`` marks plans that need
    nothing but a driver and orjson: a native one is held to the best of them.
    """

    name: str
    call: Callable[[], Awaitable[Any]]
    plain: Plain | None = list
    python: bool = False
    queries: int | None = None
    samples: list[Sample] = field(default_factory=list)

    @property
    def wall_s(self) -> float:
        """The median over the rounds."""
        return median(sample.wall_s for sample in self.samples)

    @property
    def cpu_s(self) -> float:
        """The median over the rounds."""
        return median(sample.cpu_s for sample in self.samples)

    def faster_than(self, base: Contender) -> Sample:
        """Return how many times: medians of the ratios of the rounds."""
        pairs = list(zip(base.samples, self.samples, strict=True))
        return Sample(
            median(theirs.wall_s / ours.wall_s for theirs, ours in pairs),
            median(theirs.cpu_s / ours.cpu_s for theirs, ours in pairs),
        )


@dataclass(frozen=True)
class Section:
    """Contenders that give the same result. Ratios are to ``base`` and to the best in Python."""

    title: str
    contenders: Sequence[Contender]
    base: str

    def __getitem__(self, name: str) -> Contender:
        return next(each for each in self.contenders if each.name == name)

    @property
    def best(self) -> Contender | None:
        """The contender in plain Python that takes the least CPU time."""
        python = [contender for contender in self.contenders if contender.python]
        return min(python, key=attrgetter("cpu_s"), default=None)


@dataclass(frozen=True)
class Effort:
    """How much to measure, and how.

    ``settle`` makes whoever still holds the last result let go of it; without ``collect``, no
    garbage is collected while a contender runs.
    """

    rounds: int
    collect: bool
    settle: Callable[[], Awaitable[object]]

    async def between(self) -> None:
        """Let no contender pay for what the one before left behind."""
        await self.settle()
        gc.enable()
        gc.collect()
        if not self.collect:
            gc.disable()


async def measure(contenders: Sequence[Contender], effort: Effort) -> None:
    """Let all contenders take turns, in another order each round."""
    order = random.Random(effort.rounds)  # noqa: S311 - repeatable, not secret
    for _ in range(effort.rounds):
        for contender in order.sample(contenders, len(contenders)):
            await effort.between()
            cpu, wall = time.process_time(), time.perf_counter()
            result = await contender.call()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            del result
            contender.samples.append(Sample(wall, cpu))
    gc.enable()


async def check_equal(contenders: Iterable[Contender], queries: Callable[[], int]) -> None:
    """Check that all give the same records, count their queries, and warm all caches.

    ``queries`` returns how many there have been since it was last asked. The records are
    compared by a digest, so that there is one result at a time.
    """
    expected: dict[str, str] = {}
    for contender in contenders:
        queries()
        result = await contender.call()
        contender.queries = queries() or None
        if contender.plain is not None:
            expected.setdefault(digest(contender.plain(result)), contender.name)
        assert len(expected) < 2, f"not the same: {list(expected.values())}"


def digest(records: list[Json]) -> str:
    """Return a digest of records, the same whether their JSON columns are text or decoded."""
    decoded = [
        _decode(agent, AGENT_JSON)
        | {"capabilities": [_decode(each, CAPABILITY_JSON) for each in agent["capabilities"]]}
        for agent in records
    ]
    return hashlib.sha256(orjson.dumps(decoded, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _decode(record: Json, columns: tuple[str, ...]) -> Json:
    texts = {name: record[name] for name in columns if isinstance(record[name], str | bytes)}
    return record | {name: orjson.loads(text) for name, text in texts.items()}
