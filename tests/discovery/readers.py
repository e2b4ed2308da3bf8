"""Readers of the feed behind a network that loses, delays and repeats, on a disk that tears."""

import random
from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct, structs
from tests.discovery.world import World, shown

from meshaccel.discovery import state_file
from meshaccel.discovery.follower import Follower, Step
from meshaccel.discovery.guards import Guards
from meshaccel.discovery.protocol import Changes, Gone, Reply, Request, Upsert
from meshaccel.errors import InvalidReplyError
from meshaccel.metadata import MetadataPool

LATE = 4
"""Answers that are on their way at most."""

TURNS = 60
"""Questions by which a reader that nothing disturbs is up to date."""


HEAD = 32
"""Bytes before what is saved: a name and a checksum."""


class Faults(Struct, frozen=True, kw_only=True):
    """How often each thing goes wrong, from 0 to 1."""

    drop: float = 0.1
    delay: float = 0.1
    duplicate: float = 0.1
    stale: float = 0.1
    crash: float = 0.08
    torn: float = 0.3
    """Of crashes."""
    corrupt: float = 0.02
    hashes: bool = True
    """Whether answers come with their hash."""


class Reader:
    """One reader. ``step`` is one question, whatever becomes of it."""

    def __init__(self, world: World, selector: str, rng: random.Random, faults: Faults) -> None:
        self._world = world
        self._selector = selector
        self._rng = rng
        self._faults = faults
        self._pool = MetadataPool()
        self._late: list[tuple[Request, Reply]] = []
        self._disk = b""
        self.met: Counter[str] = Counter()
        """Faults that happened."""
        self.resyncs: Counter[str] = Counter()
        self.follower = self._started()

    def step(self) -> None:
        """Ask a question, or have something go wrong."""
        if self._happens("crash"):
            self._crash(torn=self._happens("torn"))
        if self._happens("corrupt"):
            self._corrupt()
        request = self.follower.request()
        stale = self._happens("stale")
        world = self._world
        reply = self._sent(world.replica.answer(request) if stale else world.answer(request))
        if self._happens("delay"):
            self._late = [*self._late[1 - LATE :], (request, reply)]
            return
        if self._happens("drop"):
            return
        if self._happens("duplicate"):
            self._late = [*self._late[1 - LATE :], (request, reply)]
        self.receive(request, reply)
        if self._late and self._rng.random() < 0.5:
            self.receive(*self._late.pop(self._rng.randrange(len(self._late))))

    def receive(self, request: Request, reply: Reply) -> Step | None:
        """Take an answer; None if it is refused."""
        try:
            step = self.follower.receive(request, reply)
        except InvalidReplyError:
            self.met["refused"] += 1
            return None
        if step.done and self._rng.random() < 0.5:
            self.persist()
        return step

    def catch_up(self) -> None:
        """Ask the registry, with nothing going wrong, until everything is known."""
        for _ in range(TURNS):
            request = self.follower.request()
            step = self.receive(request, self._sent(self._world.answer(request)))
            if step is not None and step.done:
                return
        raise AssertionError(f"not up to date after {TURNS} questions: {self.follower.resyncs}")

    def persist(self) -> None:
        """Write what is held to disk."""
        if self.follower.position is not None:
            self._disk = state_file.packed(
                self.follower.records, self.follower.position, selector=self._selector
            )

    def crash(self) -> None:
        """Start again from what was persisted last."""
        self.resyncs += self.follower.resyncs
        self.follower = self._started()
        self._late = []

    def held(self) -> dict[str, tuple[str, Any]]:
        """Return what is held, as ``shown`` shows what ought to be."""
        return {
            agent.id: (agent.status, msgspec.json.decode(agent.record.to_json()))
            for agent in self.follower.records
        }

    def differs(self) -> str | None:
        """Say how what is held is not what the registry holds, or None."""
        held = self.held()
        wanted = shown(self._world.fleet, self._selector)
        if held == wanted:
            return None
        return f"{self._selector!r}: {sorted(held)} are held and {sorted(wanted)} wanted"

    def _sent(self, reply: Reply) -> Reply:
        """Return the answer as it comes over the wire."""
        if not self._faults.hashes and isinstance(reply, Changes | Gone):
            reply = structs.replace(reply, hash=None)
        return msgspec.json.decode(msgspec.json.encode(reply), type=type(reply))

    def _started(self) -> Follower:
        follower = Follower(
            self._pool,
            selector=self._selector,
            limit=self._rng.choice([1, 2, 3, 500]),
            # The fleet is small: it may well be gone all at once.
            guards=Guards(empty_snapshot=False, mass_expiry=None),
        )
        restored = state_file.unpacked(self._disk, self._pool, selector=self._selector)
        if restored is not None:
            follower.restore(restored.records, restored.position)
        return follower

    def _crash(self, *, torn: bool) -> None:
        if torn and self._disk and self.follower.position is not None:
            before = self._disk
            self.persist()
            self._disk = tear(before, self._disk)
        self.crash()

    def _corrupt(self) -> None:
        """Lose or alter something that is held, as a bug of ours might."""
        records = self.follower.records
        if not len(records):
            return
        agent = self._rng.choice(sorted(records, key=lambda agent: agent.id))
        if self._rng.random() < 0.5:
            records.apply({agent.id: None})
            return
        altered = msgspec.json.decode(agent.record.to_json()) | {"name": "altered"}
        item = Upsert(
            agent.id, agent.revision, agent.status, msgspec.Raw(msgspec.json.encode(altered))
        )
        records.apply({agent.id: records.read(item)})

    def _happens(self, fault: str) -> bool:
        happens = self._rng.random() < float(getattr(self._faults, fault))
        if happens:
            self.met[fault] += 1
        return happens


def tear(before: bytes, after: bytes) -> bytes:
    """Return a file that was being replaced in place: the new position, and the old agents.

    It is read as one whole unless somebody looks at its checksum.
    """
    old = msgspec.msgpack.decode(before[HEAD:])
    new = msgspec.msgpack.decode(after[HEAD:])
    return before[:HEAD] + msgspec.msgpack.encode([*new[:3], old[3], old[4]])
