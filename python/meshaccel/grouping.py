"""Rows of one joined query, folded into nested dicts.

::

    grouper = RowGrouper(shape)
    agents = grouper.group(connection.execute(query))

Keys are compared as Python compares dict keys: ``1``, ``1.0`` and ``True`` are one key, ``"1"``
and ``b"1"`` are two, and a NaN equals only itself, the very object.
"""

from collections.abc import Iterable

from meshaccel import _native
from meshaccel.shape import Child, NullKey, Row, Shape

__all__ = ["Child", "NullKey", "Row", "RowGrouper", "Shape"]


class RowGrouper:
    """Folds the rows of one query shape; reusable, and safe to share between threads."""

    __slots__ = ("_native", "shape")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._native = _native.RowGrouper(shape)

    def group(self, rows: Iterable[Row]) -> list[dict[str, object]]:
        """Fold rows into one dict per distinct key of the shape.

        Records appear in first-seen order and children in row order; the rows need not be
        sorted. A record takes its values from the first row with its key. The values are the
        objects of the rows, not copies. Takes time linear in the number of values; meanwhile
        other threads and signal handlers run as if this was a loop in Python.

        Raises:
            GroupingError: A row does not fit the shape. Errors raised by the rows themselves,
                or by the ``__hash__`` or ``__eq__`` of their values, come through unchanged.
        """
        return self._native.group(rows)
