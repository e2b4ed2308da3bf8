"""What is used where there is no MetadataPool, beside the brief's own."""

from __future__ import annotations

from typing import Any

import orjson
import xxhash
from benches.naive.metadata import MetadataPool as BriefPool
from frozendict import frozendict

Json = dict[str, Any]

INSTANCE = (
    *("id", "endpoint", "annotations", "created_at", "updated_at", "last_heartbeat"),
    "resource_version",
)
"""What somebody who splits records by hand would split off."""


def orjson_xxh3(metadata: Json) -> str:
    """The fastest digest that there is in Python, as far as we know."""
    return xxhash.xxh3_128_hexdigest(orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS))


class SplitPool:
    """The pool of the brief for the static part of a record; the rest is kept beside the key."""

    def __init__(self) -> None:
        self._pool = BriefPool()

    def intern(self, metadata: Json) -> tuple[str, Json]:
        """Return the key of the static part, and the rest."""
        instance = {name: metadata.pop(name) for name in INSTANCE}
        return self._pool.intern(metadata), instance


class FrozenPool:
    """Subtrees in frozendicts and tuples, each of which exists once."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def intern(self, value: Any) -> Any:
        """Return the only value that is equal to this one."""
        if isinstance(value, dict):
            frozen: Any = frozendict(
                {self.intern(key): self.intern(item) for key, item in value.items()}
            )
        elif isinstance(value, list):
            frozen = tuple(self.intern(item) for item in value)
        else:
            frozen = value
        # 1, 1.0 and True are equal to Python.
        return self._known.setdefault((type(frozen), frozen), frozen)
