"""An outage in virtual time: many clients, one dependency with little capacity to spare.

The dependency serves 1,000 requests per second, first come, first served, and finishes those that
their clients have given up: the worst case, as it wastes its capacity on them. Fifty clients, each
with a breaker of its own, make 700 calls per second together. All three numbers can be scaled down.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

import async_solipsism

CLIENTS = 50
CALLS_PER_S = 700.0
SERVICE_S = 0.001
ROUND_TRIP_S = 0.02
REFUSAL_S = 0.001
ATTEMPT_TIMEOUT_S = 0.5

QUIET_S = 1.0
OUTAGE_S = 10.0
REPAIRED = QUIET_S + OUTAGE_S


class Refused(ConnectionRefusedError):  # noqa: N818 - what happened
    """The dependency is down, or did not answer in time."""


class Server:
    """One queue, and a time in which nothing is accepted."""

    def __init__(self, service_s: float) -> None:
        self._service_s = service_s
        self._free_at = 0.0
        self.attempts: Counter[int] = Counter()
        """By the second in which they came."""

    async def call(self) -> None:
        now = asyncio.get_running_loop().time()
        self.attempts[int(now)] += 1
        if QUIET_S <= now < REPAIRED:
            await asyncio.sleep(REFUSAL_S)
            raise Refused
        self._free_at = max(now, self._free_at) + self._service_s
        wait = self._free_at - now + ROUND_TRIP_S
        await asyncio.sleep(min(wait, ATTEMPT_TIMEOUT_S))
        if wait > ATTEMPT_TIMEOUT_S:
            raise Refused


Call = Callable[[], Awaitable[None]]
Client = Callable[[Call], Awaitable[None]]
"""Makes a call by some policy; raises if it gives up."""

MakeClient = Callable[[random.Random, Callable[[], float]], Client]


@dataclass
class Outcome:
    """What became of the calls."""

    attempts: Counter[int]
    calls_per_s: float
    issued: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    """Infinity for a call that failed."""

    def load(self, first_s: float, last_s: float) -> float:
        """Return the attempts between two seconds, relative to the calls that are made."""
        seconds = range(int(first_s), int(last_s))
        return sum(self.attempts[second] for second in seconds) / (self.calls_per_s * len(seconds))

    def worst_load(self, first_s: float, last_s: float) -> float:
        """Return the load of the worst second."""
        return max(self.load(second, second + 1) for second in range(int(first_s), int(last_s)))

    def between(self, first_s: float, last_s: float) -> list[float]:
        """Return how long the calls issued between two moments took."""
        return [
            took
            for issued, took in zip(self.issued, self.took, strict=True)
            if first_s <= issued < last_s
        ]

    def succeeded(self, first_s: float, last_s: float) -> float:
        """Return the share that succeeded of the calls issued between two moments."""
        calls = self.between(first_s, last_s)
        return sum(math.isfinite(took) for took in calls) / len(calls)

    def median_s(self, first_s: float, last_s: float) -> float:
        """Return the median of how long the calls issued between two moments took."""
        return median(self.between(first_s, last_s))


def simulate(make_client: MakeClient, seed: int, after_s: float, scale: int = 1) -> Outcome:
    """Let clients call until ``after_s`` seconds after the repair, and wait for all calls.

    Args:
        make_client: makes a client, given chance and the loop's clock.
        seed: of chance.
        after_s: virtual seconds.
        scale: divides clients, calls and the capacity of the server.
    """
    loop = async_solipsism.EventLoop()
    try:
        chance = random.Random(seed)  # noqa: S311 - a simulation
        outcome: Outcome = loop.run_until_complete(_run(make_client, chance, after_s, scale))
        return outcome
    finally:
        loop.close()


async def _run(
    make_client: MakeClient, chance: random.Random, after_s: float, scale: int
) -> Outcome:
    loop = asyncio.get_running_loop()
    server = Server(SERVICE_S * scale)
    outcome = Outcome(server.attempts, CALLS_PER_S / scale)
    clients = [make_client(chance, loop.time) for _ in range(CLIENTS // scale)]

    async def issue(client: Client) -> None:
        issued = loop.time()
        try:
            await client(server.call)
        except Exception:  # noqa: BLE001 - each policy gives up with an error of its own
            took = math.inf
        else:
            took = loop.time() - issued
        outcome.issued.append(issued)
        outcome.took.append(took)

    async with asyncio.TaskGroup() as calls:
        while loop.time() < REPAIRED + after_s:
            await asyncio.sleep(max(1e-6, chance.expovariate(CALLS_PER_S / scale)))
            calls.create_task(issue(chance.choice(clients)))
    return outcome
