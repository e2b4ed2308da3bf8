"""Ways to keep up with a registry, in virtual time over its real answers.

A way is a generator for each consumer: it asks the fleet as it is now, counts, and yields when it
wants to go on. What the ways have in common: 50 consumers in five groups that ask at the same
times, all of whom know everything at the start.
"""

import heapq
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benches.discovery.fleet import EPOCH, Fleet

from meshaccel.discovery.http_words import parameters_of
from meshaccel.discovery.protocol import ChangesRequest
from meshaccel.registry.settings import FeedSettings

CONSUMERS = 50
GROUPS = 5
BEAT_S = 30.0
"""Between two heartbeats, and two polls."""
OVERHEAD = 350
"""Bytes of the headers of a request and its response."""
QUERY = len(str(parameters_of(ChangesRequest(epoch=EPOCH, since=123456))))

SETTINGS = FeedSettings()


@dataclass
class Cost:
    """What one consumer caused. Heartbeats are not counted: they are sent anyway."""

    calls: int = 0
    sent: int = 0

    def call(self, body: int) -> None:
        """Count a call with an answer of so many bytes."""
        self.calls += 1
        self.sent += OVERHEAD + body


@dataclass(frozen=True)
class World:
    """The registry, and when it changes."""

    fleet: Fleet
    full_list: int
    """Bytes of the whole list, as of ``GET /agents``."""
    changes: Sequence[float]
    """Their times, in order."""
    rng: random.Random

    def next_change(self, now: float) -> float:
        """Return when the registry changes the next time."""
        following = bisect_right(self.changes, now)
        return self.changes[following] if following < len(self.changes) else float("inf")


Way = Callable[[World, Cost, float], Iterator[float]]


def full_polling(world: World, cost: Cost, now: float) -> Iterator[float]:
    """The whole list, every time."""
    while True:
        now += BEAT_S
        yield now
        cost.call(world.full_list)


def naive_datetime(world: World, cost: Cost, now: float) -> Iterator[float]:
    """Modified since and removed since, two calls; heartbeats modify ``updated_at``."""
    while True:
        now += BEAT_S
        yield now
        cost.call(world.full_list)
        cost.call(len(b"[]"))


def etag(world: World, cost: Cost, now: float) -> Iterator[float]:
    """The whole list unless nothing changed."""
    held = world.fleet.revision
    while True:
        now += BEAT_S
        yield now
        cost.call(0 if held == world.fleet.revision else world.full_list)
        held = world.fleet.revision


def revision_poll(world: World, cost: Cost, now: float) -> Iterator[float]:
    """What changed since a revision; 304 if nothing did."""
    since = world.fleet.revision
    while True:
        now += BEAT_S
        yield now
        if since == world.fleet.revision:
            cost.call(0)
            continue
        more, known = True, None
        while more:
            told = world.fleet.tell(since, known)
            cost.call(told.body)
            since, known, more = told.to, told.known, told.more


def long_poll(world: World, cost: Cost, now: float) -> Iterator[float]:
    """An answer as soon as there is news, and no sooner than a second after the question."""
    since = world.fleet.revision
    while True:
        latest = now + SETTINGS.max_wait_s
        news = now if since < world.fleet.revision else world.next_change(now)
        now = min(latest, max(now + SETTINGS.gather_s, news))
        yield now
        told = world.fleet.tell(since)
        cost.call(told.body)
        since = told.to


def server_sent_events(world: World, cost: Cost, now: float) -> Iterator[float]:
    """A stream, which begins anew now and then."""
    since = world.fleet.revision
    # It began at some time before.
    ends = now + _life_s(world) * world.rng.random()
    while True:
        latest = now + SETTINGS.bookmark_s
        news = now if since < world.fleet.revision else world.next_change(now)
        now = min(latest, max(now + SETTINGS.gather_s, news), max(ends, now))
        yield now
        told = world.fleet.tell(since)
        if now >= ends:
            cost.call(0)
            ends = now + _life_s(world)
        cost.sent += told.event
        since = told.to


def on_the_heartbeat(world: World, cost: Cost, now: float) -> Iterator[float]:
    """What changed, in the answer to a heartbeat: no call of its own."""
    since, known = world.fleet.revision, None
    while True:
        now += BEAT_S
        yield now
        told = world.fleet.tell(since, known)
        cost.sent += QUERY + len('{"changes":}') + told.body
        since, known = told.to, told.known


def _life_s(world: World) -> float:
    return SETTINGS.rotate_s * (0.5 + world.rng.random())


WAYS: Mapping[str, Way] = {
    "full polling": full_polling,
    "datetime delta": naive_datetime,
    "ETag": etag,
    "revision poll": revision_poll,
    "long-poll": long_poll,
    "SSE": server_sent_events,
    "heartbeat": on_the_heartbeat,
}


def costs(fleet: Fleet, full_list: int, churn: float, horizon_s: float) -> dict[str, Cost]:
    """Return what all consumers cost by each way, at a churn in agents per agent and minute."""
    rng = random.Random(1)  # noqa: S311 - no secret
    number = round(fleet.size * churn * horizon_s / 60)
    changes = sorted(rng.uniform(0, horizon_s) for _ in range(number))
    world = World(fleet, full_list, changes, rng)
    spent: dict[str, list[Cost]] = {name: [] for name in WAYS}
    tasks: list[tuple[float, int, Iterator[float]]] = [(0.0, 0, _changing(world))]
    for group in range(GROUPS):
        for name, way in WAYS.items():
            cost = Cost()
            spent[name].append(cost)
            # Some time before the start, so that the first poll is within the first interval.
            start = (group + rng.random()) * BEAT_S / GROUPS - BEAT_S
            begins = 0.0 if way in (long_poll, server_sent_events) else start
            tasks.append((0.0, len(tasks), way(world, cost, begins)))
    heapq.heapify(tasks)
    while tasks:
        now, order, task = heapq.heappop(tasks)
        then = next(task, None)
        assert then is None or then >= now
        if then is not None and then < horizon_s:
            heapq.heappush(tasks, (then, order, task))
    return {name: _of_all(of_groups) for name, of_groups in spent.items()}


def _changing(world: World) -> Iterator[float]:
    for when in world.changes:
        yield when
        world.fleet.change()


def _of_all(of_groups: Sequence[Cost]) -> Cost:
    each = CONSUMERS // GROUPS
    return Cost(
        each * sum(cost.calls for cost in of_groups), each * sum(cost.sent for cost in of_groups)
    )
