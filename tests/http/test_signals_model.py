"""Signals of a random fleet, compared with wirings worked out from scratch."""

from contextlib import ExitStack
from typing import ClassVar

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from msgspec import Struct
from tests.http.client import Client, Json, VirtualClock, registry_on, tool
from tests.service import Service

from meshaccel.models import Candidate, Tool
from meshaccel.registry.resolution import Resolver, Wiring

CAPABILITIES = ["x", "y", "z"]
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


class Member(Struct):
    """An agent as the model knows it."""

    tools: tuple[Tool, ...]
    port: int
    created: float
    heard: float
    healthy: bool = True
    told: Wiring | None = None


def dependencies() -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {"capability": st.sampled_from(CAPABILITIES)},
        optional={
            "tags": st.sampled_from([["g"], ["+g"], ["-g"], [["g", "+s"]]]),
            "version": st.sampled_from([">=2", "<2", "1.x"]),
            "required": st.booleans(),
            "matchMode": st.sampled_from(["subset", "strict"]),
            "expectedSchemaCanonical": st.just(SCHEMA),
        },
    )


def tools() -> st.SearchStrategy[Json]:
    own = st.fixed_dictionaries(
        {},
        optional={
            "tags": st.lists(st.sampled_from(["g", "s"]), unique=True),
            "version": st.sampled_from(["1.0.0", "1.5.0", "2.0.0", "odd"]),
            "kwargs": st.fixed_dictionaries({"n": st.integers(0, 1)}),
            "description": st.sampled_from(["one", "two"]),
            "inputSchema": st.just(SCHEMA),
            "outputSchemaCanonical": st.just(SCHEMA),
            "outputSchemaHash": st.sampled_from(["sha256:1", "sha256:2"]),
            "llm_filter": st.sampled_from([
                {"filter": ["x"]},
                {"filter": [{"tags": ["g"]}], "filter_mode": "best_match"},
                {"filter": [], "filter_mode": "*"},
            ]),
            "llm_provider": st.just({"capability": "y", "tags": ["+g"]}),
        },
    )  # fmt: skip
    wanted = st.lists(dependencies(), max_size=2)
    return st.builds(
        lambda name, needs, fields: tool(name, *needs, **fields),
        st.sampled_from(CAPABILITIES),
        wanted,
        own,
    )


AGENTS = st.sampled_from(["a", "b", "c", "d"])


class FleetMachine(RuleBasedStateMachine):
    """Agents come, change, fall silent and leave."""

    server: ClassVar[Service]

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.open = ExitStack()
        self.client: Client = self.open.enter_context(
            registry_on(self.server, ":memory:", clock=self.clock)
        )
        self.members: dict[str, Member] = {}

    def teardown(self) -> None:
        """Close the registry."""
        self.open.close()

    @rule(agent=AGENTS, declared=st.lists(tools(), max_size=3), port=st.sampled_from([80, 81]))
    def post(self, agent: str, declared: list[Json], port: int) -> None:
        """Register; the answer is the wiring of the model."""
        body = {"agent_id": agent, "http_host": "h", "http_port": port, "tools": declared}
        self.clock.seconds += 0.001
        answer = self.client.http.post("/heartbeat", json=body).json()
        if answer["status"] == "error":
            assert any(d.get("required") for t in declared for d in t.get("dependencies", ()))
            return
        now = self.clock.seconds
        known = self.members.get(agent)
        self.members[agent] = Member(
            tools=msgspec.convert(declared, tuple[Tool, ...]),
            port=port,
            created=known.created if known else now,
            heard=now,
        )
        self.tell(agent, answer)

    @rule(agent=AGENTS)
    def post_again(self, agent: str) -> None:
        """Register with what was declared before, as after a signal."""
        if agent in self.members:
            declared = msgspec.to_builtins(self.members[agent].tools)
            self.post(agent, list(declared), self.members[agent].port)

    @rule(agent=AGENTS)
    def delete(self, agent: str) -> None:
        """Unregister."""
        self.client.delete(agent)
        if agent in self.members:
            self.members[agent].healthy = False

    @rule(seconds=st.sampled_from([1, 10, 21]))
    def expire(self, seconds: int) -> None:
        """Let time pass and look for silent agents."""
        self.clock.seconds += seconds
        self.client.expire()
        for member in self.members.values():
            if member.heard < self.clock.seconds - 20:
                member.healthy = False

    @rule()
    def head_all(self) -> None:
        """Every agent is signalled if and only if it was told something else."""
        for agent in ("a", "b", "c", "d"):
            self.head(agent)

    @rule(agent=AGENTS)
    def head(self, agent: str) -> None:
        """Compare one signal."""
        member = self.members.get(agent)
        signal = self.client.head(agent)
        if member is None or not member.healthy:
            assert signal == 410
            return
        member.heard = self.clock.seconds
        assert signal == (200 if self.wiring(agent) == member.told else 202)

    def tell(self, agent: str, answer: Json) -> None:
        """Note what an agent was told, after comparing it with the model."""
        wiring = self.wiring(agent)
        told = {name: answer.get(name, {}) for name in ("dependencies_resolved", "llm_tools")}
        told["llm_providers"] = answer.get("llm_providers", {})
        assert msgspec.convert(told, Wiring) == wiring
        self.members[agent].told = wiring

    def wiring(self, agent: str) -> Wiring:
        """Work out a wiring from nothing but the records."""
        everything: list[Candidate] = []
        order = sorted(self.members.items(), key=lambda item: (item[1].created, item[0]))
        for agent_id, member in order:
            if member.healthy:
                endpoint = f"http://h:{member.port}"
                everything += [Candidate(agent_id, endpoint, one) for one in member.tools]
        lookup: dict[str, list[Candidate]] = {}
        for candidate in everything:
            lookup.setdefault(candidate.tool.capability or "", []).append(candidate)
        return Resolver(lookup, everything).resolve_agent(agent, self.members[agent].tools)


def test_signals_are_those_of_the_model(server: Service) -> None:
    """In random fleets every answer and every signal is the one that the naive model works out."""
    FleetMachine.server = server
    run_state_machine_as_test(
        FleetMachine,
        settings=settings(max_examples=40, stateful_step_count=30),
    )
