"""Each mechanism is needed, and the model notices when it is missing.

Nine parts of the design are taken out one by one, and eight mistakes are made with cursors. Where a
hash would find and repair the damage the answers come without one: the model must see what the
mistake does, not what the repair costs.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from msgspec import structs
from tests.discovery import chaos
from tests.discovery.chaos import Chaos
from tests.discovery.readers import Faults, Reader

from meshaccel.db import agents, carrier, feed
from meshaccel.discovery import follower, records, state_file
from meshaccel.discovery.phases import Position
from meshaccel.discovery.protocol import Changes, ChangesRequest, Gone
from meshaccel.registry import feed_answers

SEEDS = 100

WITHOUT_HASHES = Faults(hashes=False, corrupt=0)
CORRUPTING = Faults(corrupt=0.05)

Mutation = Callable[[pytest.MonkeyPatch], None]


def wrapping(target: Any, name: str, change: Callable[..., Any]) -> Mutation:
    """Return a mutation by which ``change`` is called with the original before its arguments."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        original = getattr(target, name)
        patch.setattr(target, name, lambda *a, **k: change(original, *a, **k))

    return mutate


def hashing(change: Callable[..., int]) -> Mutation:
    """Return a mutation of the hash of an agent, at both ends."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        for module in (feed, records):
            wrapping(module, "agent_hash", change)(patch)

    return mutate


def telling(unheard: Callable[..., bool]) -> Mutation:
    """Return a mutation by which readers are not told of some rows."""

    def change(original: Any, rows: Any, selector: Any, *, known: int) -> Any:
        return original((r for r in rows if not unheard(r, selector)), selector, known=known)

    return wrapping(feed_answers, "told", change)


def refusing_nothing_for(*reasons: str) -> Mutation:
    def change(original: Any, *arguments: Any) -> str | None:
        reason: str | None = original(*arguments)
        return None if reason in reasons else reason

    return wrapping(feed_answers, "refusal", change)


def one_epoch(patch: pytest.MonkeyPatch) -> None:
    def init(original: Any, self: carrier.Carrier, *arguments: Any) -> None:
        original(self, *arguments)
        self.epoch = "always the same"

    wrapping(carrier.Carrier, "__init__", init)(patch)


def one_epoch_and_no_future(patch: pytest.MonkeyPatch) -> None:
    one_epoch(patch)
    refusing_nothing_for("future")(patch)


def late_answers_applied(patch: pytest.MonkeyPatch) -> None:
    def receive(original: Any, self: follower.Follower, request: Any, reply: Any) -> Any:
        if request != self.request() and isinstance(reply, Changes):
            self.records.apply(self.records.plan(reply.items))
        return original(self, request, reply)

    wrapping(follower.Follower, "receive", receive)(patch)


def no_checksum(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state_file, "_head", lambda _: b"\0" * 32)


def page_ends_at_the_head(original: Any, self: Any, conn: Any, request: ChangesRequest) -> Any:
    answer = original(self, conn, request)
    if isinstance(answer, Gone) or not answer.more:
        return answer
    return structs.replace(answer, to=agents.revision(conn))


def cursor_one_too_far(original: Any, self: Any, held: Any, position: Position) -> None:
    original(self, held, structs.replace(position, revision=position.revision + 1))


def cursor_saved_before_what_it_stands_for(original: Any, self: Reader) -> None:
    now = self.follower.records
    self.follower.records = getattr(self, "persisted_before", now)
    original(self)
    self.follower.records = now
    vars(self)["persisted_before"] = now.copy()


def revision_taken_at_the_start(patch: pytest.MonkeyPatch) -> None:
    """Two transactions take their revisions in one order and commit in the other."""
    taken: list[int] = []

    def change(original: Any, conn: Any) -> int:
        revision: int = original(conn)
        if taken:
            return taken.pop()
        if revision % 4 == 0:
            taken.append(revision)
            return int(original(conn))
        return revision

    wrapping(agents, "next_revision", change)(patch)


def health_without_a_revision(original: Any, conn: Any, agent_id: str, *arguments: Any) -> None:
    row = conn.execute("SELECT revision FROM feed WHERE agent_id = ?", (agent_id,)).fetchone()
    original(conn, agent_id, arguments[0], row[0])


def snapshot_on_top_of_the_rest(
    original: Any, self: records.Records, *, without_buckets: Any = ()
) -> Any:
    return original(self, without_buckets=() if len(without_buckets) == 256 else without_buckets)


def pages_judged_by_what_was_read(
    original: Any, self: Any, conn: Any, request: ChangesRequest
) -> Any:
    return original(self, conn, structs.replace(request, known=None))


ANSWERS = feed_answers.FeedAnswers
ABLATIONS: Mapping[str, tuple[Mutation, Faults]] = {
    "hash of ids and revisions only": (
        hashing(lambda original, *a: original(*a[:3], b"")),
        CORRUPTING,
    ),
    "hash that only counts": (hashing(lambda _original, *_: 1), CORRUPTING),
    "removals not told": (telling(lambda row, _: row.digest is None), WITHOUT_HASHES),
    "floor not checked": (refusing_nothing_for("compacted"), WITHOUT_HASHES),
    "one epoch, no check for the future": (one_epoch_and_no_future, WITHOUT_HASHES),
    "one epoch": (one_epoch, WITHOUT_HASHES),
    "leaving not told": (
        telling(lambda row, selector: row.digest and not selector.matches(row.facts)),
        WITHOUT_HASHES,
    ),
    "late answers applied": (late_answers_applied, WITHOUT_HASHES),
    "state without a checksum": (no_checksum, WITHOUT_HASHES),
}
CURSOR_BUGS: Mapping[str, tuple[Mutation, Faults]] = {
    "page ends at the head": (wrapping(ANSWERS, "changes", page_ends_at_the_head), WITHOUT_HASHES),
    "one too far": (
        wrapping(follower.Follower, "_hold", cursor_one_too_far),
        WITHOUT_HASHES,
    ),
    "saved before what it stands for": (
        wrapping(Reader, "persist", cursor_saved_before_what_it_stands_for),
        WITHOUT_HASHES,
    ),
    "revision taken at the start": (revision_taken_at_the_start, WITHOUT_HASHES),
    "health without a revision": (
        wrapping(feed, "status_changed", health_without_a_revision),
        WITHOUT_HASHES,
    ),
    "snapshot on top of the rest": (
        wrapping(records.Records, "copy", snapshot_on_top_of_the_rest),
        WITHOUT_HASHES,
    ),
    "removal told by the last facts only": (
        telling(lambda row, selector: row.digest is None and not selector.matches(row.facts)),
        WITHOUT_HASHES,
    ),
    "pages judged by what was read": (
        wrapping(ANSWERS, "changes", pages_judged_by_what_was_read),
        WITHOUT_HASHES,
    ),
}
MUTANTS = {**ABLATIONS, **CURSOR_BUGS}

# What a compaction does is not to be mistaken for what the mutation does.
CHAOS = {"pages judged by what was read": Chaos(compact=0)}


def outcomes(faults: Faults, happening: Chaos) -> Iterator[list[str]]:
    for seed in range(SEEDS):
        yield chaos.run(seed, faults, happening).diverged


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a hundred runs ends with a reader that holds something else than the registry."""
    mutation, faults = MUTANTS[name]
    mutation(monkeypatch)
    assert any(outcomes(faults, CHAOS.get(name, Chaos())))


def test_none_was_forgotten() -> None:
    assert len(ABLATIONS) == 9
    assert len(CURSOR_BUGS) >= 6
