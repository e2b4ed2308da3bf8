"""Revisions come in the order of commits: a reader that goes by them loses nothing.

Writers that commit late are the rule in a busy database. Who numbers changes when they are made,
as a sequence or a clock does, loses those that are committed after later ones were read. That it
does is part of the tests: it shows that they could fail.
"""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from tests.discovery.world import transaction

from meshaccel import AgentRecord
from meshaccel.db import changes, feed
from meshaccel.db.migrations import migrate
from meshaccel.registry import registration
from meshaccel.registry.records import Records

WRITERS = 8
UPDATES = int(os.environ.get("MESHACCEL_COMMIT_UPDATES", "3000"))
SLOW = 0.03
"""Of the transactions, those that are open for a while before their commit."""
OPEN_S = (0.02, 0.1)

COUNTED = "UPDATE counter SET revision = revision + 1 RETURNING revision"
"""The row is locked until the commit, so the next revision is taken after this one is there. Taken
last, the lock is held for a moment."""

SEQUENCE = "SELECT nextval('numbers')"
"""What a column of type bigserial does."""

Write = Callable[[random.Random, int], None]
"""Commits one change of a given number."""
Read = Callable[[int], tuple[int, set[int]]]
"""Returns the last revision after one, and the numbers of the changes up to it."""


def lost(writing: Callable[[], AbstractContextManager[Write]], read: Read) -> int:
    """Return how many changes of eight writers a reader at their heels did not see."""
    numbers = iter(range(UPDATES))
    taking = threading.Lock()

    def work(seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 - not for secrets
        with writing() as write:
            while True:
                with taking:
                    number = next(numbers, None)
                if number is None:
                    return
                write(rng, number)

    cursor, seen = 0, set[int]()
    with ThreadPoolExecutor(WRITERS) as threads:
        futures = [threads.submit(work, seed) for seed in range(WRITERS)]
        while not all(future.done() for future in futures):
            cursor, new = read(cursor)
            seen |= new
    for future in futures:
        future.result()
    _, new = read(cursor)
    return UPDATES - len(seen | new)


@pytest.fixture
def url(postgres_uri: str) -> Iterator[str]:
    """A database of its own."""
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        admin.execute("CREATE DATABASE commit_order")
        parts = urlsplit(postgres_uri)
        yield urlunsplit(parts._replace(path="/commit_order"))
        admin.execute("DROP DATABASE commit_order")


def lost_on_postgres(url: str, allocate: str, *, last: bool) -> int:
    """Allocate revisions by a statement, as the last one of a transaction or as the first."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE TABLE log (number bigint PRIMARY KEY, revision bigint)")
        admin.execute("CREATE TABLE counter (revision bigint NOT NULL)")
        admin.execute("INSERT INTO counter VALUES (0)")
        admin.execute("CREATE SEQUENCE numbers")

    @contextmanager
    def writing() -> Iterator[Write]:
        with psycopg.connect(url) as conn:

            def allocated() -> int:
                row = conn.execute(allocate).fetchone()
                assert row is not None
                revision: int = row[0]
                return revision

            def write(rng: random.Random, number: int) -> None:
                revision = None if last else allocated()
                conn.execute("INSERT INTO log (number) VALUES (%s)", (number,))
                _be_slow(rng)
                conn.execute(
                    "UPDATE log SET revision = %s WHERE number = %s",
                    (allocated() if revision is None else revision, number),
                )
                conn.commit()

            yield write

    with psycopg.connect(url, autocommit=True) as reader:

        def read(since: int) -> tuple[int, set[int]]:
            rows = reader.execute(
                "SELECT revision, number FROM log WHERE revision > %s", (since,)
            ).fetchall()
            return max((row[0] for row in rows), default=since), {row[1] for row in rows}

        return lost(writing, read)


def test_a_counter_taken_last_on_postgres(url: str) -> None:
    """How a registry on Postgres has to allocate: nothing is lost."""
    assert lost_on_postgres(url, COUNTED, last=True) == 0


def test_a_sequence_on_postgres(url: str) -> None:
    """The control: changes are lost, so the tests beside it can fail."""
    assert lost_on_postgres(url, SEQUENCE, last=False) > 0


def test_the_registry_on_sqlite(tmp_path: Path) -> None:
    """Its own transactions from eight connections at once, and its own feed."""
    path = tmp_path / "r.db"
    with closing(_connected(path)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        migrate(conn)
        feed.prepare(conn)

    @contextmanager
    def writing() -> Iterator[Write]:
        with closing(_connected(path)) as conn:

            def write(rng: random.Random, number: int) -> None:
                record = AgentRecord(id=f"a{number}", name="a", leased=False)
                with transaction(conn, "IMMEDIATE"):
                    registration.put(conn, record, Records(), now_us=number)
                    if rng.random() < SLOW / 4:  # nobody else writes meanwhile
                        time.sleep(OPEN_S[0])

            yield write

    with closing(_connected(path)) as reader:

        def read(since: int) -> tuple[int, set[int]]:
            rows = list(changes.rows(reader, since))
            return max((row.revision for row in rows), default=since), {
                int(row.agent_id[1:]) for row in rows
            }

        assert lost(writing, read) == 0


def _connected(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path, isolation_level=None, timeout=60)
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("PRAGMA synchronous = NORMAL")
    return conn


def _be_slow(rng: random.Random) -> None:
    if rng.random() < SLOW:
        time.sleep(rng.uniform(*OPEN_S))
