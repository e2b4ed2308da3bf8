"""The listing of the brief, with a query for the capabilities of each agent.

Corrected: rows have no attributes to set, so they become dicts; what was read is returned; an order
is asked for, so that results can be compared.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import aiosqlite

Json = dict[str, Any]


class AgentRegistry:
    """Reads agents with their capabilities from the tables ``agents`` and ``capabilities``."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self.db = db

    async def get_agents_with_capabilities(self) -> list[Json]:
        """Return all agents, in 1 + N queries."""
        agents = await self._fetch_all("SELECT * FROM agents ORDER BY id")
        for agent in agents:
            agent["capabilities"] = await self._fetch_all(
                "SELECT * FROM capabilities WHERE agent_id = ? ORDER BY id", agent["id"]
            )
        return agents

    async def _fetch_all(self, sql: str, *parameters: object) -> list[Json]:
        async with self.db.execute(sql, parameters) as cursor:
            cursor.row_factory = sqlite3.Row
            return [dict(row) for row in await cursor.fetchall()]
