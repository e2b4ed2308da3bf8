"""A fleet that changes and readers that suffer, by a seed."""

import random
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from msgspec import Struct
from tests.discovery.readers import Faults, Reader
from tests.discovery.world import IDS, SELECTORS, World, some_record

STEPS = 160


class Outcome(Struct):
    """What came of a run."""

    diverged: list[str]
    met: Counter[str]
    """Faults that happened."""
    resyncs: Counter[str]


class Chaos(Struct, frozen=True, kw_only=True):
    """How often each thing happens to the fleet, in a step."""

    change: float = 0.5
    compact: float = 0.02
    back_up: float = 0.02
    restore: float = 0.01
    storm: float = 0.5
    """Of restores: all agents register again at once."""


def run(seed: int, faults: Faults, chaos: Chaos, *, steps: int = STEPS) -> Outcome:
    """Let a fleet and four readers live, then let the network heal and compare."""
    rng = random.Random(seed)  # noqa: S311  a test's
    with tempfile.TemporaryDirectory() as folder, closing(World(Path(folder))) as world:
        readers = [Reader(world, selector, rng, faults) for selector in SELECTORS]
        met: Counter[str] = Counter()
        for _ in range(steps):
            if rng.random() < chaos.change:
                change(world, rng)
            disturb(world, rng, chaos, met)
            rng.choice(readers).step()
        diverged = []
        for reader in readers:
            # Once is enough: who has asked without being disturbed knows everything.
            try:
                reader.catch_up()
            except AssertionError as error:
                diverged.append(str(error))
            difference = reader.differs()
            if difference is not None:
                diverged.append(difference)
            met += reader.met
        resyncs = sum((r.resyncs + r.follower.resyncs for r in readers), Counter[str]())
    return Outcome(diverged, met, resyncs)


def change(world: World, rng: random.Random) -> None:
    """Let something happen to an agent."""
    agent_id = rng.choice(IDS)
    match rng.randrange(6):
        case 0 | 1:
            world.put(some_record(rng, agent_id))
        case 2:
            if agent_id in world.fleet:
                world.put(world.fleet[agent_id][0])  # the same again
        case 3:
            world.leave(agent_id)
        case 4:
            world.leave(agent_id)
            world.remove(agent_id)
        case _:
            world.beat(agent_id)


def disturb(world: World, rng: random.Random, chaos: Chaos, met: Counter[str]) -> None:
    """Let something happen to the database."""
    if rng.random() < chaos.compact:
        world.compact(keep=rng.randrange(3))
        met["compact"] += 1
    if rng.random() < chaos.back_up:
        world.back_up()
    if rng.random() < chaos.back_up:
        world.refresh_replica()
    if rng.random() < chaos.restore:
        before = list(world.fleet.values())
        world.restore()
        met["restore"] += 1
        if rng.random() < chaos.storm:
            for record, _ in before:
                world.put(record)
