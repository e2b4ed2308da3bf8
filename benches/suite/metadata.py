"""Part 2 of the brief: metadata that exists once, however many contexts hold it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from benches.metadata import memory
from benches.metadata.speed import records
from benches.naive import metadata as naive
from benches.suite.figure import Counted, Gain, Part, Timed

from meshaccel.metadata import MetadataPool

AGENTS = 300
"""Those whose memory is measured, in five contexts. A smaller share is the same with 1,000."""
SIZE = 6_000
"""Bytes of JSON of the record that is interned again and again."""
TIMES = 50


class Metadata:
    """A record that both pools have, an equal one, and its JSON."""

    def __init__(self) -> None:
        record = records()[SIZE]
        self._text = orjson.dumps(record)
        self._again: dict[str, Any] = json.loads(self._text)
        self._ours, self._naive = MetadataPool(), naive.MetadataPool()
        self._key = self._ours.intern(record)
        key = self._naive.intern(record)
        assert self._ours.get(self._key).to_dict() == self._naive.get(key)

    async def intern(self) -> None:
        """Intern what is known."""
        for _ in range(TIMES):
            self._ours.intern(self._again)

    async def intern_naive(self) -> None:
        """The same."""
        for _ in range(TIMES):
            self._naive.intern(self._again)

    async def reintern(self) -> None:
        """Say what an agent is now, which is what it was."""
        for _ in range(TIMES):
            self._ours.reintern(self._key, self._again)

    async def intern_json(self) -> None:
        """Intern a text that was seen before."""
        for _ in range(TIMES):
            self._ours.intern_json(self._text)

    async def intern_json_naive(self) -> None:
        """The same."""
        for _ in range(TIMES):
            self._naive.intern(json.loads(self._text))

    async def grown(self, way: str) -> int:
        """Return the kilobytes by which a process grows that keeps the agents this way."""
        return await asyncio.to_thread(memory.growth, way, AGENTS) // 1000


@asynccontextmanager
async def opened() -> AsyncIterator[Metadata]:
    yield Metadata()


HERE = Path("/proc/self/smaps_rollup").exists()
BRIEF = "the brief's pool"
PART = Part(
    "metadata",
    opened,
    (
        Counted(
            name="metadata.memory",
            what="memory of 300 agents in five contexts",
            unit="kB",
            against="parsed copies",
            gain=Gain.LESS,
            ours=lambda metadata: metadata.grown("MetadataPool"),
            baseline=lambda metadata: metadata.grown("parsed copies"),
            here=HERE,
        ),
        Counted(
            name="metadata.memory_of_brief",
            what="the same",
            unit="kB",
            against=BRIEF,
            gain=Gain.LESS,
            ours=lambda metadata: metadata.grown("MetadataPool"),
            baseline=lambda metadata: metadata.grown(BRIEF),
            here=HERE,
            quick=False,
        ),
        Timed(
            name="metadata.intern",
            what="interning a known record of 6 kB",
            against=BRIEF,
            ours=Metadata.intern,
            baseline=Metadata.intern_naive,
            each=TIMES,
        ),
        Timed(
            name="metadata.reintern",
            what="a record of 6 kB that did not change",
            against=BRIEF,
            ours=Metadata.reintern,
            baseline=Metadata.intern_naive,
            each=TIMES,
        ),
        Timed(
            name="metadata.intern_json",
            what="the same as JSON seen before",
            against=f"json.loads + {BRIEF}",
            ours=Metadata.intern_json,
            baseline=Metadata.intern_json_naive,
            each=TIMES,
        ),
    ),
)
