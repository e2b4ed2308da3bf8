"""What the rows of a query mean: which columns form which record, and the SQL that reads them.

A row of the joined statement holds the values of the outermost record, then those of each child
in declaration order, depth first::

    Shape("agents", key=("id",), columns=("id", "name"), children={
        "capabilities": Child(key=("digest",), columns=("digest", "version"), on={"agent": "id"}),
    })

describes ``SELECT a.id, a.name, c.digest, c.version FROM agents a LEFT JOIN capabilities c ...``.
``Shape.sql`` writes that statement, or one statement per level, which read the same records.
"""

from meshaccel.shape.child import Child
from meshaccel.shape.options import JsonPolicy, NullKey, Orphans, ParamStyle, Plan
from meshaccel.shape.rows import Row, Values
from meshaccel.shape.shape import Shape
from meshaccel.shape.sql import Statement

__all__ = [
    "Child",
    "JsonPolicy",
    "NullKey",
    "Orphans",
    "ParamStyle",
    "Plan",
    "Row",
    "Shape",
    "Statement",
    "Values",
]
