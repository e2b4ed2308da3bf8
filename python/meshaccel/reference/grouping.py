"""What ``meshaccel.grouping`` does, in plain Python."""

from collections.abc import Iterable, Mapping

from meshaccel.errors import NullKeyError, RowTypeError, RowWidthError, UnhashableKeyError
from meshaccel.shape import Child, Row, Shape


class RowGrouper:
    """The same API and the same results as ``meshaccel.grouping.RowGrouper``."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def group(self, rows: Iterable[Row]) -> list[dict[str, object]]:
        """Fold rows into one dict per distinct key of the shape, in first-seen order."""
        shape = self.shape
        top = _Collection()
        for index, row in enumerate(rows):
            values = _Values(shape, index, row)
            if values.all_null(shape.table, shape.key):
                if shape.null_key == "error":
                    raise NullKeyError(index, shape.table)
                continue
            record = top.record(shape.table, shape, values)
            _add_children(record, "", shape.children, values)
        return top.dicts


class _Values:
    """One row, by column label. Built anew for each row: this is for reading, not for speed."""

    def __init__(self, shape: Shape, index: int, row: Row) -> None:
        if isinstance(row, (str, bytes, dict)) or not _is_sequence(row):
            raise RowTypeError(index, type(row).__name__)
        if len(row) != shape.width:
            raise RowWidthError(index, len(row), shape.width)
        self.index = index
        self._by_label = {label: row[i] for i, label in enumerate(shape.row_columns())}

    def pick(self, path: str, columns: Iterable[str]) -> dict[str, object]:
        return {column: self._by_label[f"{path}.{column}"] for column in columns}

    def all_null(self, path: str, columns: Iterable[str]) -> bool:
        return all(value is None for value in self.pick(path, columns).values())

    def key(self, path: str, columns: Iterable[str]) -> tuple[object, ...]:
        for column, value in self.pick(path, columns).items():
            try:
                hash(value)
            except (TypeError, ValueError) as error:
                if _never_hashable(value):
                    name = type(value).__name__
                    raise UnhashableKeyError(self.index, f"{path}.{column}", name) from error
                raise
        return tuple(self.pick(path, columns).values())


class _Record:
    """A dict of the result, and its child collections by name."""

    def __init__(self, values: Mapping[str, object], children: Iterable[str]) -> None:
        self.collections = {name: _Collection() for name in children}
        lists = {name: collection.dicts for name, collection in self.collections.items()}
        self.dict: dict[str, object] = {**values, **lists}


class _Collection:
    """The distinct records among the rows of one parent, in first-seen order."""

    def __init__(self) -> None:
        self.dicts: list[dict[str, object]] = []
        self._by_key: dict[tuple[object, ...], _Record] = {}

    def record(self, path: str, spec: Shape | Child, values: _Values) -> _Record:
        """Return the record this row belongs to, made by its first row."""
        key = values.key(path, spec.key)
        known = self._by_key.get(key) if key else None
        if known is not None:
            return known
        record = _Record(values.pick(path, spec.columns), spec.children)
        self.dicts.append(record.dict)
        self._by_key[key] = record
        return record


def _add_children(
    parent: _Record, prefix: str, children: Mapping[str, Child], values: _Values
) -> None:
    for name, child in children.items():
        path = prefix + name
        if not values.all_null(path, child.presence):
            record = parent.collections[name].record(path, child, values)
            _add_children(record, f"{path}.", child.children, values)


def _is_sequence(row: object) -> bool:
    return hasattr(type(row), "__len__") and hasattr(type(row), "__getitem__")


def _never_hashable(value: object) -> bool:
    """Tell a value of an unhashable type from one whose own ``__hash__`` failed."""
    if type(value) is tuple:
        return any(map(_never_hashable, value))
    return type(value) is memoryview or type(value).__hash__ is None
