"""Which of the outermost records to read: WHERE, ORDER BY and LIMIT of their SELECT."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from meshaccel.shape.levels import OrderTerm
from meshaccel.shape.syntax import Syntax, enclosed


@dataclass(frozen=True)
class Page:
    """A part of the records.

    Attributes:
        where: The caller's condition, or "".
        after: Whether only those after a cursor are wanted.
        limit: How many, or that a parameter says so.
    """

    where: str
    after: bool
    limit: int | Literal["parameter"] | None


def clauses(page: Page, order: Sequence[OrderTerm], source: str, syntax: Syntax) -> Iterator[str]:
    """Write the clauses that a page needs.

    The records are only sorted here where that decides which are read.
    """
    conditions = [enclosed(page.where)] if page.where else []
    if page.after:
        conditions.append(_after(order, source, syntax))
    if conditions:
        yield f"WHERE {' AND '.join(conditions)}"
    if page.limit is not None:
        limit = str(page.limit)
        if page.limit == "parameter":
            limit = syntax.parameter("page_limit", (len(order) if page.after else 0) + 1)
        yield f"ORDER BY {', '.join(syntax.sorted_by(source, order))}"
        yield f"LIMIT {limit}"


def _after(order: Sequence[OrderTerm], source: str, syntax: Syntax) -> str:
    """Write that a record comes after the cursor.

    Where all columns have one direction, rows are compared. Otherwise the condition starts with
    one on the first column alone: an index can serve either.
    """
    columns = [syntax.column(source, term.column) for term in order]
    bounds = [syntax.parameter(f"page_after_{n}", n + 1) for n in range(len(order))]
    signs = ["<" if term.descending else ">" for term in order]
    if len(order) > 1 and len(set(signs)) == 1:
        return f"({', '.join(columns)}) {signs[0]} ({', '.join(bounds)})"
    *firsts, last = zip(columns, signs, bounds, strict=True)
    written = " ".join(last)
    for column, sign, bound in reversed(firsts):
        written = f"({column} {sign}= {bound} AND ({column} {sign} {bound} OR {written}))"
    return written
