"""The fleet in numbers, in the caller's read transaction."""

import sqlite3

from msgspec import Struct


class Census(Struct, frozen=True):
    """What the database held at one revision."""

    revision: int
    """Of the last change."""
    floor: int
    """Removals up to this revision are forgotten."""
    healthy: int
    """Agents that are healthy."""
    unhealthy: int
    """Agents that are not, and are still listed."""
    capabilities: int
    """Distinct names of what any of them offers."""


def census(conn: sqlite3.Connection) -> Census:
    """Count. O(agents + distinct tools), by two scans."""
    return Census(
        *conn.execute(
            """
            SELECT
                revision,
                floor,
                (SELECT count(*) FROM agents WHERE status = 'healthy'),
                (SELECT count(*) FROM agents WHERE status <> 'healthy'),
                (SELECT count(DISTINCT name) FROM capabilities)
            FROM meta
            """
        ).fetchone()
    )
