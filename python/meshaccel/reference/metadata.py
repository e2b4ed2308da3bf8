"""What ``meshaccel.metadata`` does, in plain Python."""

import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any, Literal

from meshaccel.errors import InvalidMetadataJsonError, PoolFull, UnknownMetadataKeyError

from .metadata_values import (
    Entries,
    Frozen,
    Items,
    MetadataList,
    MetadataView,
    Scalar,
    canonical,
    freeze,
    scalar,
    two_complement,
    view,
)

__all__ = ["MetadataList", "MetadataPool", "MetadataView"]

_RAISE: Any = object()
IMMEDIATE = 2**29
"""Integers from ``-IMMEDIATE`` to below it are no nodes."""


@dataclass
class _Root:
    key: int
    value: Frozen
    count: int = 1


class MetadataPool:
    """The same API as ``meshaccel.metadata.MetadataPool``, but for bytes and ``default``."""

    def __init__(
        self,
        *,
        max_nodes: int | None = None,
        max_string: int | None = None,
        max_depth: int = 1000,
        strict: bool = False,
    ) -> None:
        self._max_nodes = max_nodes
        self._max_string = max_string
        self._max_depth = max_depth
        self._strict = strict
        self._by_value: dict[Frozen, _Root] = {}
        self._by_key: dict[int, _Root] = {}
        self._keys = itertools.count()

    def intern(self, metadata: object, /) -> int:
        """Return the key of a value and count it once more."""
        value = freeze(metadata, self._max_depth, strict=self._strict)
        root = self._by_value.get(value)
        if root is not None:
            root.count += 1
            return root.key
        self._check(value)
        root = _Root(next(self._keys), value)
        self._by_value[value] = self._by_key[root.key] = root
        return root.key

    def intern_json(self, text: bytes | str, /) -> int:
        """Return the key of the value that a JSON text says."""
        try:
            return self.intern(json.loads(text))
        except json.JSONDecodeError as error:
            raise InvalidMetadataJsonError(error.msg, error.pos) from error

    def reintern(self, key: int, metadata: object, /) -> int:
        """Count a value in the place of another one, and return its key."""
        self._root(key)
        new = self.intern(metadata)
        self.release(key)
        return new

    def get(self, key: int, default: Any = _RAISE, /) -> Any:
        """Return a view of the value with this key."""
        if default is not _RAISE and key not in self._by_key:
            return default
        return view(self._root(key).value)

    def release(self, key: int, /, *, missing: Literal["error", "ignore"] = "error") -> None:
        """Count a key less, and forget its value if it was the last time."""
        if missing == "ignore" and key not in self._by_key:
            return
        root = self._root(key)
        root.count -= 1
        if root.count == 0:
            del self._by_key[key], self._by_value[root.value]

    def digest(self, metadata: object, algorithm: Literal["xxh3", "sha256"] = "xxh3") -> str:
        """Return the digest of a value; that by XXH3 needs the ``xxhash`` package."""
        form = canonical(freeze(metadata, self._max_depth, strict=self._strict))
        if algorithm == "sha256":
            return f"mm1-sha256:{hashlib.sha256(form).hexdigest()}"
        import xxhash  # noqa: PLC0415 (nothing else needs it)

        return f"mm1:{xxhash.xxh3_128_hexdigest(form)}"

    def nodes(self) -> int:
        """Return how many distinct strings, numbers, lists and dicts there are."""
        nodes: set[Frozen] = set()
        for value in self._by_value:
            _add_nodes(value, nodes)
        return len(nodes)

    def references(self) -> int:
        """Return how often values were interned and not yet released."""
        return sum(root.count for root in self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def _root(self, key: int) -> _Root:
        if key not in self._by_key:
            raise UnknownMetadataKeyError(key)
        return self._by_key[key]

    def _check(self, value: Frozen) -> None:
        nodes: set[Frozen] = set()
        _add_nodes(value, nodes)
        if self._max_string is not None:
            for node in nodes:
                if _length(node) > self._max_string:
                    raise PoolFull("max_string", self._max_string)
        for other in self._by_value:
            _add_nodes(other, nodes)
        if self._max_nodes is not None and len(nodes) > self._max_nodes:
            raise PoolFull("max_nodes", self._max_nodes)


def _length(node: Frozen) -> int:
    """Return the bytes of a string, or of an integer of more than 64 bits."""
    if not isinstance(node, Scalar):
        return 0
    if isinstance(node.value, str):
        return len(node.value.encode("utf-8", "surrogatepass"))
    is_big = node.form.startswith(b"I")
    return len(two_complement(int(node.value))) if is_big and node.value else 0


def _add_nodes(value: Frozen, nodes: set[Frozen]) -> None:
    if isinstance(value, Scalar):
        number = value.value
        if isinstance(number, (str, float)) or (
            type(number) is int and not -IMMEDIATE <= number < IMMEDIATE
        ):
            nodes.add(value)
        return
    nodes.add(value)
    if isinstance(value, Items):
        for item in value.items:
            _add_nodes(item, nodes)
        return
    assert isinstance(value, Entries)  # noqa: S101 (for the type checker)
    for key, item in value.entries:
        nodes.add(scalar(key))
        _add_nodes(item, nodes)
