"""The agents of a soak: what they declare, and what they were told."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from meshaccel.registry.resolution import Wiring

GROUP = 10
"""Agents that offer the same capability."""

Json = dict[str, Any]


@dataclass(slots=True)
class SoakAgent:
    """One agent, as it knows itself."""

    id: str
    number: int
    groups: int
    change: int = 0
    """Counts what it declared; part of what it declares."""
    due: float = 0.0
    alive: bool = True
    """Beats; else it is silent, or has left."""
    acknowledged: int | None = None
    """The last change that was answered with success; None: it is not registered for certain."""
    sent: int | None = None
    """The last change that was sent; what became of it is not known if it is another."""
    told: Wiring | None = None
    """What it knows of its dependencies; None: not known for certain, an answer was lost."""
    told_at: float = 0.0
    posts_next: bool = True
    in_flight: bool = False
    """It has asked something and waits for the answer."""

    @property
    def offers(self) -> str:
        """The capability that it offers."""
        return f"cap-{self.number // GROUP % self.groups}"

    @property
    def needs(self) -> str:
        """The capability that it depends on, of another group."""
        return f"cap-{(self.number // GROUP + 1) % self.groups}"

    def body(self) -> bytes:
        """What it declares now."""
        tools = [
            {"function_name": "offer", "capability": self.offers, "version": f"1.{self.change}.0"},
            {
                "function_name": "need",
                "capability": f"own-{self.id}",
                "description": f"change {self.change}",
                "dependencies": [{"capability": self.needs}],
            },
        ]
        declared = {
            "agent_id": self.id,
            "version": f"1.{self.change}.0",
            "namespace": f"ns-{self.number % 4}",
            "http_host": "h",
            "http_port": 1024 + (self.number + self.change) % 60_000,
            "tools": tools,
        }
        return json.dumps(declared).encode()


def wiring_of(answer: Json) -> Wiring:
    """The wiring that an answer to a registration tells."""
    names = ("dependencies_resolved", "llm_tools", "llm_providers")
    return msgspec.convert({name: answer.get(name, {}) for name in names}, Wiring)
