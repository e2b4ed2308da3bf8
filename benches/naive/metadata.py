"""The pool of the brief, word by word, with the digest that it leaves open."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from typing import Any

Json = dict[str, Any]


def json_sha256(metadata: Json) -> str:
    """Return a digest in the usual way."""
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


class MetadataPool:
    """Keeps whole records, once each."""

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
