"""The records that rows have made so far, and how they are given out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshaccel.reference.json_documents import Place, Policy, read_document, write_document
from meshaccel.reference.json_values import Default, write_value
from meshaccel.shape.levels import Level

Key = tuple[object, ...]


@dataclass(eq=False)
class Node:
    """What holds collections of records, by path: a record, or the root of all of them."""

    collections: dict[str, dict[object, "Record"]] = field(default_factory=dict)

    def find(self, level: Level, key: Key) -> "Record | None":
        """Return the record of a collection that has this key; without a key none is known."""
        return self.collections.get(level.path, {}).get(key) if key else None

    def add(self, record: "Record") -> None:
        """Append a record to its collection."""
        collection = self.collections.setdefault(record.level.path, {})
        collection[record.key or object()] = record

    def records(self, path: str) -> list["Record"]:
        """Return the records of a collection, the first seen first."""
        return [*self.collections.get(path, {}).values()]


@dataclass(eq=False, kw_only=True)
class Record(Node):
    """A record as its first row gave it. ``row`` is the number of that row."""

    level: Level
    key: Key
    row: int
    values: Mapping[str, object]

    def __post_init__(self) -> None:
        """Copy documents in a buffer that could change before they are given out."""
        documents = {column: value for column, value, policy in self._columns() if policy}
        self.values = {**self.values, **{c: _settled(value) for c, value in documents.items()}}

    def as_dict(self) -> dict[str, object]:
        """Return the record as nested dicts."""
        columns = {
            column: value if policy is None else read_document(value, policy, self._place(column))
            for column, value, policy in self._columns()
        }
        children = {
            name: [record.as_dict() for record in self.records(path)]
            for name, path in self.level.children.items()
        }
        return {**columns, **children}

    def as_json(self, default: Default | None) -> str:
        """Return the record as a JSON object, with its documents as they were stored."""
        members = {
            column: write_value(value, self._place(column).column, default)
            if policy is None
            else write_document(value, self._place(column))
            for column, value, policy in self._columns()
        }
        for name, path in self.level.children.items():
            members[name] = json_array(self.records(path), default)
        pairs = (f"{write_value(name, name)}:{text}" for name, text in members.items())
        return "{" + ",".join(pairs) + "}"

    def check_documents(self, *, lazy_too: bool) -> None:
        """Check that the JSON columns hold JSON.

        Raises:
            InvalidJsonError: One does not. Lazy ones may hold any text, unless they count too.
        """
        for column, value, policy in self._columns():
            if policy is not None:
                read_document(value, "raw" if lazy_too else policy, self._place(column))

    def _columns(self) -> list[tuple[str, object, Policy | None]]:
        policies = {column: self.level.json.get(column, "text") for column in self.level.columns}
        return [
            (column, self.values[column], None if policy == "text" else policy)
            for column, policy in policies.items()
        ]

    def _place(self, column: str) -> Place:
        return Place(self.row, f"{self.level.label}.{column}", self.key)


def json_array(records: list[Record], default: Default | None) -> str:
    """Return records as a JSON array."""
    return f"[{','.join(record.as_json(default) for record in records)}]"


def _settled(value: object) -> object:
    return bytes(value) if isinstance(value, bytearray | memoryview) else value
