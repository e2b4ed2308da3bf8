"""What a row may be."""

from typing import Any, Protocol, TypeAlias


class Values(Protocol):
    """A row by position: tuple, list, ``sqlite3.Row``, named tuple, ``asyncpg.Record``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


#: A row of any driver. A dict is read by label, or by bare column name where only one column of
#: the row has it.
Row: TypeAlias = Values | dict[str, Any]
