"""Changes to the fleet: committed one after the other, and never half known."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from meshaccel.db import touched
from meshaccel.db.database import Database
from meshaccel.db.touched import Touch
from meshaccel.errors import DatabaseError
from meshaccel.registry.changes import Change
from meshaccel.registry.derived import Derived
from meshaccel.registry.following import Follower

T = TypeVar("T")


class Commits:
    """Commits changes and drops what was derived from the state before them.

    The other registries on the database are told of them by its log, in the same transaction.
    """

    def __init__(
        self,
        database: Database,
        derived: Derived,
        follower: Follower,
        news: Callable[[], None],
        me: int,
    ) -> None:
        """``news`` is called after each change; ``me`` names this registry in the database."""
        self._database = database
        self._derived = derived
        self._follower = follower
        self._news = news
        self._me = me
        self._under_way: set[asyncio.Task[object]] = set()
        self._changing: Counter[str] = Counter()

    async def run(
        self,
        work: Callable[[sqlite3.Connection], T],
        committed: Callable[[T], None],
        changes: Callable[[T], Sequence[Change]],
        failed: Callable[[], None] = lambda: None,
        *,
        about: str | None = None,
    ) -> T:
        """Run ``work`` in a write transaction, then ``committed`` with its result.

        ``changes`` names the changes of the result, and runs in the transaction. ``committed``
        notes the result in memory; it runs right after the commit and in the order of the commits
        made here. ``failed`` takes back what was noted before. All of it happens even if the
        caller is cancelled. ``about`` is the agent that ``is_changing`` meanwhile.

        Raises:
            DatabaseError: the transaction failed.
        """
        task = asyncio.create_task(self._run(work, committed, changes, failed))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        if about is not None:
            self._changing[about] += 1
            task.add_done_callback(lambda _: self._changed(about))
        return await asyncio.shield(task)

    def is_changing(self, agent_id: str) -> bool:
        """Whether a change of an agent is under way, whose outcome nobody knows yet."""
        return agent_id in self._changing

    async def note(
        self,
        work: Callable[[sqlite3.Connection], Iterable[Touch]],
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """Run ``work`` in a write transaction, and tell the other registries what it touches.

        For what is no change of an agent. ``committed`` notes in memory what was written, before
        what others wrote since is taken in; not if the caller is cancelled.

        Raises:
            DatabaseError: the transaction failed.
        """

        def logged(conn: sqlite3.Connection) -> tuple[int, int]:
            touches = list(work(conn))
            return touched.append(conn, touches, writer=self._me), len(touches)

        self._follower.check()
        last, count = await self._database.write(logged)
        committed()
        if not self._follower.note_own(last, count):
            await self._follower.catch_up()

    async def settle(self) -> None:
        """Wait for the changes under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _changed(self, agent_id: str) -> None:
        self._changing[agent_id] -= 1
        if not self._changing[agent_id]:
            del self._changing[agent_id]

    async def _run(
        self,
        work: Callable[[sqlite3.Connection], T],
        committed: Callable[[T], None],
        changes: Callable[[T], Sequence[Change]],
        failed: Callable[[], None],
    ) -> T:
        def logged(conn: sqlite3.Connection) -> tuple[T, Sequence[Change], int]:
            result = work(conn)
            named = changes(result)
            touches = [Touch(change.agent_id, tuple(change.tags())) for change in named]
            return result, named, touched.append(conn, touches, writer=self._me)

        known = self._follower.seq
        try:
            self._follower.check()
            result, named, last = await self._database.write(logged)
        except DatabaseError:
            # An error while committing does not tell whether it was committed.
            failed()
            self._derived.clear()
            self._follower.doubt(known)
            self._news()
            raise
        committed(result)
        self._derived.invalidate(named)
        if named:
            self._news()
        if not self._follower.note_own(last, len(named)):
            await self._follower.catch_up()
        return result
