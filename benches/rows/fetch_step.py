"""What a reading spends before there is a row to group: the hop and the statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiosqlite
from benches.rows.contender import Contender, Section
from benches.rows.ours import PLANS, shape
from benches.rows.python_plans import AGENTS, CAPABILITIES, JOINED, one_hop

RowTuple = tuple[Any, ...]
TWO_QUERIES = "two queries"


def fetch_section(conn: aiosqlite.Connection) -> Section:
    """Return who only fetches, in one hop."""

    def fetching(*statements: str) -> Callable[[], Awaitable[object]]:
        return partial(one_hop, conn, partial(fetch_all, statements=statements))

    calls = {
        "a hop without statements": fetching(),
        TWO_QUERIES: fetching(AGENTS, CAPABILITIES),
        "join": fetching(JOINED),
    }
    for plan in PLANS:
        statements = (statement.text for statement in shape("text").sql(plan))
        calls[f"statements of RowGrouper, {plan}"] = fetching(*statements)
    contenders = [Contender(name, call, None) for name, call in calls.items()]
    return Section("fetching all rows, grouping none", contenders, TWO_QUERIES)


def fetch_all(db: sqlite3.Connection, *, statements: tuple[str, ...]) -> list[list[RowTuple]]:
    """Return the rows of each statement."""
    return [db.execute(statement).fetchall() for statement in statements]
