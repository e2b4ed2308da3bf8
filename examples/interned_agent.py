"""A process that hosts many agents, whose tools are described once however many agents have them.

A decorator registers a function as a tool: what MCP wants to know of it (name, description, input
schema) is interned in a ``MetadataPool`` that all agents of the process share.

    python examples/interned_agent.py
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from meshaccel import MetadataPool, MetadataView

F = TypeVar("F", bound=Callable[..., Any])


def describe(function: Callable[..., Any], capability: str) -> dict[str, Any]:
    """Return what MCP wants to know of a function, taken from its signature."""
    parameters = inspect.signature(function).parameters.values()
    arguments = msgspec.defstruct(
        "Arguments",
        [
            (each.name, each.annotation)
            if each.default is each.empty
            else (each.name, each.annotation, each.default)
            for each in parameters
        ],
        kw_only=True,
    )
    (schema,), components = msgspec.json.schema_components([arguments])
    return {
        "name": function.__name__,
        "capability": capability,
        "description": inspect.getdoc(function) or "",
        "inputSchema": schema | {"$defs": components},
    }


class Agent:
    """One of many agents: what it is, and its tools."""

    def __init__(self, agent_id: str, pool: MetadataPool) -> None:
        self.agent_id = agent_id
        self.functions: dict[str, Callable[..., Any]] = {}
        self._pool = pool
        self._keys: dict[str, int] = {}

    def tool(self, capability: str) -> Callable[[F], F]:
        """Return a decorator that registers a function as a tool with a capability."""

        def register(function: F) -> F:
            name = function.__name__
            key = self._pool.intern(describe(function, capability))
            if name in self._keys:
                self._pool.release(self._keys[name])  # it takes the place of another
            self.functions[name], self._keys[name] = function, key
            return function

        return register

    def declaration(self) -> MetadataView:
        """Return what a registry is told: the agent's own facts, and views of shared tools."""
        tools = [self._pool.get(key) for key in self._keys.values()]
        key = self._pool.intern({"agent_id": self.agent_id, "tools": tools})
        declared: MetadataView = self._pool.get(key)
        self._pool.release(key)  # the view holds it
        return declared

    def close(self) -> None:
        """Forget the tools. What no other agent has leaves the pool."""
        for key in self._keys.values():
            self._pool.release(key)
        self._keys.clear()
        self.functions.clear()


def weather_agent(agent_id: str, pool: MetadataPool) -> Agent:
    """Make a replica of an agent with two tools."""
    agent = Agent(agent_id, pool)

    @agent.tool("weather.now")
    def now(city: str, units: str = "metric") -> str:
        """Tell the weather in a city as it is, from the nearest station that reports."""
        return f"{city}: 12 degrees ({units})"

    @agent.tool("weather.forecast")
    def forecast(city: str, days: int = 3, *, hourly: bool = False) -> list[str]:
        """Tell how the weather in a city is going to be, for up to ten days."""
        return [f"{city}, day {day}: rain (hourly: {hourly})" for day in range(days)]

    return agent


@contextmanager
def hosting(replicas: int, pool: MetadataPool) -> Iterator[list[Agent]]:
    """Host replicas of the agent for the length of the block."""
    agents = [weather_agent(f"weather-{number}", pool) for number in range(replicas)]
    try:
        yield agents
    finally:
        for agent in agents:
            agent.close()


if __name__ == "__main__":
    shared = MetadataPool()
    with hosting(1_000, shared) as fleet:
        print(fleet[7].functions["now"](city="Oslo"))
        print(fleet[7].declaration().to_json().decode()[:64])
        stats = shared.stats()
        print(f"{stats.references} tools are {stats.values} values in {stats.bytes} bytes")
        print(f"{stats.saved_percent:.1f} % less than {stats.plain_bytes} bytes of copies")
    print(f"afterwards: {shared.stats().nodes} nodes")
