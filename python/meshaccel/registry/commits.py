"""Changes to the fleet: committed one after the other, and never half known."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from typing import TypeVar

from meshaccel.db.database import Database
from meshaccel.errors import DatabaseError
from meshaccel.registry.changes import Change
from meshaccel.registry.derived import Derived

T = TypeVar("T")


class Commits:
    """Commits changes and drops what was derived from the state before them."""

    def __init__(self, database: Database, derived: Derived, told: Callable[[], None]) -> None:
        """``told`` is called after each change."""
        self._database = database
        self._derived = derived
        self._told = told
        self._under_way: set[asyncio.Task[object]] = set()

    async def run(
        self,
        work: Callable[[sqlite3.Connection], T],
        committed: Callable[[T], Iterable[Change]],
    ) -> T:
        """Run ``work`` in a write transaction, then ``committed`` with its result.

        ``committed`` notes the result in memory and names the changes; it runs right after
        the commit and in the order of commits. Both happen even if the caller is cancelled.

        Raises:
            DatabaseError: the transaction failed.
        """
        task = asyncio.create_task(self._run(work, committed))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Drop all that was derived: what memory held for a while was not committed."""
        self._derived.clear()

    async def settle(self) -> None:
        """Wait for the changes under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _run(
        self,
        work: Callable[[sqlite3.Connection], T],
        committed: Callable[[T], Iterable[Change]],
    ) -> T:
        try:
            result = await self._database.write(work)
        except DatabaseError:
            # An error while committing does not tell whether it was committed.
            self._derived.clear()
            self._told()
            raise
        changes = list(committed(result))
        self._derived.invalidate(changes)
        if changes:
            self._told()
        return result
