"""Agents that beat, change, come, go and fall silent."""

import asyncio
import heapq
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from msgspec import Struct
from tests.soak.agents import GROUP, SoakAgent, wiring_of
from tests.soak.wire import Answer, Connection


class Pace(Struct, frozen=True, kw_only=True):
    """How many agents do what, and how often. Times are in seconds."""

    agents: int = 5000
    beat_s: float = 10.0
    unchanged_posts: float = 0.1
    """Of the signs of life, those that are a registration with the same content."""
    churn_per_min: float = 0.01
    """Of the agents, those to which something happens."""
    connections: int = 48


class Load:
    """A fleet and the connections it speaks through.

    Args:
        ports: Where its connections go, in turn.
        pace: What its agents do.
        seed: Makes what happens to them repeatable, apart from the network.
    """

    def __init__(self, ports: list[int], pace: Pace, seed: int) -> None:
        self.pace = pace
        self.counts: Counter[str] = Counter()
        self.agents: dict[str, SoakAgent] = {}
        self._connections = [
            Connection(ports[number % len(ports)]) for number in range(pace.connections)
        ]
        self._rng = random.Random(seed)  # noqa: S311 - a test's
        self._due: list[tuple[float, str]] = []
        self._going = asyncio.Event()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        now = time.monotonic()
        for _ in range(pace.agents):
            self._join(now + self._rng.random() * pace.beat_s)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the agents beat."""
        self._going.set()
        tasks = [asyncio.create_task(self._work(each)) for each in self._connections]
        tasks.append(asyncio.create_task(self._churn()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for connection in self._connections:
                connection.close()
        failed = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if failed:
            raise RuntimeError("the load ended") from failed[0]

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nobody asks anything within the block."""
        self._going.clear()
        await self._idle.wait()
        try:
            yield
        finally:
            self._going.set()

    def registry_was_killed(self) -> None:
        """Note that who was told something lately may be told so again: that is not on the disk."""
        for agent in self.agents.values():
            if time.monotonic() - agent.told_at < 30.0:
                agent.told = None

    async def post(self, connection: Connection, agent: SoakAgent) -> None:
        """Register."""
        agent.sent, agent.told = agent.change, None
        answer = await connection.ask("POST", "/heartbeat", agent.body())
        self.counts[f"POST {answer.status}"] += 1
        agent.posts_next = answer.status != 200
        if answer.status == 200:
            content = json.loads(answer.body)
            assert content["status"] == "success", content
            agent.acknowledged = agent.sent
            agent.told, agent.told_at = wiring_of(content), time.monotonic()

    async def head(self, connection: Connection, agent: SoakAgent) -> int:
        """Give a sign of life; return the signal."""
        answer = await connection.ask("HEAD", f"/heartbeat/{agent.id}")
        self.counts[f"HEAD {answer.status}"] += 1
        return answer.status

    def _join(self, due: float) -> None:
        number = len(self.agents)
        groups = max(self.pace.agents // GROUP, 2)
        agent = SoakAgent(f"agent-{number}", number, groups)
        self.agents[agent.id] = agent
        self._schedule(agent, due)

    def _schedule(self, agent: SoakAgent, due: float) -> None:
        agent.due = due
        heapq.heappush(self._due, (due, agent.id))

    async def _work(self, connection: Connection) -> None:
        while True:
            await self._going.wait()
            now = time.monotonic()
            if not self._due or self._due[0][0] > now:
                await asyncio.sleep(0.02)
                continue
            due, agent_id = heapq.heappop(self._due)
            agent = self.agents[agent_id]
            if agent.due != due or not agent.alive:
                continue
            self._busy += 1
            self._idle.clear()
            agent.in_flight = True
            try:
                await self._beat(connection, agent)
            except OSError:
                self.counts["unanswered"] += 1
                agent.posts_next = True
                await asyncio.sleep(0.1)
            finally:
                agent.in_flight = False
                self._busy -= 1
                if not self._busy:
                    self._idle.set()
                # Who is not answered tries again soon, as the SDK does.
                wait = 1.0 if agent.posts_next else self.pace.beat_s
                self._schedule(agent, time.monotonic() + wait)

    async def _beat(self, connection: Connection, agent: SoakAgent) -> None:
        posts = agent.posts_next or self._rng.random() < self.pace.unchanged_posts
        if posts or await self.head(connection, agent) in (202, 410):
            await self.post(connection, agent)

    async def _churn(self) -> None:
        happens = (self._change, self._restart, self._leave, self._fall_silent, self._come)
        while True:
            pause = 60.0 / (self.pace.churn_per_min * self.pace.agents)
            await asyncio.sleep(self._rng.expovariate(1 / pause))
            await self._going.wait()
            await self._rng.choice(happens)()

    def _someone(self) -> SoakAgent:
        """Somebody whose last question was answered: the order of what is asked is known."""
        while True:
            agent = self.agents[f"agent-{self._rng.randrange(len(self.agents))}"]
            if not agent.in_flight:
                return agent

    async def _change(self) -> None:
        agent = self._someone()
        agent.change += 1
        self._awake(agent, "changed")

    async def _restart(self) -> None:
        agent = self._someone()
        agent.told = None
        self._awake(agent, "restarted")

    async def _leave(self) -> None:
        agent = self._someone()
        agent.alive, agent.acknowledged = False, None
        self.counts["left"] += 1
        with suppress(OSError):  # then it is there or not
            await self._ask_once("DELETE", f"/agents/{agent.id}")

    async def _fall_silent(self) -> None:
        self._someone().alive = False
        self.counts["fell silent"] += 1

    async def _come(self) -> None:
        """A new one, or one that had left or fallen silent."""
        gone = [one for one in self.agents.values() if not one.alive and not one.in_flight]
        if len(gone) > GROUP:
            self._awake(self._rng.choice(gone), "came back")
        else:
            self._join(time.monotonic())
            self.counts["joined"] += 1

    def _awake(self, agent: SoakAgent, what: str) -> None:
        self.counts[what] += 1
        agent.alive = agent.posts_next = True
        self._schedule(agent, time.monotonic())

    async def _ask_once(self, method: str, path: str) -> Answer:
        connection = Connection(self._connections[0]._port)
        self._busy += 1
        self._idle.clear()
        try:
            return await connection.ask(method, path)
        finally:
            connection.close()
            self._busy -= 1
            if not self._busy:
                self._idle.set()
