"""Native loops in instructions, as valgrind counts them: a figure that a busy machine leaves alone.

A way is run so many times, and not at all; the difference is what it took. Counts of the same build
on the same machine differ by a millionth; those of other builds of Python by a tenth.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which

from benches.suite.figure import Counted, Gain, Part

ROOT = Path(__file__).parents[2]
TIMES = 100
COLLECTED = re.compile(r"Collected : (\d+)")


async def counted(way: str) -> float:
    """Return the instructions of doing it once."""
    return (await _collected(way, TIMES) - await _collected(way, 0)) / TIMES


async def _collected(way: str, times: int) -> int:
    valgrind = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    # No site: it looks at the file system, whose answers differ.
    command = (*valgrind, sys.executable, "-S", "-m", "benches.suite.native_loops", way, str(times))
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = COLLECTED.search(done.stderr)
    assert found is not None, done.stderr
    return int(found[1])


@asynccontextmanager
async def opened() -> AsyncIterator[None]:
    yield


def instructions(way: str, what: str, against: str) -> Counted[None]:
    return Counted(
        name=f"instructions.{way}",
        what=what,
        unit="instr.",
        against=against,
        gain=Gain.TIMES,
        ours=lambda _: counted(f"{way}, ours"),
        baseline=lambda _: counted(f"{way}, naive"),
        quick=False,
        here=which("valgrind") is not None,
    )


PART = Part(
    "instructions",
    opened,
    (
        instructions("intern", "interning a known record of ten tools", "the brief's pool"),
        instructions("hit", "awaiting a hundred hits", "the brief's cache"),
        instructions("group", "grouping 100 joined rows into 10 agents", "dict(zip)"),
    ),
)
