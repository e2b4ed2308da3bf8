"""A registry's database with a fleet that changes: real transactions, real answers."""

import sqlite3
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct
from tests.discovery.world import transaction

from meshaccel import AgentRecord, Tool
from meshaccel.db import agents, feed
from meshaccel.db.migrations import migrate
from meshaccel.discovery.protocol import Changes, ChangesRequest
from meshaccel.http.changes import written
from meshaccel.registry import registration
from meshaccel.registry.feed_answers import FeedAnswers
from meshaccel.registry.records import Records

EPOCH = "5f0c1d7a9b3e4f60a1b2c3d4e5f60718"


class Told(Struct, frozen=True):
    """What an answer was."""

    body: int
    """Bytes of it."""
    event: int
    """Bytes of it as an event of a stream."""
    to: int
    known: int | None
    more: bool


def record(number: int, version: int) -> AgentRecord:
    """Return one of the fleet's agents, whose document is about 1.3 kB."""
    tools = tuple(
        Tool(
            function_name=f"f{n}",
            capability=f"capability-{(number + n) % 500}",
            description="what this is for, in a sentence of usual length " * 2,
            input_schema={"type": "object", "properties": {f"p{n}": {"type": "string"}}},
        )
        for n in range(4)
    )
    return AgentRecord(
        id=f"agent-{number:05}",
        name=f"agent-{number:05}",
        version=f"1.0.{version}",
        url=f"http://10.0.{number % 256}.{number // 256}:8080",
        labels={"tier": str(number % 20)},
        tools=tools,
        leased=False,
    )


class Fleet:
    """A database of agents, and what it answers. Nothing is answered twice to the same question."""

    def __init__(self, path: Path | str, size: int) -> None:
        self.size = size
        self.conn = sqlite3.connect(path, isolation_level=None)
        self.conn.execute("PRAGMA journal_mode = WAL")
        self.conn.execute("PRAGMA synchronous = NORMAL")
        self.conn.execute("PRAGMA foreign_keys = ON")
        migrate(self.conn)
        feed.prepare(self.conn)
        self._records = Records()
        self._answers = FeedAnswers(epoch=EPOCH, max_selectors=4, answer_bytes=1 << 30)
        self._told: dict[tuple[int, int | None, int], Told] = {}
        self._changes = 0
        with transaction(self.conn, "IMMEDIATE"):
            for number in range(size):
                self.put(record(number, 0))
        self.revision = agents.revision(self.conn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.conn.close()

    def put(self, changed: AgentRecord) -> None:
        """Register an agent, within a transaction."""
        registration.put(self.conn, changed, self._records, now_us=1)

    def change(self) -> None:
        """Change the next agent."""
        self._changes += 1
        with transaction(self.conn, "IMMEDIATE"):
            # A prime: everybody's turn comes, and neighbours are not neighbours in the file.
            self.put(record(self._changes * 7919 % self.size, self._changes))
        self.revision += 1

    def answer(self, request: ChangesRequest) -> Changes:
        """Answer a reader that knows the present epoch."""
        answer = self._answers.changes(self.conn, request)
        assert isinstance(answer, Changes), answer
        return answer

    def tell(self, since: int, known: int | None = None) -> Told:
        """Answer what changed, and say how much that was."""
        key = (since, known, self.revision)
        if key not in self._told:
            answer = self.answer(ChangesRequest(epoch=EPOCH, since=since, known=known))
            self._told[key] = Told(
                len(msgspec.json.encode(answer)),
                len(written(answer)),
                answer.to,
                answer.known,
                answer.more,
            )
        return self._told[key]
