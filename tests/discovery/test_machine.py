"""Whatever happens in whatever order: what a reader holds was the truth, whole, at its position."""

import random
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.discovery.readers import Faults, Reader
from tests.discovery.world import IDS, SELECTORS, Fleet, World, shown, some_record

from meshaccel.discovery.protocol import Changes, ChangesRequest, Reply, Request

NO_FAULTS = Faults(drop=0, delay=0, duplicate=0, stale=0, crash=0, torn=0, corrupt=0)

AGENTS = st.sampled_from(IDS[:4])
READERS = st.sampled_from(sorted(SELECTORS))
SEEDS = st.integers(0, 50)


class FeedMachine(RuleBasedStateMachine):
    """A registry, its backups, a replica that lags, and a reader for each selector."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        rng = random.Random(0)  # noqa: S311  a test's
        self.readers = {
            selector: Reader(self.world, selector, rng, NO_FAULTS) for selector in SELECTORS
        }
        self.history: dict[tuple[str, int], Fleet] = {}
        self.answers: dict[str, tuple[Request, Reply]] = {}
        self.remember()

    def teardown(self) -> None:
        """Close the databases."""
        self.world.close()
        self.folder.cleanup()

    def remember(self) -> None:
        """Note what there is at the present revision."""
        key = (self.world.epoch, self.world.revision())
        known = self.history.setdefault(key, dict(self.world.fleet))
        assert known == self.world.fleet, "one revision, two states"

    @rule(agent=AGENTS, seed=SEEDS)
    def put(self, agent: str, seed: int) -> None:
        """Register, or register anew."""
        self.world.put(some_record(random.Random(seed), agent))  # noqa: S311  a test's
        self.remember()

    @rule(agent=AGENTS)
    def leave(self, agent: str) -> None:
        """Become unhealthy."""
        self.world.leave(agent)
        self.remember()

    @rule(agent=AGENTS)
    def remove(self, agent: str) -> None:
        """Be removed, if unhealthy."""
        self.world.remove(agent)
        self.remember()

    @rule(agent=AGENTS)
    def beat(self, agent: str) -> None:
        """Give a sign of life."""
        self.world.beat(agent)
        self.remember()

    @rule(keep=st.integers(0, 2))
    def compact(self, keep: int) -> None:
        """Forget removals."""
        self.world.compact(keep)
        self.remember()

    @rule()
    def back_up(self) -> None:
        """Copy the database."""
        self.world.back_up()

    @rule()
    def restore(self) -> None:
        """Go back to the copy."""
        before = self.world.epoch
        self.world.restore()
        if self.world.epoch == before:
            # Of what came after the copy nobody was told: it has not happened.
            last = self.world.revision()
            self.history = {
                key: fleet
                for key, fleet in self.history.items()
                if key[0] != before or key[1] <= last
            }
        self.remember()

    @rule()
    def restart(self) -> None:
        """Stop and start, which is no other history."""
        before = self.world.epoch
        self.world.restart()
        assert self.world.epoch == before

    @rule()
    def refresh_replica(self) -> None:
        """Let the replica catch up."""
        self.world.refresh_replica()

    @rule(reader=READERS, stale=st.booleans(), keep=st.booleans())
    def ask(self, reader: str, *, stale: bool, keep: bool) -> None:
        """Ask one question, perhaps of the replica; the answer may come a second time, later."""
        request = self.readers[reader].follower.request()
        answer = self.world.replica.answer if stale else self.world.answer
        reply = answer(request)
        if keep:
            self.answers[reader] = (request, reply)
        self.readers[reader].receive(request, reply)

    @rule(reader=READERS)
    def answer_again(self, reader: str) -> None:
        """An answer comes that came before."""
        if reader in self.answers:
            self.readers[reader].receive(*self.answers[reader])

    @rule(reader=READERS)
    def catch_up(self, reader: str) -> None:
        """Afterwards the reader holds what there is, and the next answer is empty."""
        self.readers[reader].catch_up()
        assert self.readers[reader].differs() is None
        request = self.readers[reader].follower.request()
        assert isinstance(request, ChangesRequest)
        reply = self.world.answer(request)
        assert isinstance(reply, Changes)
        assert (reply.items, reply.to, reply.hash) == ((), self.world.revision(), request.hash)

    @rule(reader=READERS)
    def persist(self, reader: str) -> None:
        """Write to disk what is held."""
        self.readers[reader].persist()

    @rule(reader=READERS)
    def crash(self, reader: str) -> None:
        """Start again from disk."""
        self.readers[reader].crash()

    @invariant()
    def what_is_held_was_the_truth(self) -> None:
        """Not a mixture of two revisions, nor what a selector leaves out, at no time."""
        for selector, reader in self.readers.items():
            position = reader.follower.position
            if position is None:
                assert reader.held() == {}
                continue
            fleet = self.history[position.epoch, position.revision]
            assert reader.held() == shown(fleet, selector)


def test_what_is_held_was_the_truth() -> None:
    run_state_machine_as_test(
        FeedMachine,
        settings=settings(max_examples=150, stateful_step_count=50),
    )
