"""What is written of wirings and of health: the news, once, and only what is true.

What single events say is compared with upstream's in ``tests/conformance/scenarios/events.json``.
"""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from meshaccel.content import digest
from meshaccel.db.candidates import Offers
from meshaccel.db.events import Event
from meshaccel.models import Agent, AgentRecord, Candidate, Dependency, Tool
from meshaccel.registry import audit
from meshaccel.registry.audit import Trail
from meshaccel.registry.fleets import Fleet
from meshaccel.registry.records import Record, Records
from meshaccel.registry.registration import Declaration
from meshaccel.registry.resolution import Wiring, explain
from meshaccel.registry.service import AgentRegistry

CAP = Dependency(capability="cap")
NOW_US = 1_700_000_000_123_456


class Consumer:
    """An agent that is told its wiring; ``tell`` returns the events."""

    def __init__(self, *dependencies: Dependency) -> None:
        self.trail = Trail()
        self.told: Wiring | None = None
        self.declare(*dependencies)

    def declare(self, *dependencies: Dependency) -> None:
        """Declare other dependencies."""
        tool = Tool(function_name="use", capability="c", dependencies=dependencies)
        self.record = AgentRecord(id="c", name="consumer", tools=(tool,))

    def kept(self) -> Record:
        """Return what the registry keeps in memory of the agent."""
        bare = structs.replace(self.record, tools=())
        times = {"created_at_us": NOW_US, "updated_at_us": NOW_US}
        agent = Agent(record=bare, status="healthy", revision=1, **times)
        tools = [(digest(tool), msgspec.json.encode(tool).decode()) for tool in self.record.tools]
        return Records().read(agent, tools)

    def tell(self, fleet: Fleet) -> list[Event]:
        """Tell the agent its wiring as of now."""
        return self.audit(fleet, fleet)

    def audit(self, resolved: Fleet, traced: Fleet) -> list[Event]:
        """Tell the agent its wiring in one fleet, but trace it in another."""
        after = resolved.resolver().resolve_agent("c", self.record.tools)
        news = self.trail.wiring_events(self.kept(), self.told, after, traced, now_us=NOW_US)
        self.told = after
        return news


def provider(agent_id: str, name: str = "f", **fields: Any) -> Candidate:
    return Candidate(agent_id, f"http://{agent_id}", Tool(function_name=name, **fields))


def fleet(*healthy: Candidate, down: tuple[Candidate, ...] = ()) -> Fleet:
    return Fleet({"cap": Offers(healthy, down)}, (), all_tools=False)


def lines(events: list[Event]) -> list[str]:
    """Write events as ``index: chosen (prior)``."""
    found = []
    for event in events:
        data = dict(event.data or {})
        chosen = data["chosen"]["agent_id"] if "chosen" in data else "nobody"
        assert event.event_type == f"dependency_{'un' if chosen == 'nobody' else ''}resolved"
        assert (event.agent_id, event.agent_name, event.function_name) == ("c", "consumer", "use")
        prior = f" ({data['prior_chosen']})" if "prior_chosen" in data else ""
        found.append(f"{data['dep_index']}: {chosen}{prior}")
    return found


P, Q = provider("p"), provider("q")


def test_what_goes_without_saying_is_not_written() -> None:
    """The only candidate serves, or there is none."""
    assert Consumer(CAP).tell(fleet(P)) == []
    assert Consumer(CAP, Dependency()).tell(fleet()) == []


def test_first_wiring_with_a_choice_or_a_refusal() -> None:
    assert lines(Consumer(CAP).tell(fleet(P, Q))) == ["0: p"]
    assert lines(Consumer(CAP).tell(fleet(Q, down=(P,)))) == ["0: q"]
    assert lines(Consumer(CAP).tell(fleet(down=(P,)))) == ["0: nobody"]
    picky = Dependency(capability="cap", version=">1")
    assert lines(Consumer(CAP, picky).tell(fleet(P))) == ["1: nobody"]


def test_every_change_of_provider_is_written() -> None:
    consumer = Consumer(CAP)
    moved = Candidate("q", "http://elsewhere", Q.tool)
    steps = [
        (fleet(P), []),
        (fleet(Q), ["0: q"]),
        (fleet(moved), ["0: q (q)"]),
        (fleet(), ["0: nobody (q)"]),
        (fleet(down=(Q,)), ["0: nobody (q)"]),
        (fleet(down=(Q,)), []),
        (fleet(), ["0: nobody (q)"]),
        (fleet(P), ["0: p (q)"]),
        (fleet(P, Q), []),
        (fleet(Q), ["0: q (p)"]),
    ]
    for now, expected in steps:
        assert lines(consumer.tell(now)) == expected


def test_a_lone_provider_that_vanishes_is_written() -> None:
    """Although its choice went without saying."""
    consumer = Consumer(CAP)
    assert consumer.tell(fleet(P)) == []
    assert lines(consumer.tell(fleet())) == ["0: nobody"]
    assert lines(consumer.tell(fleet(P))) == ["0: p"]


def test_other_arguments_of_the_same_provider_are_no_news() -> None:
    consumer = Consumer(CAP)
    assert lines(consumer.tell(fleet(P, Q))) == ["0: p"]
    assert consumer.tell(fleet(provider("p", kwargs={"a": 1}), Q)) == []


def test_what_did_not_change_is_not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer(CAP, Dependency(capability="other"))
    assert lines(consumer.tell(fleet(P, Q))) == ["0: p"]
    traced: list[str | None] = []

    def spy(dependency: Dependency, *rest: Any) -> Any:
        traced.append(dependency.capability)
        return explain(dependency, *rest)

    monkeypatch.setattr(audit, "explain", spy)
    assert consumer.tell(fleet(P, Q, provider("r"))) == []
    assert Consumer(CAP).tell(fleet(P)) == []
    assert traced == ["other"]


def test_what_is_remembered_is_what_is_declared() -> None:
    consumer = Consumer(*[CAP] * 5)
    assert len(consumer.tell(fleet(P, Q))) == 5
    consumer.declare(CAP)
    assert consumer.tell(fleet(P, Q)) == []
    consumer.declare(CAP, CAP)
    assert lines(consumer.tell(fleet(P, Q))) == ["1: p"]


def test_a_fleet_that_changed_meanwhile_is_not_taken_for_the_cause() -> None:
    """A trace that leads elsewhere than the agent was told is left to its next answer."""
    consumer = Consumer(CAP)
    assert consumer.audit(fleet(P, Q), fleet(Q, down=(P,))) == []
    assert lines(consumer.tell(fleet(Q, down=(P,)))) == ["0: q"]
    consumer = Consumer(CAP)
    assert consumer.audit(fleet(), fleet(P, Q)) == []
    assert lines(consumer.tell(fleet(P, Q))) == ["0: p"]


def test_a_record_that_changed_meanwhile_does_no_harm() -> None:
    consumer = Consumer(CAP, CAP)
    after = fleet(P, Q).resolver().resolve_agent("c", consumer.record.tools)
    for other in ([], [CAP], [Dependency(capability="other")] * 3):
        consumer.declare(*other)
        news = Trail().wiring_events(consumer.kept(), None, after, fleet(P, Q), now_us=NOW_US)
        assert lines(news) == (["0: p"] if other == [CAP] else [])


def test_one_answer_writes_only_so_much(caplog: pytest.LogCaptureFixture) -> None:
    consumer = Consumer(*[CAP] * (audit.MAX_EVENTS + 1))
    assert len(consumer.tell(fleet(P, Q))) == audit.MAX_EVENTS
    assert caplog.messages == ["audit of a wiring cut short"]


class StoppedClock:
    """A clock that tests move."""

    seconds = 0.0

    def now_us(self) -> int:
        """Return microseconds since 1970."""
        return NOW_US + round(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        """Return seconds since some start."""
        return self.seconds


def test_health_is_told_as_upstream_tells_it(tmp_path: Path) -> None:
    clock = StoppedClock()

    async def live() -> list[Event]:
        async with await AgentRegistry.open(str(tmp_path / "r.db"), clock=clock) as registry:
            for agent_type in ("mcp_agent", "api"):
                agent_id = agent_type.replace("_", "-")
                for _ in range(2):
                    await registry.register(Declaration(agent_id=agent_id, agent_type=agent_type))
                    clock.seconds += 30
                    assert await registry._liveness.expire() == 1
            return await registry.events()

    down, up, _, first = found = asyncio.run(live())
    assert [event.event_type for event in found] == ["unhealthy", "register"] * 2
    assert first.data == {"name": "mcp-agent", "agent_type": "mcp_agent", "version": ""}
    assert down.data == {
        "description": "Agent became unhealthy",
        "detected_at": "2023-11-14T22:14:20.000000Z",
        "new_status": "unhealthy",
        "old_status": "healthy",
        "reason": "health_degradation",
        "source": "status_change_hook",
        "transition_type": "healthy_to_unhealthy",
    }
    assert up.data == {
        "description": "Agent recovered to healthy status",
        "detected_at": "2023-11-14T22:13:50.000000Z",
        "new_status": "healthy",
        "old_status": "unhealthy",
        "reason": "recovery",
        "source": "status_change_hook",
        "transition_type": "unhealthy_to_healthy",
    }
