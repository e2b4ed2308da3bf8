"""How names and parameters are written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from meshaccel.shape.levels import OrderTerm
from meshaccel.shape.options import ParamStyle


class Syntax:
    """The way one driver wants its SQL.

    Args:
        paramstyle: How it writes parameters.
        params: How many numbered parameters come before ours.
    """

    def __init__(self, paramstyle: ParamStyle, params: int) -> None:
        self._paramstyle = paramstyle
        self._params = params

    def parameter(self, name: str, number: int) -> str:
        """Write a parameter; ours are numbered from 1."""
        if self._paramstyle == "named":
            return f":{name}"
        if self._paramstyle == "pyformat":
            return f"%({name})s"
        return f"${self._params + number}"

    def name(self, name: str) -> str:
        """Quote the name of a column or an alias.

        Raises:
            ValueError: It contains NUL, at which databases would end it.
        """
        if "\0" in name:
            raise ValueError(f"no SQL can be written with the name {name!r}")
        quoted = '"' + name.replace('"', '""') + '"'
        return quoted.replace("%", "%%") if self._paramstyle == "pyformat" else quoted

    def table(self, name: str) -> str:
        """Quote the name of a table and that of its schema, if given."""
        return ".".join(self.name(part) for part in name.split("."))

    def column(self, source: str, column: str) -> str:
        """Write a column of something in FROM.

        Never without its source: SQLite takes an unknown "name" alone for a string.
        """
        return f"{source}.{self.name(column)}"

    def matches(self, parent: str, child: str, on: Mapping[str, str]) -> str:
        """Write the condition of a join: the collation of the parent's columns decides."""
        return " AND ".join(
            f"{self.column(parent, theirs)} = {self.column(child, ours)}"
            for ours, theirs in on.items()
        )

    def any_present(self, source: str, columns: Sequence[str]) -> str:
        """Write that some columns are not all NULL."""
        conditions = [f"{self.column(source, column)} IS NOT NULL" for column in columns]
        return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"

    def sorted_by(self, source: str, order: Iterable[OrderTerm]) -> Iterator[str]:
        """Write the terms of an ORDER BY."""
        for term in order:
            column = self.column(source, term.column)
            text = f"CAST({column} AS TEXT)" if term.as_text else column
            yield f"{text} DESC" if term.descending else text


def enclosed(text: str) -> str:
    """Put parentheses around text of the caller, which may end in a comment."""
    return f"({text}\n)" if "--" in text else f"({text})"
