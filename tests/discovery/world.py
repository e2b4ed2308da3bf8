"""A registry's database with its feed, and what ought to be in it; no loop, no network, no time.

What is tested is the real thing on real SQLite: the transactions of ``registry``, ``db.feed``,
``FeedAnswers``, the file beside the database. Only the fleet is a dict, to compare with.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from meshaccel.db import agents, feed, leases
from meshaccel.db.carrier import Carrier, read_history
from meshaccel.db.migrations import migrate
from meshaccel.discovery.protocol import DigestRequest, Reply, Request
from meshaccel.models import AgentRecord, Tool
from meshaccel.registry import departures, registration
from meshaccel.registry.feed_answers import FeedAnswers
from meshaccel.registry.records import Records

Member = tuple[AgentRecord, str]
Fleet = dict[str, Member]

IDS = [f"agent-{number}" for number in range(8)]

SELECTORS: dict[str, Callable[[Member], bool]] = {
    "": lambda _: True,
    "label.tier=gold": lambda member: member[0].labels.get("tier") == "gold",
    "status=healthy": lambda member: member[1] == "healthy",
    "namespace=eu,capability=x,capability=y": lambda member: (
        member[0].namespace == "eu"
        and any(tool.capability in ("x", "y") for tool in member[0].tools)
    ),
}
"""Selectors, and what they mean."""


def some_record(rng: random.Random, agent_id: str | None = None) -> AgentRecord:
    """Return a record of one of a few agents."""
    return AgentRecord(
        id=agent_id or rng.choice(IDS),
        name=rng.choice(["one", "two"]),
        namespace=rng.choice(["eu", "us"]),
        url=rng.choice(["http://a:1", "http://b:2"]),
        labels={"tier": rng.choice(["gold", "lead"])},
        tools=tuple(
            Tool(function_name="f", capability=name, input_schema={"type": "object"})
            for name in rng.sample(["x", "y", "z"], rng.randrange(3))
        ),
        leased=False,
    )


def shown(members: Fleet, selector: str) -> dict[str, tuple[str, Any]]:
    """Return what a reader should see of the fleet."""
    return {
        agent_id: (status, _plain(record) | {"endpoint": record.endpoint})
        for agent_id, (record, status) in members.items()
        if SELECTORS[selector]((record, status))
    }


def _plain(record: AgentRecord) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record))
    return plain


class Server:
    """A database that answers readers."""

    def __init__(self, conn: sqlite3.Connection, epoch: str, *, answer_bytes: int = 2000) -> None:
        self.conn = conn
        self._answers = FeedAnswers(epoch=epoch, max_selectors=3, answer_bytes=answer_bytes)

    def answer(self, request: Request) -> Reply:
        """Answer a question, in a read transaction."""
        with transaction(self.conn, "DEFERRED"):
            if isinstance(request, DigestRequest):
                return self._answers.digest(self.conn, request)
            return self._answers.changes(self.conn, request)


class Backup(Struct, frozen=True):
    """A copy of the database, and of what ought to be in it."""

    conn: sqlite3.Connection
    fleet: Fleet


class World:
    """The registry, what ought to be in it, a replica that lags, and backups."""

    def __init__(self, folder: Path) -> None:
        self._beside = str(folder / "world.db")
        self._carrier: Carrier | None = None
        self.fleet: Fleet = {}
        self._records = Records()
        self.conn = sqlite3.connect(":memory:", isolation_level=None)
        self.conn.execute("PRAGMA foreign_keys = ON")
        migrate(self.conn)
        feed.prepare(self.conn)
        self.now_us = 1_000_000
        self.server = self._served()
        self.replica = Server(self.copied().conn, self.epoch)
        self.backup = self.copied()

    def close(self) -> None:
        """Close all connections."""
        for conn in {self.conn, self.replica.conn, self.backup.conn}:
            conn.close()
        if self._carrier is not None:
            self._carrier.close()

    # -- what happens to agents ----------------------------------------------------------

    def put(self, record: AgentRecord) -> bool:
        """Register an agent; return whether that made a revision."""
        before = self.fleet.get(record.id)
        revision = self.revision()
        self._write(lambda conn: registration.put(conn, record, self._records, now_us=self.now_us))
        self.fleet[record.id] = (record, "healthy")
        made = self.revision() > revision
        assert made == (before != (record, "healthy")), "a revision for nothing, or none"
        return made

    def leave(self, agent_id: str) -> None:
        """Let an agent become unhealthy."""
        work = self._write
        work(lambda conn: departures.leave(conn, [agent_id], "unregister", now_us=self.now_us))
        if agent_id in self.fleet:
            self.fleet[agent_id] = (self.fleet[agent_id][0], "unhealthy")

    def remove(self, agent_id: str) -> None:
        """Remove an agent that is unhealthy, as the sweeper would."""
        self._write(lambda conn: departures.remove(conn, [agent_id], now_us=self.now_us))
        if agent_id in self.fleet and self.fleet[agent_id][1] == "unhealthy":
            del self.fleet[agent_id]

    def beat(self, agent_id: str) -> None:
        """Give a sign of life, which is no news."""
        revision = self.revision()
        beat = leases.Beat(agent_id, self.now_us, b"wiring")
        self._write(lambda conn: leases.write_beats(conn, [beat], now_us=self.now_us))
        assert self.revision() == revision

    # -- what happens to the database ----------------------------------------------------

    def compact(self, keep: int = 0) -> None:
        """Forget removals."""
        self._write(lambda conn: feed.forget_removed(conn, before_us=0, keep=keep))

    def back_up(self) -> None:
        """Keep a copy."""
        self.backup = self.copied()

    def restore(self) -> None:
        """Take the last copy for the database, as an operator would: with the registry stopped."""
        self.backup.conn.backup(self.conn)
        self.fleet = dict(self.backup.fleet)
        self.server = self._served()

    def restart(self) -> None:
        """Stop the registry and start it again."""
        self.server = self._served()

    def refresh_replica(self) -> None:
        """Let the replica be as of now, from where it lags again."""
        assert self._carrier is not None
        self._carrier.told(self.revision())  # by the replica, which is not asked for each
        self.replica = Server(self.copied().conn, self.epoch)

    # -- inside --------------------------------------------------------------------------

    @property
    def epoch(self) -> str:
        """The present epoch."""
        assert self._carrier is not None
        return self._carrier.epoch

    def answer(self, request: Request) -> Reply:
        """Answer as the registry."""
        reply = self.server.answer(request)
        assert self._carrier is not None
        self._carrier.told(self.revision())
        return reply

    def revision(self) -> int:
        """Return the last revision."""
        return agents.revision(self.conn)

    def copied(self) -> Backup:
        """Return a copy of the database."""
        conn = sqlite3.connect(":memory:", isolation_level=None)
        self.conn.backup(conn)
        return Backup(conn, dict(self.fleet))

    def _served(self) -> Server:
        if self._carrier is not None:
            self._carrier.close()
        self._carrier = Carrier.open(self._beside, lambda: read_history(self.conn))
        return Server(self.conn, self._carrier.epoch)

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        self.now_us += 1
        with transaction(self.conn, "IMMEDIATE"):
            work(self.conn)


@contextmanager
def transaction(conn: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Commit, or roll back on an error."""
    conn.execute(f"BEGIN {kind}")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        conn.execute("ROLLBACK")
        raise
