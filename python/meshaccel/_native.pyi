"""The compiled half of meshaccel. Import the public faces instead (``meshaccel.grouping``)."""

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import Any, Final, Literal, final

from meshaccel.shape import Row, Shape

__all__ = ["GroupStream", "LazyJson", "RowGrouper", "__version__"]

__version__: Final[str]
"""Version of the Rust crates, equal to the version of the Python distribution."""

@final
class RowGrouper:
    """Folds the rows of one shape into nested dicts. The face is ``meshaccel.grouping``."""

    def __new__(cls, shape: Shape, max_rows: int | None = None) -> RowGrouper: ...
    def group(self, rows: Iterable[Row], /) -> list[dict[str, Any]]:
        """Fold rows into one dict per distinct key, in first-seen order."""
    def group_json(
        self, rows: Iterable[Row], /, default: Callable[[Any], object] | None = None
    ) -> bytes:
        """Fold rows into the JSON of what ``group`` makes of them."""
    def stream(
        self, *, ordered: bool = False, into: Literal["dicts", "json"] | None = None
    ) -> GroupStream:
        """Begin a stream of rows of its own."""

@final
class GroupStream:
    """Folds rows that come little by little. ``RowGrouper.stream`` makes one.

    A row is taken as a whole or not at all: one that is refused leaves no trace but its number,
    those before it stay, and the stream goes on. Row numbers count from 0 over all calls of
    ``feed`` until ``finish``, for each level by itself.

    Every method raises ``StreamBusyError`` while another call is at work, be it in another
    thread or further up, where the rows or their values run code of their own.
    """

    def feed(self, rows: Iterable[Row], /, level: str | None = None) -> list[dict[str, Any]]:
        """Take rows, and return the records that an ordered stream has finished.

        If a row is refused, the records finished before it are returned by the next call.

        Args:
            rows: As for ``RowGrouper.group``.
            level: Whose statement the rows are of: "" for the outermost records, or the path of
                a collection. Each row begins with the keys of its ancestors, which must have been
                fed before. By default the rows are of the joined statement.

        Raises:
            GroupingError: A row does not fit.
            ValueError: No collection is called so, its rows cannot tell their parents because
                one above has no key, or the stream is ordered, which only joined rows are.
        """
    def finish(self) -> list[dict[str, Any]]:
        """Return the records not returned yet, and begin anew. After an error nothing is lost.

        Raises:
            ValueError: The stream was begun for JSON.
        """
    def finish_json(self, default: Callable[[Any], object] | None = None) -> bytes:
        """Return the records as ``RowGrouper.group_json`` does, and begin anew.

        After an error nothing is lost: try again with another ``default``, or ``finish``.

        Raises:
            GroupingError: A value has no JSON form, or a lazy document is not valid.
            ValueError: The stream is ordered, or was begun for dicts.
        """

@final
class LazyJson:
    """A stored JSON document that is decoded, and thereby validated, on first access.

    It indexes, iterates, compares and prints like the document, and is not hashable. It is only
    made by grouping, from columns with the policy "lazy". Each access may raise
    ``InvalidJsonError``, which names row, column and key of the record. Threads may share it.
    """

    @property
    def value(self) -> Any:
        """The document as plain objects: always the same ones, made on first access.

        Changing them changes what this object looks like, but neither ``raw`` nor its copies.
        """
    @property
    def raw(self) -> bytes:
        """The document as stored, in UTF-8, validated. Takes O(length) time on each access."""
    @property
    def keys(self) -> Callable[[], KeysView[str]]:
        """``dict.keys`` of an object; any other document has no such attribute."""
    @property
    def values(self) -> Callable[[], ValuesView[Any]]:
        """``dict.values`` of an object; any other document has no such attribute."""
    @property
    def items(self) -> Callable[[], ItemsView[str, Any]]:
        """``dict.items`` of an object; any other document has no such attribute."""
    @property
    def get(self) -> Callable[..., Any]:
        """``dict.get`` of an object; any other document has no such attribute."""
    def __getitem__(self, index: Any, /) -> Any: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __contains__(self, item: object, /) -> bool: ...
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __copy__(self) -> LazyJson: ...
    def __deepcopy__(self, memo: object, /) -> LazyJson: ...
