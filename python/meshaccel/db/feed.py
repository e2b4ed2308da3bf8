"""What a change of an agent means for the change feed, written in the transaction of the change."""

import sqlite3
import uuid
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, structs

from meshaccel.db import documents
from meshaccel.db.documents import Defined
from meshaccel.discovery.convergence import agent_hash, bucket_of
from meshaccel.discovery.selector import Facts
from meshaccel.models import AgentRecord, AgentStatus

FORMAT = 1
"""Number of the rules by which documents, facts and hashes are made. With a change of them, all is
made anew when a database is opened, and readers begin a new epoch."""

_SAVE = """
INSERT INTO feed (agent_id, bucket, revision, facts, facts_revision, digest)
VALUES (?1, ?2, ?3, ?4, ?3, ?5)
ON CONFLICT (agent_id) DO UPDATE SET
    revision = ?3, facts = ?4, digest = ?5, removed_at_us = NULL,
    facts_revision = iif(digest IS NULL OR facts <> ?4, ?3, facts_revision)
"""
"""One statement that knows what there was: a change should cost little more than itself. What is
summed up of the feed is worked out by who reads it."""

_decode_facts = msgspec.json.Decoder(Facts).decode


class FeedRow(Struct, frozen=True):
    """The last change of an agent."""

    agent_id: str
    revision: int
    facts: Facts
    facts_revision: int
    digest: bytes | None
    """Of its document; None if it was removed."""

    @property
    def hash(self) -> int:
        """The agent's part in the hash of the set; none if it was removed."""
        if self.digest is None:
            return 0
        return agent_hash(self.agent_id, self.revision, self.facts.status, self.digest)


COLUMNS = "agent_id, revision, facts, facts_revision, digest"


def read_row(row: tuple[str, int, str, int, bytes | None]) -> FeedRow:
    """Read the values of ``COLUMNS``."""
    agent_id, revision, facts, facts_revision, digest = row
    return FeedRow(agent_id, revision, _decode_facts(facts), facts_revision, digest)


def saved(
    conn: sqlite3.Connection,
    record: AgentRecord,
    tools: Sequence[Defined],
    status: AgentStatus,
    revision: int,
) -> None:
    """Note that an agent was registered or changed; ``record`` is without its ``tools``."""
    names = {tool.capability for tool in tools if tool.capability}
    facts = Facts(record.namespace, status, record.labels, tuple(sorted(names)))
    digest = documents.digest_of(record, tools)
    conn.execute(_SAVE, (record.id, bucket_of(record.id), revision, _encode_facts(facts), digest))


def status_changed(
    conn: sqlite3.Connection, agent_id: str, status: AgentStatus, revision: int
) -> None:
    """Note that the health of an agent is another one."""
    row = conn.execute("SELECT facts FROM feed WHERE agent_id = ?", (agent_id,)).fetchone()
    if row is not None:
        facts = structs.replace(_decode_facts(row[0]), status=status)
        conn.execute(
            "UPDATE feed SET revision = ?2, facts = ?3, facts_revision = ?2 WHERE agent_id = ?1",
            (agent_id, revision, _encode_facts(facts)),
        )


def removed(conn: sqlite3.Connection, agent_id: str, revision: int, *, now_us: int) -> None:
    """Note that an agent was removed: readers are told until that is forgotten."""
    conn.execute(
        "UPDATE feed SET revision = ?, digest = NULL, removed_at_us = ? WHERE agent_id = ?",
        (revision, now_us, agent_id),
    )


def forget_removed(conn: sqlite3.Connection, *, before_us: int, keep: int) -> None:
    """Forget removals before the given time, and all but the latest ``keep``.

    Readers who may not have heard of one begin anew: that is what the floor is for.
    """
    row: tuple[int | None] = conn.execute(
        "SELECT max(revision) FROM ("
        " SELECT max(revision) AS revision FROM feed WHERE removed_at_us < ?1 UNION ALL"
        " SELECT * FROM (SELECT revision FROM feed WHERE removed_at_us IS NOT NULL"
        "  ORDER BY revision DESC LIMIT 1 OFFSET ?2))",
        (before_us, keep),
    ).fetchone()
    if row[0] is not None:
        # All up to that revision, so that the floor says no more than is true.
        conn.execute(
            "DELETE FROM feed WHERE removed_at_us IS NOT NULL AND revision <= ?", (row[0],)
        )
        conn.execute("UPDATE meta SET floor = max(floor, ?)", (row[0],))


def prepare(conn: sqlite3.Connection) -> None:
    """Make the feed of a database that has none, or one by other rules. O(agents), once."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        (made_by,) = conn.execute("SELECT feed_format FROM meta").fetchone()
        if made_by != FORMAT:
            _rebuild(conn)
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _rebuild(conn: sqlite3.Connection) -> None:
    conn.execute("DELETE FROM feed")
    # Removals were not kept by our rules: whoever knows of agents from before begins anew.
    conn.execute(
        "UPDATE meta SET feed_format = ?, floor = revision, epoch = ?",
        (FORMAT, uuid.uuid4().hex),
    )
    found: Iterable[tuple[str, AgentStatus, int]] = conn.execute(
        "SELECT id, status, revision FROM agents"
    )
    for agent_id, status, revision in found:
        agent = documents.record(conn, agent_id)
        if agent is not None:
            saved(conn, *agent, status, revision)


def _encode_facts(facts: Facts) -> str:
    # Equal facts are equal texts: they are compared as such.
    return msgspec.json.encode(facts, order="deterministic").decode()
