"""The statements that read the records of a shape.

The records come from a SELECT of their own, which is filtered, limited and then joined to their
children. So a limit counts records, and the database finds the children of each: two keys that
it calls equal (NOCASE, citext, '1' and 1) need not be alike in Python.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshaccel.shape.levels import Level
from meshaccel.shape.page import Page, clauses
from meshaccel.shape.syntax import Syntax, enclosed

_PARENTS = "p"


@dataclass(frozen=True)
class Statement:
    """One SELECT.

    Attributes:
        path: The level its rows are of, or None for rows of the joined statement.
        text: The SQL.
    """

    path: str | None
    text: str


def joined_statement(levels: Sequence[Level], page: Page, syntax: Syntax) -> tuple[Statement, ...]:
    """Write one statement for all levels.

    Raises:
        ValueError: It would give wrong records, or cannot be written.
    """
    for level in levels:
        level.refuse_keyless_ancestors()
        if not level.key and len(level.ancestors) + 1 < len(levels):
            raise ValueError(
                f"{level.path}: without a key, its rows cannot be told from those that another "
                f'collection multiplies; give it a key or use the plan "levels"'
            )
    outermost, *children = levels
    if not children:
        return (Statement(None, _parents_alone(outermost, page, syntax)),)
    sources = _sources(levels)
    joins = [_left_join(level, sources, syntax) for level in children]
    selected = [_selected(sources[level.path], level, level.columns, syntax) for level in levels]
    lines = [
        "SELECT " + ",\n  ".join(selected),
        _from_parents(outermost, children, outermost.columns, page, syntax),
        *joins,
        _order_by(levels, sources, syntax),
    ]
    return (Statement(None, "\n".join(lines)),)


def level_statements(levels: Sequence[Level], page: Page, syntax: Syntax) -> tuple[Statement, ...]:
    """Write a statement for each level.

    Raises:
        ValueError: They would give wrong records, or cannot be written.
    """
    for level in levels:
        level.refuse_keyless_ancestors()
    outermost, *children = levels
    return (
        Statement("", _parents_alone(outermost, page, syntax)),
        *(Statement(child.path, _level(levels, child, page, syntax)) for child in children),
    )


def _level(levels: Sequence[Level], level: Level, page: Page, syntax: Syntax) -> str:
    """Write the statement of a level below the outermost.

    A child whose presence columns are all NULL is no record, in no plan. To SQLite, CROSS JOIN
    says that the loop over the parents is the outer one: an index on the columns by which the
    children belong to them then finds them in order, and what is left is sorted parent by
    parent. Other databases join in the order they like.
    """
    sources = _sources(levels)
    line = [*level.ancestors, level]
    selected = [_selected(sources[each.path], each, each.key, syntax) for each in level.ancestors]
    selected.append(_selected(sources[level.path], level, level.columns, syntax))
    conditions = [
        f"{_belonging(each, sources, syntax)}"
        f" AND {syntax.any_present(sources[each.path], each.presence)}"
        for each in line[1:]
    ]
    compared = [*levels[0].key, *(term.column for term in levels[0].order)]
    return "\n".join(
        [
            "SELECT " + ",\n  ".join(selected),
            _from_parents(levels[0], line[1:2], compared, page, syntax),
            *(f"CROSS JOIN {_table(each, sources[each.path], syntax)}" for each in line[1:]),
            "WHERE " + "\n  AND ".join(conditions),
            _order_by(line, sources, syntax),
        ]
    )


def _parents_alone(outermost: Level, page: Page, syntax: Syntax) -> str:
    source = _own_name(outermost, syntax)
    lines = [
        f"SELECT {_selected(source, outermost, outermost.columns, syntax)}",
        f"FROM {_table(outermost, source, syntax)}",
        *clauses(page, outermost.order, source, syntax),
    ]
    if page.limit is None:
        lines.append(f"ORDER BY {', '.join(syntax.sorted_by(source, outermost.order))}")
    return "\n".join(lines)


def _from_parents(
    outermost: Level, below: Iterable[Level], needed: Iterable[str], page: Page, syntax: Syntax
) -> str:
    """Write the SELECT of the outermost records, with what the levels below are joined by."""
    source = _own_name(outermost, syntax)
    joined_by = [
        column for level in below if level.ancestors == (outermost,) for column in level.on.values()
    ]
    columns = dict.fromkeys((*needed, *joined_by))
    selected = [f"{syntax.column(source, column)} AS {syntax.name(column)}" for column in columns]
    lines = [
        f"SELECT {', '.join(selected)}",
        f"FROM {_table(outermost, source, syntax)}",
        *clauses(page, outermost.order, source, syntax),
    ]
    return "FROM (\n" + "".join(f"  {line}\n" for line in lines) + f") AS {_PARENTS}"


def _left_join(level: Level, sources: dict[str, str], syntax: Syntax) -> str:
    table = _table(level, sources[level.path], syntax)
    return f"LEFT JOIN {table} ON {_belonging(level, sources, syntax)}"


def _belonging(level: Level, sources: dict[str, str], syntax: Syntax) -> str:
    """Write which parent a child belongs to."""
    if not level.on:
        raise ValueError(f"{level.path}: `on` must say by which columns it belongs to its parent")
    source, parent = sources[level.path], sources[level.ancestors[-1].path]
    return syntax.matches(parent, source, level.on)


def _table(level: Level, name: str, syntax: Syntax) -> str:
    """Write what a level is read from, under a name."""
    if level.query is not None:
        return f"{enclosed(level.query)} AS {name}"
    table = syntax.table(level.table)
    return table if name == _own_name(level, syntax) else f"{table} AS {name}"


def _own_name(level: Level, syntax: Syntax) -> str:
    """Return the name that the caller's condition may call the outermost records by."""
    return syntax.name(level.table.rpartition(".")[2])


def _sources(levels: Sequence[Level]) -> dict[str, str]:
    """Name what each level is read from, by path."""
    return {level.path: f"c{n}" if n else _PARENTS for n, level in enumerate(levels)}


def _selected(source: str, level: Level, columns: Iterable[str], syntax: Syntax) -> str:
    return ", ".join(
        f"{syntax.column(source, column)} AS {syntax.name(label)}"
        for column, label in zip(columns, level.labels(columns), strict=True)
    )


def _order_by(levels: Iterable[Level], sources: dict[str, str], syntax: Syntax) -> str:
    terms = [
        term for level in levels for term in syntax.sorted_by(sources[level.path], level.order)
    ]
    return f"ORDER BY {', '.join(terms)}"
