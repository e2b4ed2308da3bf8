"""The compiled form of a shape."""

from collections.abc import Iterable

from meshaccel import _native
from meshaccel.grouping.reading import Default, Into, Reader, Record
from meshaccel.shape import Row, Shape


class RowGrouper(Reader):
    """Folds the rows of one shape; reusable, and safe to share between threads.

    Rows are tuples, lists, named tuples, ``sqlite3.Row``, ``asyncpg.Record`` or any other
    sequence, read by position; or dicts, read by label (``agents.id``) or, where only one column
    of the row has that name, by bare name (``id``). Other keys of a dict are ignored.

    Args:
        shape: What the rows mean.
        max_rows: How many rows to take for one result at most.

    Raises:
        ValueError: ``max_rows`` is negative.
    """

    __slots__ = ("_native", "_own", "_shape")

    def __init__(self, shape: Shape, *, max_rows: int | None = None) -> None:
        if max_rows is not None and max_rows < 0:
            raise ValueError(f"max_rows must not be negative, got {max_rows}")
        self._shape = shape
        self._native = _native.RowGrouper(shape, max_rows)
        self._own = self._native.stream()

    @property
    def shape(self) -> Shape:
        """What the rows mean."""
        return self._shape

    def group(self, rows: Iterable[Row]) -> list[Record]:
        """Fold rows of the joined statement into one dict per distinct key of the shape.

        Records appear in first-seen order and children in row order; the rows need not be
        sorted. A record takes its values from the first row with its key. The values are the
        objects of the rows, not copies, but for JSON columns. Takes time linear in the number of
        values; meanwhile other threads run about every millisecond, and signal handlers too.

        Raises:
            GroupingError: A row does not fit the shape. Errors raised by the rows themselves,
                or by the ``__hash__`` or ``__eq__`` of their values, come through unchanged.
        """
        return self._native.group(rows)

    def group_json(self, rows: Iterable[Row], *, default: Default | None = None) -> bytes:
        """Return the JSON of what ``group`` makes of these rows, without making it.

        Documents of JSON columns are checked and copied as they are; with the policy "text" they
        are strings like any other. UUIDs become strings, dates and times ISO 8601.

        Args:
            rows: As for ``group``.
            default: Called with a value that has no JSON form, to give one that has.

        Raises:
            JsonValueError: A value has no JSON form: bytes, Decimal, NaN ...
            GroupingError: As by ``group``.
        """
        return self._native.group_json(rows, default)

    def feed(self, rows: Iterable[Row], level: str | None = None) -> None:
        """Take rows for the next ``finish``, as ``GroupStream.feed`` does.

        The grouper has but one such result in the making. Threads that would meet there need
        a ``stream`` each.

        Raises:
            GroupingError: A row does not fit. It leaves no trace but its number, those before it
                stay, and the next ones may be fed.
            StreamBusyError: Another thread, or the code of a row, is feeding too.
        """
        self._own.feed(rows, level)

    def finish(self) -> list[Record]:
        """Return the records of all rows fed, and begin anew."""
        return self._own.finish()

    def stream(self, *, ordered: bool = False, into: Into | None = None) -> _native.GroupStream:
        """Begin a result of its own, from rows that come little by little.

        Args:
            ordered: The rows are joined ones, and come record by record, as from a statement
                sorted by the key. Then ``feed`` returns each record that is finished, and
                nothing but its key is kept.
            into: What will be asked for at the end, if that is known: "dicts" by ``finish``,
                "json" by ``finish_json``; the other is then refused. By default either may be,
                so that documents are read twice: when they come, to refuse what is not valid,
                and at the end.
        """
        return self._native.stream(ordered=ordered, into=into)
