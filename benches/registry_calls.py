"""What is asked of a registry under load, and by whom."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benches.fleet import Agent
from benches.load_report import Sample
from benches.loadgen import Answer, Request, burst, request
from benches.registry_process import Registry

CONNECTIONS = 8
SETTLE_S = 100.0
"""Seconds for what is not measured."""


class Contender:
    """A registry, and the agents as far as they have registered there."""

    def __init__(self, registry: Registry, agents: list[Agent], strangers: list[Agent]) -> None:
        """``strangers`` are the agents that join when first registrations are measured."""
        self.registry = registry
        self.name = registry.name
        self.agents = agents
        self.strangers = strangers
        self.nonces = itertools.count()
        self._turns = itertools.count()

    def turns(self) -> Iterator[Agent]:
        """Yield the agents one after the other without end, going on where it was left."""
        return (self.agents[turn % len(self.agents)] for turn in self._turns)

    def send(
        self, requests: Iterator[Request], connections: int, limit_s: float, *, together: int = 1
    ) -> Sample:
        """Send requests and check their answers; ``together`` of them count as one, the last."""
        self._sizes: list[int] = []
        cpu, began = self.registry.cpu_seconds(), time.perf_counter()
        seconds = burst(
            self.registry.port, requests, self._check, connections=connections, limit_s=limit_s
        )
        wall, cpu = time.perf_counter() - began, self.registry.cpu_seconds() - cpu
        last = slice(together - 1, None, together)
        return Sample.of(cpu, wall, seconds[last], self._sizes[last])

    def register(self) -> None:
        """Register all agents and let them learn of each other; check that they did."""
        self.send(map(_post, self.agents), CONNECTIONS, SETTLE_S)
        self.settle()
        for agent in self.check_listing():
            # Each agent has one dependency that nobody serves.
            assert agent["total_dependencies"] == agent["dependencies_resolved"] + 1, agent["id"]

    def measure(self, call: str, limit_s: float, at_most: int | None = None) -> Sample:
        """Send one burst of a call."""
        kind = CALLS[call]
        if kind.warm:
            self.send(itertools.islice(kind.requests(self), 1), 1, SETTLE_S)
        requests = itertools.islice(kind.requests(self), at_most or kind.at_most)
        return self.send(requests, kind.connections, limit_s, together=kind.together)

    def settle(self) -> None:
        """Let the agents register again until none of them is told to."""
        heads = {_head(agent): agent for agent in self.agents}
        for _ in range(10):
            told: list[Agent] = []

            def check(asked: Request, answer: Answer, told: list[Agent] = told) -> None:
                if answer.status == 202:
                    told.append(heads[asked])
                elif answer.status != 200:
                    raise ValueError(f"{self.name}: HEAD answers {answer.status}")

            burst(self.registry.port, heads, check, connections=CONNECTIONS, limit_s=SETTLE_S)
            if not told:
                return
            self.send(map(_post, told), CONNECTIONS, SETTLE_S)
        raise ValueError(f"{self.name}: HEAD is 202 again and again")

    def check_listing(self) -> list[dict[str, Any]]:
        """Check that everyone is listed as healthy; return what is listed."""
        listed: list[dict[str, Any]] = self.registry.get("/agents")["agents"]
        assert {agent["id"] for agent in listed} == {agent.id for agent in self.agents}
        assert {agent["status"] for agent in listed} == {"healthy"}
        return listed

    def _check(self, asked: Request, answer: Answer) -> None:
        self._sizes.append(len(answer.body))
        fine = answer.status == 200
        if asked.method == "POST":
            fine = fine and b'"status":"success"' in answer.body
        elif asked.method == "GET":
            fine = fine and answer.body.count(b'"runtime":') == len(self.agents)
        if not fine:
            said = f"{answer.status} {answer.body!r:.300}"
            raise ValueError(f"{self.name}: {asked.raw[:60]!r}: {said}")


def _head(agent: Agent) -> Request:
    return request("HEAD", f"/heartbeat/{agent.id}")


def _post(agent: Agent) -> Request:
    return request("POST", "/heartbeat", agent.body())


def _change(agent: Agent) -> Request:
    agent.change()
    return _post(agent)


LIST = request("GET", "/agents")


def heads(contender: Contender) -> Iterator[Request]:
    return map(_head, contender.turns())


def unchanged(contender: Contender) -> Iterator[Request]:
    return map(_post, contender.turns())


def respelt(contender: Contender) -> Iterator[Request]:
    for agent in contender.turns():
        agent.respell(next(contender.nonces))
        yield _post(agent)


def listings(_: Contender) -> Iterator[Request]:
    return itertools.repeat(LIST)


def changes(contender: Contender) -> Iterator[Request]:
    return map(_change, contender.turns())


def changes_and_listings(contender: Contender) -> Iterator[Request]:
    for agent in contender.turns():
        yield _change(agent)
        yield LIST


def first_registrations(contender: Contender) -> Iterator[Request]:
    while contender.strangers:
        agent = contender.strangers.pop(0)
        contender.agents.append(agent)
        yield _post(agent)


class Call(NamedTuple):
    """A kind of request, and how many of it make a burst."""

    requests: Callable[[Contender], Iterator[Request]]
    at_most: int
    connections: int = CONNECTIONS
    together: int = 1
    """How many requests count as one; its latency and its answer are those of the last."""
    warm: bool = False
    """Whether one is sent before the burst, so that none in it is the first since a change."""


FIRST = "POST first"
CALLS = {
    "HEAD": Call(heads, 20_000),
    "POST unchanged": Call(unchanged, 10_000),
    "POST respelt": Call(respelt, 2_000),
    "GET /agents": Call(listings, 1_000, connections=2, warm=True),
    "POST changed": Call(changes, 1_000),
    "POST changed + GET": Call(changes_and_listings, 200, connections=1, together=2),
    FIRST: Call(first_registrations, 1_000),
}
