"""Random agents at random ones of several registries on a file, compared with a naive model."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from msgspec import Struct
from tests.http.client import QUIET, Json, VirtualClock
from tests.http.test_signals_model import tools

from meshaccel import (
    AgentRecord,
    AgentRegistry,
    RegistrationRejectedError,
    Signal,
    Tool,
    UnknownAgentError,
)
from meshaccel.content import digest_bytes
from meshaccel.discovery.protocol import Changes, ChangesRequest
from meshaccel.http.wire import read_declaration
from meshaccel.models import Candidate
from meshaccel.registry import following
from meshaccel.registry.resolution import Resolver, Wiring

AGENTS = st.sampled_from("abcd")
REGISTRIES = 3
WHICH = st.integers(0, REGISTRIES - 1)
TIMEOUT_S = QUIET.timeout_s


class Member(Struct):
    """An agent as the model knows it."""

    tools: tuple[Tool, ...]
    port: int
    created: float
    heard: float
    leased: bool = True
    healthy: bool = True
    told: Wiring | None = None
    teller: int = -1
    """Who told it; others know that when it is written."""
    written: bool = True


class ReplicaMachine(RuleBasedStateMachine):
    """Agents come, change, beat and leave, each time at any registry."""

    directory: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory(dir=self.directory)
        self.registries = [self.opened() for _ in range(REGISTRIES)]
        self.members: dict[str, Member] = {}

    def opened(self) -> AgentRegistry:
        path = str(Path(self.folder.name) / "r.db")
        return self.runner.run(AgentRegistry.open(path, settings=QUIET, clock=self.clock))

    def teardown(self) -> None:
        """Close the registries."""
        for registry in self.registries:
            self.runner.run(registry.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(
        at=WHICH,
        agent=AGENTS,
        declared=st.lists(tools(), max_size=3),
        port=st.sampled_from([80, 81]),
        respelt=st.booleans(),
    )
    def register(
        self,
        at: int,
        agent: str,
        declared: list[Json],
        port: int,
        respelt: bool = False,  # noqa: FBT001, FBT002 - drawn
    ) -> None:
        """Register as HTTP does; the answer is the wiring of the model."""
        self.clock.seconds += 0.001
        spelt = [dict(reversed(one.items())) for one in declared] if respelt else declared
        fields = {"agent_id": agent, "http_host": "h", "http_port": port, "tools": spelt}
        body = msgspec.json.encode(fields)
        digest = digest_bytes(body)
        registry = self.registries[at]
        before = self.members.get(agent)
        try:
            answer = self.runner.run(registry.register_again(digest))
            if answer is None:
                declaration = read_declaration(body, registry.tools)
                answer = self.runner.run(registry.register(declaration, body_digest=digest))
        except RegistrationRejectedError:
            assert any(d.get("required") for t in declared for d in t.get("dependencies", ()))
            return
        now = self.clock.seconds
        self.members[agent] = member = Member(
            tools=msgspec.convert(declared, tuple[Tool, ...]),
            port=port,
            created=before.created if before else now,
            heard=now,
        )
        wiring = self.wiring(agent)
        assert answer.wiring == wiring
        if before and before.told == wiring and (before.written or before.teller == at):
            member.teller, member.written = before.teller, before.written
        else:
            member.teller, member.written = at, False
        member.told = wiring

    @rule(at=WHICH, agent=AGENTS, respelt=st.booleans())
    def register_again(self, at: int, agent: str, respelt: bool) -> None:  # noqa: FBT001 - drawn
        """Register with what was declared before, as after a signal."""
        member = self.members.get(agent)
        if member is not None and member.leased:
            declared = msgspec.to_builtins(member.tools)
            self.register(at, agent, list(declared), member.port, respelt)

    @rule(at=WHICH, agent=AGENTS, place=st.integers(0, 2), new=st.none() | tools())
    def alter(self, at: int, agent: str, place: int, new: Json | None) -> None:
        """Register with one tool changed, added or taken away: of the others, memory knows."""
        member = self.members.get(agent)
        if member is not None and member.leased:
            declared = list(msgspec.to_builtins(member.tools))
            declared[place : place + 1] = [] if new is None else [new]
            self.register(at, agent, declared, member.port)

    @rule(at=WHICH, agent=AGENTS, declared=st.lists(tools(), max_size=1))
    def put(self, at: int, agent: str, declared: list[Json]) -> None:
        """Keep a record, unless a living agent has its name."""
        self.clock.seconds += 0.001
        offered = msgspec.convert(declared, tuple[Tool, ...])
        record = AgentRecord(id=agent, name=agent, http_host="h", http_port=82, tools=offered)
        before = self.members.get(agent)
        try:
            self.runner.run(self.registries[at].put_agent(record))
        except RegistrationRejectedError:
            living = before is not None and before.leased and before.healthy
            assert living or any(d.required for t in offered for d in t.dependencies or ())
            return
        assert before is None or not before.leased or not before.healthy
        now = self.clock.seconds
        created = before.created if before else now
        self.members[agent] = Member(offered, 82, created, now, leased=False)
        if before is not None:
            old = self.members[agent]
            old.told, old.teller, old.written = before.told, before.teller, before.written

    @rule(at=WHICH, agent=AGENTS)
    def unregister(self, at: int, agent: str) -> None:
        """Leave."""
        self.runner.run(self.registries[at].unregister(agent))
        if agent in self.members:
            self.members[agent].healthy = False

    @rule(at=WHICH, agent=AGENTS)
    def beat(self, at: int, agent: str) -> None:
        """An agent is signalled if and only if it was told something else."""
        member = self.members.get(agent)
        registry = self.registries[at]
        # As the registry does all the time by itself.
        registry._follower.look()
        signal = self.runner.run(registry.heartbeat(agent))
        if member is None or not (member.healthy and member.leased):
            assert signal is Signal.UNKNOWN
            return
        member.heard = self.clock.seconds
        if self.wiring(agent) != member.told:
            assert signal is Signal.CHANGED
        elif member.written or member.teller == at:
            assert signal is Signal.UNCHANGED
        else:
            # Until it is written what it was told, another registry had better ask.
            assert signal is not Signal.UNKNOWN

    @rule(at=WHICH)
    def flush(self, at: int) -> None:
        """Write what was heard and told."""
        self.runner.run(self.registries[at]._liveness.flush())
        for member in self.members.values():
            member.written = member.written or member.teller == at

    @rule(at=WHICH, lost=st.booleans())
    def restart(self, at: int, lost: bool) -> None:  # noqa: FBT001 - drawn
        """Stop one and start it again; what it told may be lost with it, as in a crash."""
        registry = self.registries[at]
        if lost:
            for session in registry._sessions:
                session.told_unwritten = False
        self.runner.run(registry.close())
        for member in self.members.values():
            if member.teller == at:
                if lost and not member.written:
                    member.told = None
                member.written = True
        self.registries[at] = self.opened()

    @rule(at=WHICH, seconds=st.sampled_from([1, 8, 15]))
    def pass_time(self, at: int, seconds: int) -> None:
        """No agent is taken for dead that was heard anywhere."""
        for each in range(REGISTRIES):
            self.flush(each)
        self.clock.seconds += seconds
        registry = self.registries[at]
        self.runner.run(registry._liveness.expire())
        for agent, member in self.members.items():
            status = self.runner.run(registry.get_agent(agent)).status
            if member.leased and member.healthy and member.heard < self.clock.seconds - TIMEOUT_S:
                # At which one it was heard is known there to the second, elsewhere about.
                member.healthy = status == "healthy"
            assert status == ("healthy" if member.healthy else "unhealthy")

    @rule()
    def fall_silent(self) -> None:
        """All who live by heartbeats are taken for dead at last, by one registry each."""
        for each in range(REGISTRIES):
            self.flush(each)
        expired = 0
        for _ in range(2):
            self.clock.seconds += 31
            for registry in self.registries:
                expired += self.runner.run(registry._liveness.expire())
        living = [member for member in self.members.values() if member.leased and member.healthy]
        assert expired == len(living)
        for member in living:
            member.healthy = False

    @rule(at=WHICH)
    def read(self, at: int) -> None:
        """Every answer is that of the model, and the feed of all is one."""
        registry = self.registries[at]
        listed = {one.id: one.info for one in self.runner.run(registry.list_agents()).agents}
        assert set(listed) == set(self.members)
        for agent in "abcd":
            member = self.members.get(agent)
            if member is None:
                with pytest.raises(UnknownAgentError):
                    self.runner.run(registry.get_agent(agent))
                continue
            found = self.runner.run(registry.get_agent(agent))
            status = "healthy" if member.healthy else "unhealthy"
            assert found.status == listed[agent].status == status
            assert (found.record.http_port, found.record.tools) == (member.port, member.tools)
            assert self.runner.run(registry.resolve(agent)) == self.wiring(agent)
        answers = [self.runner.run(each.feed.changes(ChangesRequest())) for each in self.registries]
        first = answers[0]
        assert isinstance(first, Changes)
        for answer in answers:
            assert isinstance(answer, Changes)
            assert (answer.to, answer.hash) == (first.to, first.hash)
            assert {item.id for item in answer.items} == set(self.members)

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


@pytest.mark.timeout(120)
def test_registries_on_one_file_are_one_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever is asked answers, and signals, as the naive model of all of them does."""
    monkeypatch.setattr(following, "LOOK_INTERVAL_S", 3600)
    ReplicaMachine.directory = tmp_path
    run_state_machine_as_test(
        ReplicaMachine,
        settings=settings(max_examples=15, stateful_step_count=25, deadline=None),
    )
