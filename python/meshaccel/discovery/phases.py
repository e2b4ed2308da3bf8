"""What a reader of the change feed is at: following, or on its way back after a doubt.

A phase asks one question at a time, and an answer leads to the next phase. No I/O, no clock.

::

    Snapshot (of everything) ──verified──> Following ──doubt──> Comparing ──few buckets differ──┐
        ^                                      ^                    │                           │
        └────────────── most differ ───────────┼────────────────────┘      Snapshot (of those) <┘
                                               └──── from there, unpublished until verified ─────┘
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from meshaccel.discovery.convergence import BUCKETS, SetHash, hash_text
from meshaccel.discovery.protocol import (
    Changes,
    ChangesRequest,
    Digest,
    DigestRequest,
    Gone,
    Item,
    Reply,
    Request,
)
from meshaccel.discovery.records import KnownAgent, Records
from meshaccel.errors import InvalidReplyError

Reason = Literal["epoch", "compacted", "future", "hash"]
"""Why a reader went back for what it should have held."""

MAX_DIFFERING = BUCKETS // 4
"""Buckets that are read one by one; with more, everything is."""


class Position(Struct, frozen=True):
    """Up to where a reader knows everything."""

    epoch: str
    revision: int


class Next(Struct, frozen=True):
    """Go on in another phase."""

    phase: "Phase"
    reason: Reason | None = None
    """The doubt that led there."""
    spread_s: float = 0.0


class Whole(Struct, frozen=True):
    """``records`` with ``planned`` applied to them are all there is at ``position``."""

    records: Records
    planned: Mapping[str, KnownAgent | None]
    position: Position
    verified: bool
    """Whether the hash says so, too."""


class Following:
    """Asks for what is new."""

    def __init__(self, records: Records, position: Position, *, repaired: bool = False) -> None:
        self._records = records
        self._position = position
        self._repaired = repaired
        """Whether the records are the outcome of a comparison, and are to be verified."""
        self._items: tuple[Item, ...] = ()
        self._to = position.revision
        self._known: int | None = None

    def request(self) -> Request:
        """Return the question."""
        return ChangesRequest(
            epoch=self._position.epoch,
            since=self._to,
            known=self._known,
            # In the midst of a delta there is no state that could be compared.
            hash=hash_text(self._records.hash.total) if self._is_whole() else None,
        )

    def receive(self, reply: Reply) -> "Next | Whole | None":
        """Take the answer; None means that the same phase goes on."""
        if isinstance(reply, Gone):
            return self._gone(reply)
        changes = _checked(reply, self._position.epoch, self._to)
        items = self._items + changes.items
        if changes.more:
            self._items, self._to, self._known = items, changes.to, changes.known
            return None
        position = Position(changes.epoch, changes.to)
        planned = self._records.plan(items)
        if changes.hash in (None, hash_text(self._records.total_after(planned))):
            return Whole(self._records, planned, position, verified=changes.hash is not None)
        if self._repaired:
            return Next(Snapshot(self._records.copy(without_buckets=range(BUCKETS))), "hash")
        doubtful = self._records.copy()
        doubtful.apply(planned)
        return Next(Comparing(doubtful), "hash")

    def _is_whole(self) -> bool:
        return self._to == self._position.revision

    def _gone(self, gone: Gone) -> "Next | Whole":
        if gone.hash == hash_text(self._records.hash.total):
            # Another history, perhaps, but it came to the same.
            position = Position(gone.epoch, gone.revision)
            return Whole(self._records, {}, position, verified=True)
        if gone.hash is None or not self._records:
            start = Snapshot(self._records.copy(without_buckets=range(BUCKETS)))
            return Next(start, gone.reason, gone.spread_s)
        return Next(Comparing(self._records.copy()), gone.reason, gone.spread_s)


class Comparing:
    """Asks in which buckets the registry holds something else."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def request(self) -> Request:
        """Return the question."""
        return DigestRequest()

    def receive(self, reply: Reply) -> "Next | Whole | None":
        """Take the answer; None means that the same phase goes on."""
        if not isinstance(reply, Digest):
            raise InvalidReplyError("asked for hashes, and was told something else")
        try:
            theirs = SetHash.unpacked(reply.buckets).buckets
        except ValueError as error:
            raise InvalidReplyError(f"hashes of buckets: {error}") from error
        ours = self._records.hash.buckets
        differing = tuple(n for n in range(BUCKETS) if ours[n] != theirs[n])
        position = Position(reply.epoch, reply.revision)
        if not differing:
            return Next(Following(self._records, position, repaired=True))
        if len(differing) > MAX_DIFFERING:
            return Next(Snapshot(self._records.copy(without_buckets=range(BUCKETS))))
        kept = self._records.copy(without_buckets=differing)
        return Next(Snapshot(kept, buckets=differing, position=position))


class Snapshot:
    """Asks for everything, or for some buckets of it."""

    def __init__(
        self,
        records: Records,
        *,
        buckets: tuple[int, ...] = (),
        position: Position | None = None,
    ) -> None:
        """``records`` lack what is asked for; out of ``buckets`` they are as of ``position``."""
        self._records = records
        self._buckets = buckets
        self._position = position
        self._epoch = position.epoch if position else None
        self._to = 0
        self._known: int | None = None

    def request(self) -> Request:
        """Return the question."""
        return ChangesRequest(
            epoch=self._epoch, since=self._to, known=self._known, buckets=self._buckets
        )

    def receive(self, reply: Reply) -> "Next | Whole | None":
        """Take the answer; None means that the same phase goes on."""
        if isinstance(reply, Gone):
            # Nothing can be gone of what was not begun.
            if self._epoch is None:
                raise InvalidReplyError("asked for everything, and was told that it is gone")
            return self._again(reply.reason, reply.spread_s)
        changes = _checked(reply, self._epoch, self._to)
        self._records.apply(self._records.plan(changes.items))
        self._epoch, self._to, self._known = changes.epoch, changes.to, changes.known
        if changes.more:
            return None
        if self._position is not None:
            # The rest is as of this position: what changed since is told again, and skipped.
            return Next(Following(self._records, self._position, repaired=True))
        if changes.hash not in (None, hash_text(self._records.hash.total)):
            return self._again("hash")
        position = Position(changes.epoch, changes.to)
        return Whole(self._records, {}, position, verified=changes.hash is not None)

    def _again(self, reason: Reason, spread_s: float = 0.0) -> Next:
        empty = self._records.copy(without_buckets=range(BUCKETS))
        return Next(Snapshot(empty), reason, spread_s)


Phase: TypeAlias = Following | Comparing | Snapshot


def _checked(reply: Reply, epoch: str | None, since: int) -> Changes:
    """Return the changes that were asked for.

    Raises:
        InvalidReplyError: they are others, or not in order.
    """
    if not isinstance(reply, Changes):
        raise InvalidReplyError("asked for changes, and was told something else")
    if reply.since != since or epoch not in (None, reply.epoch):
        raise InvalidReplyError("an answer to another question")
    revision = since
    for item in reply.items:
        if item.revision <= revision:
            raise InvalidReplyError("changes that are not in order of revision")
        revision = item.revision
    if revision > reply.to or (reply.more and reply.to == since):
        raise InvalidReplyError("changes that end before they began")
    return reply
