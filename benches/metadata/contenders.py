"""What is used where there is no MetadataPool."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from typing import Any

import orjson
import xxhash
from frozendict import frozendict

Json = dict[str, Any]

INSTANCE = (
    *("id", "endpoint", "annotations", "created_at", "updated_at", "last_heartbeat"),
    "resource_version",
)
"""What somebody who splits records by hand would split off."""


def json_sha256(metadata: Json) -> str:
    """What the brief's pool leaves open, filled in the usual way."""
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def orjson_xxh3(metadata: Json) -> str:
    """The fastest digest that there is in Python, as far as we know."""
    return xxhash.xxh3_128_hexdigest(orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS))


class BriefPool:
    """The pool of the brief, word by word."""

    def __init__(self) -> None:
        self._pool: dict[str, Json] = {}
        self._refs: defaultdict[str, int] = defaultdict(int)

    def intern(self, metadata: Json) -> str:
        """Count a record once more, and return its key."""
        key = json_sha256(metadata)
        if key not in self._pool:
            self._pool[key] = metadata
        self._refs[key] += 1
        return key

    def get(self, key: str) -> Json:
        """Return the record itself."""
        return self._pool.get(key, {})

    def release(self, key: str) -> None:
        """Count a record less."""
        self._refs[key] -= 1
        if self._refs[key] <= 0:
            del self._pool[key]
            del self._refs[key]


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
