"""What the discovery of the brief is to replace: the whole list, every time.

The brief's own way, changes since a time stamp, is ``naive_datetime`` in
``benches/discovery/strategies.py``: it needs calls that no registry has, and heartbeats move the
stamps.
"""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]


class FullPolling:
    """Holds the agents of a registry."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.agents: dict[str, Json] = {}
        self.received_bytes = 0
        self._http = http

    async def discover_agents(self) -> dict[str, Json]:
        """Return all agents, read anew."""
        response = (await self._http.get("/agents")).raise_for_status()
        self.received_bytes += len(response.content)
        self.agents = {agent["id"]: agent for agent in response.json()["agents"]}
        return self.agents
