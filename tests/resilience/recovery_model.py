"""Faults in virtual time, and how many of the operations that met one a policy saves."""

import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from meshaccel.resilience.testing import VirtualTime

LATENCY_S = 0.005

Attempt = Callable[[], None]
Run = Callable[[Attempt], object]
"""Makes attempts by some policy until one succeeds; raises if it gives up."""

MakeRun = Callable[[VirtualTime], Run]

Broken = Callable[[float, random.Random], bool]
"""Whether an attempt fails that is made so many seconds after the first one."""

Fault = Callable[[random.Random], Broken]
"""Draws one fault in which an operation begins."""


def blips(share: float) -> Fault:
    """Each attempt fails with some probability; the first one has."""
    return lambda _: lambda elapsed, chance: elapsed == 0 or chance.random() < share


def outage(duration: Callable[[random.Random], float]) -> Fault:
    """Nothing works for a while; the operation begins at any moment of it."""

    def draw(chance: random.Random) -> Broken:
        left = duration(chance)
        return lambda elapsed, _: elapsed < left

    return draw


FAULTS: dict[str, Fault] = {
    "blips of 0.05": blips(0.05),
    "blips of 0.3": blips(0.3),
    "blips of 0.5": blips(0.5),
    "locked for 50 ms": outage(lambda chance: chance.expovariate(20)),
    "failover of 1-5 s": outage(lambda chance: chance.random() * chance.uniform(1, 5)),
    "restart of 5-9 s": outage(lambda chance: chance.random() * chance.uniform(5, 9)),
    "outage of 10 s": outage(lambda chance: chance.expovariate(0.1)),
}


@dataclass
class Recovered:
    """What became of operations that met a fault."""

    share: float
    first_pauses_s: list[float] = field(default_factory=list)


def recover(make_run: MakeRun, fault: Fault, operations: int, seed: int = 1) -> Recovered:
    """Let operations meet a fault each, and count those that are saved."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    time = VirtualTime(seed)
    run = make_run(time)
    saved = 0
    first_pauses_s = []
    for _ in range(operations):
        broken = fault(chance)
        began = time.now
        attempts: list[float] = []

        def attempt(
            broken: Broken = broken, began: float = began, attempts: list[float] = attempts
        ) -> None:
            elapsed = time.now - began
            attempts.append(elapsed)
            time.now += LATENCY_S
            if broken(elapsed, chance):
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error

        try:
            run(attempt)
        except sqlite3.OperationalError:
            pass
        else:
            saved += 1
        if len(attempts) > 1:
            first_pauses_s.append(attempts[1] - LATENCY_S)
        time.now += 60.0
        time.pauses.clear()
    return Recovered(saved / operations, first_pauses_s)
