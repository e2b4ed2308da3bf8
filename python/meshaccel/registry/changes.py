"""What a committed change touches, as tags on everything that was derived from it."""

from collections.abc import Mapping

from msgspec import Struct

from meshaccel.db.candidates import Offers
from meshaccel.registry.records import Record

FLEET = "fleet"
"""On what was derived from the set of all agents."""

TOOLS = "tools"
"""On what was derived from the set of all capabilities."""


def agent_tag(agent_id: str) -> str:
    """Tag what was derived from one agent's record."""
    return f"agent:{agent_id}"


def capability_tag(name: str) -> str:
    """Tag what was derived from the candidates of one capability."""
    return f"cap:{name}"


def told_tag(agent_id: str) -> str:
    """Tag what was derived from what an agent was told."""
    return f"told:{agent_id}"


class Change(Struct, frozen=True):
    """A committed change of one agent."""

    agent_id: str
    capabilities: frozenset[str]
    """Names of the capabilities whose candidates are others now."""
    reordered: bool = False
    """Whether the agent's tools are the same in another order."""
    record: Record | None = None
    """The agent as it is now, if the change had it at hand."""
    offers: Mapping[str, Offers] = {}
    """What others offer it, as of the change, as far as that was not in memory."""

    def tags(self) -> list[str]:
        """Return the tags of everything that may be different now."""
        tags = [FLEET, agent_tag(self.agent_id)]
        if self.capabilities or self.reordered:
            tags.append(TOOLS)
        tags.extend(map(capability_tag, self.capabilities))
        return tags
