"""What other registries commit to the same database, taken in as if it were committed here.

Every change writes what it touches into a log, in its own transaction. A registry looks at the log
many times a second, and before it answers what must not be older than the last change that anybody
was told of. Each look is one read in the event loop, of microseconds: nothing happens between it
and what is done because of it.

What is read is the state of the touched agents as of now, so taking in a row twice does no harm.
That is what keeps the order simple: if a look has gone past a change of our own before that was
noted here, what others changed after it is taken in again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from meshaccel.db import touched
from meshaccel.db.database import Database
from meshaccel.db.touched import Followed
from meshaccel.errors import DatabaseError, DatabaseReplacedError
from meshaccel.registry.changes import agent_tag
from meshaccel.registry.derived import Derived
from meshaccel.registry.sessions import Sessions

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 0.025
"""How long readers who wait for changes, and agents that give a sign of life, may be told of a
state that another registry has changed."""

FILE_INTERVAL = 40
"""Looks between two looks at the file itself."""

NOBODY = -1
"""Names no registry."""


class Follower:
    """Keeps what is in memory as new as the database."""

    def __init__(
        self,
        database: Database,
        derived: Derived,
        sessions: Sessions,
        news: Callable[[], None],
    ) -> None:
        """``news`` is called after changes of others were taken in."""
        self._database = database
        self._glance: Final = database.glance
        self._derived = derived
        self._sessions = sessions
        self._news = news
        self.seq = 0
        """All changes of others up to here are taken in."""
        self._doubtful = False
        """Whether one of our own after that may not be known."""
        self._foreign = 0
        """The last of them."""
        self._replaced: str | None = None
        """What became of the database, if it is lost."""

    def start(self, seq: int) -> None:
        """Go on after a change: all before it is known."""
        self.seq = seq

    def look(self) -> bool:
        """Take in what others committed; return whether there was anything.

        Raises:
            DatabaseError: the database cannot be read at once; ``catch_up`` waits for it.
            DatabaseReplacedError: it never will.
        """
        if self._glance is None:
            return False
        self.check()
        last = self._glance.last_seq()
        if last == self.seq:
            self._doubtful = False
            return False
        if last < self.seq:
            raise self._lost("the database was taken back to a former state")
        rows = self._glance.since(self.seq, but=NOBODY if self._doubtful else self._sessions.me)
        if rows is None:
            self._begin_anew()
        elif rows:
            self._take_in(rows)
            self.seq = self._foreign = rows[-1].seq
        # What was committed since is for the next look.
        self.seq = max(self.seq, last)
        self._doubtful = False
        return rows is None or bool(rows)

    async def catch_up(self) -> None:
        """Take in what others committed, as ``look`` does, however busy the database is.

        Raises:
            DatabaseError: it cannot be read.
        """
        try:
            self.look()
        except DatabaseReplacedError:
            raise
        except DatabaseError:
            # That waits for what passes, and says what does not.
            await self._database.read(touched.last_seq)
            self.look()

    def note_own(self, last: int, count: int) -> bool:
        """Note changes made here, after their effects: ``count`` of them up to number ``last``.

        With a count of 0: a transaction that changed nothing saw all changes up to ``last``.
        Returns whether memory has all of them; if not, ``catch_up`` is needed.
        """
        if last < self._foreign:
            # What was taken in may be about the same agents: the next look takes it in again.
            self.seq = min(self.seq, last)
            return False
        if last - count == self.seq:
            self.seq = last
        return last <= self.seq

    def doubt(self, seq: int) -> None:
        """Take in whatever was committed after a number, if it was committed here too."""
        self.seq = min(self.seq, seq)
        self._doubtful = True

    def check(self) -> None:
        """Refuse to go on with a database that is not there any more.

        Raises:
            DatabaseReplacedError: the file was replaced.
        """
        if self._replaced is not None:
            # A new one each time: one and the same would keep the frames of all who met it.
            raise DatabaseReplacedError(self._replaced)

    def look_at_file(self) -> None:
        """See whether the database is still there.

        Raises:
            DatabaseReplacedError: it is not, and this registry is of no use from now on.
        """
        if self._glance is not None:
            try:
                self._glance.check_file()
            except DatabaseReplacedError as error:
                raise self._lost(str(error)) from None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        if self._glance is None:
            return
        looks = 0
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            looks += 1
            try:
                self.look()
                if looks % FILE_INTERVAL == 0:
                    self.look_at_file()
            except DatabaseReplacedError:
                return
            except DatabaseError as error:
                log.debug("will look again", extra={"error": str(error)})
            except Exception:
                # A bug must not leave the registry blind.
                log.exception("will look again")

    def _take_in(self, rows: list[Followed]) -> None:
        tags: set[str] = set()
        changed: set[str] = set()
        for row in rows:
            if row.tags is None:
                self._derived.clear()
            else:
                tags.update(row.tags)
            if row.tags is None or agent_tag(row.agent_id) in row.tags:
                changed.add(row.agent_id)
        self._derived.drop(tags)
        for row in {row.agent_id: row for row in rows}.values():
            if row.session is None:
                self._sessions.close(row.agent_id)
            else:
                self._sessions.follow(row.session, changed=row.agent_id in changed)
        if changed:
            self._news()

    def _begin_anew(self) -> None:
        """Take in everything: the log does not go back as far as what is known."""
        if self._glance is None:
            return
        self.seq, stored = self._glance.everything()
        self._foreign = self.seq
        self._derived.clear()
        gone = {session.agent_id for session in self._sessions}
        for session in stored:
            gone.discard(session.agent_id)
            self._sessions.follow(session, changed=True)
        for agent_id in gone:
            self._sessions.close(agent_id)
        self._news()
        log.warning("missed changes of other registries: beginning anew")

    def _lost(self, what: str) -> DatabaseReplacedError:
        if self._replaced is None:
            self._replaced = what
            log.critical("the database is lost", extra={"error": what})
        return DatabaseReplacedError(what)
