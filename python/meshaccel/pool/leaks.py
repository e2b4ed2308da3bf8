"""Who holds which connection, since when, and where in the code it was acquired."""

import asyncio
import linecache
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType

log = logging.getLogger("meshaccel.pool")

_DEPTH = 12
_OWN = __name__.rpartition(".")[0]


@dataclass(slots=True)
class Holder:
    """The use of a connection by one task."""

    since: float
    task: str
    stack: tuple[tuple[CodeType, int], ...]
    reported: bool = False

    def describe(self, now: float) -> str:
        """Return a few lines for a person: task, duration, stack."""
        lines = [f"  held for {now - self.since:.1f} s by {self.task}, acquired at:"]
        for code, number in self.stack:
            lines.append(f"    {code.co_filename}:{number} in {code.co_qualname}")
            source = linecache.getline(code.co_filename, number).strip()
            if source:
                lines.append(f"      {source}")
        return "\n".join(lines)


def report_leaks(holders: Iterable[Holder], now: float, leak_after: float) -> int:
    """Log each connection that is in use for too long, once; return how many were new."""
    late = [one for one in holders if not one.reported and now - one.since > leak_after]
    for holder in late:
        holder.reported = True
        log.warning("a connection may be leaking:\n%s", holder.describe(now))
    return len(late)


def note_holder(now: float) -> Holder:
    """Note who is acquiring a connection: innermost frame first, without those of the pool.

    The frames themselves are not kept: they would keep all their variables alive.
    """
    stack: list[tuple[CodeType, int]] = []
    frame = sys._getframe(1)  # noqa: SLF001 - traceback.walk_stack would call it for every frame
    found = frame.f_back
    while found is not None and len(stack) < _DEPTH:
        if not str(found.f_globals.get("__name__", "")).startswith(_OWN):
            stack.append((found.f_code, found.f_lineno))
        found = found.f_back
    task = asyncio.current_task()
    return Holder(now, task.get_name() if task else "no task", tuple(stack))
