"""Metadata that exists once, however many hold it.

::

    pool = MetadataPool()
    key = pool.intern(record)         # equal records have equal keys
    view = pool.get(key)              # a Mapping that nobody can change
    view["tools"][0]["name"]
    pool.release(key)

A pool keeps every distinct part of the values given to it once: records that differ in a time
stamp share all the rest, and so do different agents that declare the same schema.

What is equal is strict, so that what comes out is what went in: 1, 1.0 and True are three values,
0.0 and -0.0 two, and NaN is one. A dict is its set of entries; a tuple is the list of its items.
``==`` and ``hash`` of views follow the same rules; but a view that equals a tuple has another hash
than the tuple, as a list has none.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from meshaccel._native import (
    MetadataList,
    MetadataPool,
    MetadataStats,
    MetadataView,
    json_depth,
)
from meshaccel.metadata.encoding import json_default, msgspec_hook, orjson_default

__all__ = [
    "Metadata",
    "MetadataList",
    "MetadataPool",
    "MetadataStats",
    "MetadataView",
    "json_default",
    "json_depth",
    "msgspec_hook",
    "orjson_default",
]

Metadata: TypeAlias = Any
"""What JSON is, with Python's integers and floats, and views of whatever pool. mypy has no better
word for it that takes a ``dict[str, str]`` where a ``dict[str, Metadata]`` is expected."""

Mapping.register(MetadataView)
Sequence.register(MetadataList)
