"""Doubt about answers that come without a hash: a registry that has lost its agents says so too."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from meshaccel.discovery.records import KnownAgent, Records

Suspicion = Literal["empty", "mass_expiry"]

FEW = 4
"""As many agents may always go at once."""


class Guards(Struct, frozen=True, kw_only=True):
    """What an answer may do that nothing vouches for.

    They are for registries and proxies that leave out the hash. An answer that adds up to the hash
    it came with is what the registry holds, and is taken as it is.
    """

    empty_snapshot: bool = True
    """Refuse to go from some agents to none."""
    mass_expiry: float | None = 0.5
    """Refuse to lose more than this share of the healthy agents at once; None refuses none."""

    def suspect(self, held: Records, planned: Mapping[str, KnownAgent | None]) -> Suspicion | None:
        """Say why ``planned`` should not be applied to ``held``, or None. O(held)."""
        if not held:
            return None
        gone = sum(agent is None and agent_id in held.agents for agent_id, agent in planned.items())
        new = sum(
            agent is not None and agent_id not in held.agents for agent_id, agent in planned.items()
        )
        if self.empty_snapshot and len(held) - gone + new == 0:
            return "empty"
        if self.mass_expiry is None:
            return None
        healthy = sum(agent.healthy for agent in held)
        lost = sum(
            held.agents[agent_id].healthy and (agent is None or not agent.healthy)
            for agent_id, agent in planned.items()
            if agent_id in held.agents
        )
        return "mass_expiry" if lost > max(FEW, healthy * self.mass_expiry) else None
