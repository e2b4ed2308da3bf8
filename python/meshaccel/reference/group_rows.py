"""One row of any kind, by column label."""

from collections.abc import Iterable, Sequence

from meshaccel.errors import (
    AmbiguousColumnError,
    MissingColumnError,
    RowTypeError,
    RowWidthError,
    UnhashableKeyError,
)
from meshaccel.shape import Row, Values
from meshaccel.shape.levels import Level

_MISSING = object()


class LabelledRow:
    """The values of a row. Built anew for each row: this is for reading, not for speed.

    Args:
        number: Position of the row among those given.
        row: What the driver returned.
        columns: The label and the bare name of each of its values, in order.
    """

    def __init__(self, number: int, row: Row, columns: Sequence[tuple[str, str]]) -> None:
        self.number = number
        if isinstance(row, dict):
            values = _by_name(number, row, columns)
        else:
            values = _by_position(number, row, len(columns))
        self._by_label = {label: value for (label, _), value in zip(columns, values, strict=True)}

    def pick(self, level: Level) -> dict[str, object]:
        """Return the values of a level by column."""
        return {column: self._by_label[f"{level.label}.{column}"] for column in level.columns}

    def all_null(self, level: Level, columns: Iterable[str]) -> bool:
        """Tell whether all these columns of a level are NULL."""
        return all(self._by_label[label] is None for label in level.labels(columns))

    def key(self, level: Level) -> tuple[object, ...]:
        """Return the key of a level.

        Raises:
            UnhashableKeyError: One of its values has no hash.
        """
        for label in level.labels(level.key):
            value = self._by_label[label]
            try:
                hash(value)
            except (TypeError, ValueError) as error:
                if _never_hashable(value):
                    name = type(value).__name__
                    raise UnhashableKeyError(self.number, label, name) from error
                raise
        return tuple(self._by_label[label] for label in level.labels(level.key))


def _by_position(number: int, row: Values, width: int) -> list[object]:
    if isinstance(row, (str, bytes)) or not _is_sequence(row):
        raise RowTypeError(number, type(row).__name__)
    if len(row) != width:
        raise RowWidthError(number, len(row), width)
    return [row[column] for column in range(width)]


def _by_name(
    number: int, row: dict[str, object], columns: Sequence[tuple[str, str]]
) -> list[object]:
    """Take each value by its label, or by its bare name if no other column of a row has that."""
    bare_names = [bare for _, bare in columns]
    values = []
    for label, bare in columns:
        value = dict.get(row, label, _MISSING)
        if value is _MISSING:
            value = dict.get(row, bare, _MISSING)
            if value is _MISSING:
                raise MissingColumnError(number, label)
            if bare_names.count(bare) > 1:
                raise AmbiguousColumnError(number, label)
        values.append(value)
    return values


def _is_sequence(row: object) -> bool:
    return hasattr(type(row), "__len__") and hasattr(type(row), "__getitem__")


def _never_hashable(value: object) -> bool:
    """Tell a value of an unhashable type from one whose own ``__hash__`` failed."""
    if type(value) is tuple:
        return any(map(_never_hashable, value))
    return type(value) is memoryview or type(value).__hash__ is None
