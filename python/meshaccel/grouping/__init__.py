"""Rows folded into nested dicts, natively.

::

    grouper = RowGrouper(shape)
    agents = await grouper.fetch(connection)           # the shape's own SQL
    agents = grouper.group(connection.execute(query))  # rows in hand

Keys are compared as Python compares dict keys: ``1``, ``1.0`` and ``True`` are one key, ``"1"``
and ``b"1"`` are two, and a NaN equals only itself, the very object. What the *database* calls
equal decides which children belong to which parent, wherever its statements are the shape's.
"""

from meshaccel._native import GroupStream, LazyJson
from meshaccel.grouping.grouper import RowGrouper
from meshaccel.grouping.reading import Default, Into, Options
from meshaccel.shape import (
    Child,
    JsonPolicy,
    NullKey,
    Orphans,
    ParamStyle,
    Plan,
    Row,
    Shape,
    Statement,
)

__all__ = [
    "Child",
    "Default",
    "GroupStream",
    "Into",
    "JsonPolicy",
    "LazyJson",
    "NullKey",
    "Options",
    "Orphans",
    "ParamStyle",
    "Plan",
    "Row",
    "RowGrouper",
    "Shape",
    "Statement",
]
