"""Offers in hand: enough of them to wire some agents, and to judge their tools."""

from collections.abc import Iterable

from msgspec import Struct

from meshaccel.db.candidates import Offers
from meshaccel.models import Candidate, ToolSummary
from meshaccel.registry.changes import TOOLS, capability_tag
from meshaccel.registry.resolution import Availability, Resolver, demand_of


class Fleet(Struct, frozen=True):
    """Offers that are complete for some agents: all they choose from, and what that requires."""

    offers: dict[str, Offers]
    everything: tuple[Candidate, ...]
    all_tools: bool

    def resolver(self) -> Resolver:
        """Wire agents from these offers."""
        return Resolver(self._healthy(), self.everything)

    def availability(self) -> Availability:
        """Judge the tools of agents from these offers."""
        unhealthy = {name: offers.unhealthy for name, offers in self.offers.items()}
        return Availability(self._healthy(), unhealthy)

    def part(self, tools: Iterable[ToolSummary]) -> "Fleet":
        """Return the part that these tools choose from and require. O(capabilities in it)."""
        demand = demand_of(tools)
        names: set[str] = set()
        wanted = set(demand.capabilities)
        while wanted:
            names |= wanted
            wanted = set().union(*(self.offers[name].required for name in wanted)) - names
        offers = {name: self.offers[name] for name in sorted(names)}
        everything = self.everything if demand.everything else ()
        return Fleet(offers, everything, demand.everything)

    def tags(self) -> list[str]:
        """Return the tags of what is derived from these offers."""
        tags = [capability_tag(name) for name in self.offers]
        return [*tags, TOOLS] if self.all_tools else tags

    def _healthy(self) -> dict[str, tuple[Candidate, ...]]:
        return {name: offers.healthy for name, offers in self.offers.items()}
