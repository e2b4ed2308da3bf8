"""What ``meshaccel.grouping`` does, in plain Python.

What is asked of a row, in this order; the first complaint is raised:

1. ``max_rows`` rows came before it, of all levels, also refused ones: ``TooManyRowsError``.
2. It is a sequence (``RowTypeError``) of the right length (``RowWidthError``), or a dict in which
   each column is found, in the order of the labels (``MissingColumnError``,
   ``AmbiguousColumnError``).
3. Of a joined row, for each collection, depth first, outermost first: unless its presence
   columns (for the outermost its key, if ``null_key`` is not "group") are all NULL, each key value
   has a hash (``UnhashableKeyError``). NULL makes the outermost record a ``NullKeyError``, or the
   row is ignored; it makes a child absent, with all below. An ordered stream has not finished the
   outermost record before (``ReopenedGroupError``, before other keys are looked at).
   Of a row of one level, for each ancestor, outermost first: its key values have a hash, and a
   record has the key. If none has, the row is ignored where that key is all NULL, else it is an
   ``OrphanError``, or ignored if ``orphans`` says so. Then its own record as above.
4. For each record it opens, in the same order, the JSON columns hold JSON
   (``InvalidJsonError``); lazy ones only need to be text, except in ``group_json``.

Then its new records are kept. A refused row leaves no trace but its number: the number of a row
counts the rows given before it, of the same level.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from meshaccel.errors import (
    NullKeyError,
    OrphanError,
    ReopenedGroupError,
    StreamBusyError,
    TooManyRowsError,
)
from meshaccel.reference.group_records import Node, Record, json_array
from meshaccel.reference.group_rows import LabelledRow
from meshaccel.reference.json_values import Default
from meshaccel.shape import Row, Shape
from meshaccel.shape.levels import Level


class RowGrouper:
    """The same API and the same results as ``meshaccel.grouping.RowGrouper``."""

    def __init__(self, shape: Shape, *, max_rows: int | None = None) -> None:
        if max_rows is not None and max_rows < 0:
            raise ValueError(f"max_rows must not be negative, got {max_rows}")
        self.shape = shape
        self.max_rows = max_rows
        self._stream = GroupStream(shape, max_rows)

    def group(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Fold joined rows into one dict per distinct key, in first-seen order."""
        stream = GroupStream(self.shape, self.max_rows)
        stream.feed(rows)
        return stream.finish()

    def group_json(self, rows: Iterable[Row], *, default: Default | None = None) -> bytes:
        """Fold joined rows into a JSON array of the same records."""
        stream = GroupStream(self.shape, self.max_rows, check_lazy=True)
        stream.feed(rows)
        return stream.finish_json(default=default)

    def feed(self, rows: Iterable[Row], level: str | None = None) -> None:
        """Take rows of the joined statement, or of that of a level, parents before children."""
        self._stream.feed(rows, level)

    def finish(self) -> list[dict[str, Any]]:
        """Return the records of all rows fed, and start anew."""
        return self._stream.finish()

    def stream(self, *, ordered: bool = False) -> "GroupStream":
        """Return a stream of its own."""
        return GroupStream(self.shape, self.max_rows, ordered=ordered)


class GroupStream:
    """Rows that come little by little."""

    def __init__(
        self,
        shape: Shape,
        max_rows: int | None,
        *,
        ordered: bool = False,
        check_lazy: bool = False,
    ) -> None:
        self._shape = shape
        self._max_rows = max_rows
        self._ordered = ordered
        self._check_lazy = check_lazy
        self._busy = Lock()
        self._forget()

    def feed(self, rows: Iterable[Row], level: str | None = None) -> list[dict[str, Any]]:
        """Take rows, and return the records that an ordered stream has finished.

        Those finished by the rows before a refused one are returned by the next call.

        Raises:
            ValueError: There is no such level, its rows could not say what they belong to, or
                the stream is ordered, which only joined rows can be.
        """
        columns = _columns(self._shape, level)
        if self._ordered and level is not None:
            raise ValueError("an ordered stream takes joined rows only")
        with self._alone():
            for row in rows:
                self._take(row, level, columns)
            done = self._finished()
            records = [record.as_dict() for record in done]
            self._given_out += len(done)
            return records

    def finish(self) -> list[dict[str, Any]]:
        """Return the records that were not returned yet, and start anew."""
        with self._alone():
            records = [record.as_dict() for record in self._left()]
            self._forget()
            return records

    def finish_json(self, default: Default | None = None) -> bytes:
        """Return what ``finish`` would as a JSON array. If that fails, nothing is lost.

        Raises:
            ValueError: The stream is ordered.
        """
        if self._ordered:
            raise ValueError("an ordered stream gives its records one by one, not as one text")
        with self._alone():
            text = json_array(self._left(), default)
            self._forget()
            return text.encode()

    def _forget(self) -> None:
        self._root = Node()
        self._given: dict[str | None, int] = {}
        self._given_out = 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._busy.acquire(blocking=False):
            raise StreamBusyError
        try:
            yield
        finally:
            self._busy.release()

    def _left(self) -> list[Record]:
        return self._root.records("")[self._given_out :]

    def _finished(self) -> list[Record]:
        """Return the records that are complete: in an ordered stream all but the last."""
        return self._left()[:-1] if self._ordered else []

    def _take(self, row: Row, level: str | None, columns: list[tuple[str, str]]) -> None:
        number = self._given.get(level, 0)
        if self._max_rows is not None and sum(self._given.values()) >= self._max_rows:
            raise TooManyRowsError(number, self._max_rows)
        self._given[level] = number + 1
        values = LabelledRow(number, row, columns)
        if level is None:
            opened = self._opened_by_joined(values)
        else:
            opened = self._opened_by_level(values, self._shape.level(level))
        for _, record in opened:
            record.check_documents(lazy_too=self._check_lazy)
        for parent, record in opened:
            parent.add(record)

    def _opened_by_joined(self, row: LabelledRow) -> list[tuple[Node, Record]]:
        """Return the new records of a row, each with what it goes into."""
        opened: list[tuple[Node, Record]] = []
        current: dict[str, Record] = {}
        for level in self._shape.flattened:
            parent = current.get(level.ancestors[-1].path) if level.ancestors else self._root
            if parent is None or self._is_absent(row, level):
                continue
            record = self._find_or_open(row, level, parent, opened)
            if self._ordered and record in self._root.records("")[:-1]:
                raise ReopenedGroupError(row.number, self._shape.table, row.key(level))
            current[level.path] = record
        return opened

    def _opened_by_level(self, row: LabelledRow, level: Level) -> list[tuple[Node, Record]]:
        """Return the new record of a row of one level, with what it goes into; or nothing."""
        parent: Node = self._root
        for ancestor in level.ancestors:
            key = row.key(ancestor)
            record = parent.find(ancestor, key)
            if record is None:
                if self._shape.orphans == "error" and not row.all_null(ancestor, ancestor.key):
                    raise OrphanError(row.number, level.path, key)
                return []
            parent = record
        opened: list[tuple[Node, Record]] = []
        if not self._is_absent(row, level):
            self._find_or_open(row, level, parent, opened)
        return opened

    def _is_absent(self, row: LabelledRow, level: Level) -> bool:
        is_outermost = not level.ancestors
        if is_outermost and self._shape.null_key == "group":
            return False
        absent = row.all_null(level, level.presence)
        if absent and is_outermost and self._shape.null_key == "error":
            raise NullKeyError(row.number, self._shape.table)
        return absent

    def _find_or_open(
        self, row: LabelledRow, level: Level, parent: Node, opened: list[tuple[Node, Record]]
    ) -> Record:
        key = row.key(level)
        record = parent.find(level, key)
        if record is None:
            record = Record(level=level, key=key, row=row.number, values=row.pick(level))
            opened.append((parent, record))
        return record


def _columns(shape: Shape, level: str | None) -> list[tuple[str, str]]:
    """Return the label and the bare name of each value of a row."""
    if level is None:
        return [(f"{each.label}.{c}", c) for each in shape.flattened for c in each.columns]
    bare = [c for each in shape.level(level).ancestors for c in each.key]
    bare += shape.level(level).columns
    return [*zip(shape.level_columns(level), bare, strict=True)]
