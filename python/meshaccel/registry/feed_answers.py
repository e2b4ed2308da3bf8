"""What the change feed answers, worked out in one read transaction."""

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal

import msgspec

from meshaccel.db import changes, documents
from meshaccel.db.changes import Head
from meshaccel.db.feed import FeedRow
from meshaccel.discovery.convergence import SetHash, hash_text
from meshaccel.discovery.protocol import (
    Changes,
    ChangesRequest,
    Digest,
    DigestRequest,
    Gone,
    Item,
    Leave,
    Remove,
    Upsert,
)
from meshaccel.discovery.selector import Selector

Refusal = Literal["epoch", "future", "compacted"]

READ_TOGETHER = 64
"""Documents that are read by one statement."""


class OutdatedReadError(Exception):
    """Another thread has read later, and summed up more than this transaction sees: read again."""


class Selected:
    """The hashes of the agents that a selector selects, as of a revision.

    They are summed up from the feed by who reads it, and not stored: writing them with each change
    would cost more pages than the change.
    """

    def __init__(self) -> None:
        self.revision = 0
        self.hash = SetHash()
        self._hashes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._hashes)

    def advance(self, selector: Selector, rows: Iterable[FeedRow], revision: int) -> None:
        """Take in what changed up to ``revision``. O(changes)."""
        for row in rows:
            selected = row.digest is not None and selector.matches(row.facts)
            new = row.hash if selected else 0
            self.hash.replace(row.agent_id, old=self._hashes.pop(row.agent_id, 0), new=new)
            if selected:
                self._hashes[row.agent_id] = new
        self.revision = revision


class FeedAnswers:
    """Answers readers' questions. Its methods may run in several threads, one connection each."""

    def __init__(self, *, epoch: str, max_selectors: int, answer_bytes: int) -> None:
        self._epoch = epoch
        self._max_selectors = max_selectors
        self._answer_bytes = answer_bytes
        self._selected: OrderedDict[str, Selected] = OrderedDict()
        self._lock = threading.Lock()

    def changes(self, conn: sqlite3.Connection, request: ChangesRequest) -> Changes | Gone:
        """Answer a request.

        Raises:
            InvalidRequestError: its selector is malformed.
            OutdatedReadError: this transaction is too old for it.
        """
        selector = Selector.parse(request.selector)
        head = changes.head(conn)
        reason = refusal(request, head, self._epoch)
        if reason is not None:
            total = None if request.buckets else self._hash(conn, selector, head)
            return Gone(
                reason=reason,
                epoch=self._epoch,
                revision=head.revision,
                floor=head.floor,
                hash=total,
            )
        known = request.known
        if known is None:
            known = request.since or head.revision
        found = list(
            changes.rows(conn, request.since, buckets=request.buckets, limit=request.limit + 1)
        )
        wanted = told(found[: request.limit], selector, known=known)
        items, to = self._items(conn, wanted)
        more = to is not None or len(found) > request.limit
        if to is None:
            to = found[request.limit - 1].revision if more else head.revision
        return Changes(
            epoch=self._epoch,
            since=request.since,
            to=to,
            floor=head.floor,
            items=items,
            more=more,
            known=known if more else None,
            hash=None if more or request.buckets else self._hash(conn, selector, head),
        )

    def digest(self, conn: sqlite3.Connection, request: DigestRequest) -> Digest:
        """Return the hashes of the buckets.

        Raises:
            InvalidRequestError: the selector is malformed.
            OutdatedReadError: this transaction is too old for it.
        """
        selector = Selector.parse(request.selector)
        head = changes.head(conn)
        packed = self._selection(conn, selector, head).packed()
        return Digest(epoch=self._epoch, revision=head.revision, buckets=packed)

    def selected(self, selector: str) -> int:
        """Return how many agents a selector selected when it was last asked for; 0 if unknown."""
        found = self._selected.get(str(Selector.parse(selector)))
        return 0 if found is None else len(found)

    def _items(
        self, conn: sqlite3.Connection, wanted: list[tuple[FeedRow, bool]]
    ) -> tuple[tuple[Item, ...], int | None]:
        """Return items and, if their documents are too many bytes, where they end."""
        items: list[Item] = []
        size = 0
        for start in range(0, len(wanted), READ_TOGETHER):
            some = wanted[start : start + READ_TOGETHER]
            texts = documents.of_agents(conn, [row.agent_id for row, upsert in some if upsert])
            for row, upsert in some:
                if upsert:
                    size += len(texts[row.agent_id])
                    # At least one, or there would be no end.
                    if size > self._answer_bytes and items:
                        return tuple(items), items[-1].revision
                items.append(_item(row, texts.get(row.agent_id) if upsert else None))
        return tuple(items), None

    def _hash(self, conn: sqlite3.Connection, selector: Selector, head: Head) -> str:
        return hash_text(self._selection(conn, selector, head).total)

    def _selection(self, conn: sqlite3.Connection, selector: Selector, head: Head) -> SetHash:
        key = str(selector)
        # No Python code of others runs under the lock, only statements on this connection.
        with self._lock:
            selected = self._selected.get(key)
            if selected is not None and selected.revision > head.revision:
                raise OutdatedReadError
            if selected is None or selected.revision < head.floor:
                # Unknown, or too old to be brought up to date.
                selected = self._selected[key] = Selected()
            self._selected.move_to_end(key)
            selected.advance(selector, changes.rows(conn, selected.revision), head.revision)
            while len(self._selected) > self._max_selectors:
                self._selected.popitem(last=False)
            return selected.hash.copy()


def refusal(request: ChangesRequest, head: Head, epoch: str) -> Refusal | None:
    """Say why there is no way from what a reader holds to what there is, or None."""
    if request.epoch is None and request.since == 0:
        return None
    if request.epoch != epoch:
        return "epoch"
    # While a snapshot goes on, only what was removed since it began must be known.
    since = max(request.since, request.known or 0)
    if since > head.revision:
        return "future"
    if request.since > 0 and since < head.floor:
        return "compacted"
    return None


def told(rows: Iterable[FeedRow], selector: Selector, *, known: int) -> list[tuple[FeedRow, bool]]:
    """Return the changes that a reader must be told, and whether each is of a selected agent.

    Whoever knew everything at revision ``known`` has no agent whose facts did not select it then
    and are the same. So no memory of what each reader was told is needed.
    """
    wanted = []
    for row in rows:
        selected = selector.matches(row.facts)
        if row.digest is not None and selected:
            wanted.append((row, True))
        elif row.revision > known and (selected or row.facts_revision > known):
            wanted.append((row, False))
    return wanted


def _item(row: FeedRow, document: bytes | None) -> Item:
    if document is not None:
        return Upsert(row.agent_id, row.revision, row.facts.status, msgspec.Raw(document))
    if row.digest is None:
        return Remove(row.agent_id, row.revision)
    return Leave(row.agent_id, row.revision)
