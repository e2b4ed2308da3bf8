"""Values as the reference pool holds them: typed, frozen, hashable; and views of them."""

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsIndex, TypeAlias, overload

from meshaccel.errors import MetadataDepthError, MetadataTypeError, NoJsonFormError

Path: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True)
class Scalar:
    """None, a bool, an int, a float or a str. ``form`` is what tells it from all others."""

    form: bytes
    value: bool | int | float | str | None = field(compare=False)


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple["Frozen", ...]


@dataclass(frozen=True)
class Entries:
    """A dict: a set of entries. The order of ``keys`` is not part of what it is."""

    entries: frozenset[tuple[str, "Frozen"]]

    def __getitem__(self, key: str) -> "Frozen":
        return dict(self.entries)[key]


Frozen: TypeAlias = Scalar | Items | Entries


def freeze(value: object, max_depth: int, *, strict: bool = False, path: Path = ()) -> Frozen:
    """Return what a value is.

    Raises:
        MetadataTypeError: It has a part, or a key, of another type than JSON's and tuple.
        MetadataDepthError: It has more lists and dicts within each other than allowed.
    """
    if isinstance(value, (MetadataView, MetadataList)):
        return value.frozen
    if value is None or isinstance(value, (bool, int, float, str)):
        return scalar(value)
    if not isinstance(value, (dict, list)) and (strict or not isinstance(value, tuple)):
        raise MetadataTypeError(path, type(value).__name__)
    if len(path) >= max_depth:
        raise MetadataDepthError(max_depth)

    def part(step: str | int, item: object) -> Frozen:
        return freeze(item, max_depth, strict=strict, path=(*path, step))

    # What subclasses hold, whatever they say that they hold.
    if isinstance(value, list):
        return Items(tuple(part(*entry) for entry in enumerate(list.__iter__(value))))
    if isinstance(value, tuple):
        return Items(tuple(part(*entry) for entry in enumerate(tuple.__iter__(value))))
    entries: dict[str, Frozen] = {}
    for key, item in dict.items(value):
        if not isinstance(key, str):
            raise MetadataTypeError(path, type(key).__name__, is_key=True)
        name = str.__str__(key)
        entries[name] = part(name, item)
    return Entries(frozenset(entries.items()))


def scalar(value: Plain) -> Scalar:
    """Return a scalar without what a subclass adds, in its canonical form."""
    if value is None:
        return Scalar(b"n", None)
    if isinstance(value, bool):
        return Scalar(b"t" if value else b"f", value)
    if isinstance(value, int):
        value = int.__int__(value)
        if -(2**63) <= value < 2**63:
            return Scalar(b"i" + value.to_bytes(8, "little", signed=True), value)
        return Scalar(b"I" + _run(two_complement(value)), value)
    if isinstance(value, float):
        value = float.__float__(value)
        bits = struct.pack("<d", math.nan if math.isnan(value) else value)
        return Scalar(b"d" + bits, value)
    text = str.__str__(value)
    return Scalar(_text(text), text)


def two_complement(value: int) -> bytes:
    """Return as few bytes as hold an integer, little endian."""
    length = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return value.to_bytes(length, "little", signed=True)


def canonical(value: Frozen) -> bytes:
    """Return the bytes that digests are computed of; ``rust/core/src/digest.rs`` says how."""
    if isinstance(value, Scalar):
        return value.form
    if isinstance(value, Items):
        return b"l" + b"".join(map(canonical, value.items)) + b"e"
    entries = [
        (_text(key), key.encode("utf-8", "surrogatepass"), item) for key, item in value.entries
    ]
    entries.sort(key=lambda entry: entry[1])
    return b"m" + b"".join(form + canonical(item) for form, _, item in entries) + b"e"


def _text(text: str) -> bytes:
    return b"s" + _run(text.encode("utf-8", "surrogatepass"))


def _run(data: bytes) -> bytes:
    length, prefix = len(data), bytearray()
    while length >= 0x80:  # noqa: PLR2004 (LEB128)
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + data


def thaw(value: Frozen) -> Any:
    """Return plain objects, new ones each time."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Items):
        return [thaw(item) for item in value.items]
    return {key: thaw(item) for key, item in value.entries}


def view(value: Frozen) -> Any:
    """Return what a reader gets: a scalar itself, a view of anything else."""
    if isinstance(value, Scalar):
        return value.value
    return MetadataList(value) if isinstance(value, Items) else MetadataView(value)


def to_json(value: Frozen) -> bytes:
    """Return the JSON of a value.

    Raises:
        NoJsonFormError: It has a NaN, an infinity, a lone surrogate or a very long integer.
    """
    try:
        text = json.dumps(thaw(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError as error:
        raise NoJsonFormError("a string with a lone surrogate") from error
    except ValueError as error:
        what = (
            "an integer of more than 4,300 digits"
            if "digits" in str(error)
            else "a float that is not finite"
        )
        raise NoJsonFormError(what) from error


def _at(value: Frozen, path: Sequence[str | int]) -> Any:
    for step in path:
        if isinstance(step, str) and isinstance(value, Entries):
            value = value[step]
        elif isinstance(step, int) and isinstance(value, Items):
            value = value.items[step]
        elif isinstance(step, int):
            raise IndexError(step)
        else:
            raise KeyError(step)
    return view(value)


def _same(value: Frozen, other: object) -> bool:
    try:
        return freeze(other, 10**6) == value
    except (MetadataTypeError, RecursionError):
        return False


class MetadataView(Mapping[str, Any]):
    """A dict of the pool."""

    def __init__(self, frozen: Entries) -> None:
        self.frozen = frozen

    def __getitem__(self, key: str) -> Any:
        return view(self.frozen[key])

    def __len__(self) -> int:
        return len(self.frozen.entries)

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, _ in self.frozen.entries])

    def __eq__(self, other: object) -> bool:
        return _same(self.frozen, other)

    def __hash__(self) -> int:
        return hash(self.frozen)

    def to_dict(self) -> dict[str, Any]:
        """Return plain objects."""
        plain: dict[str, Any] = thaw(self.frozen)
        return plain

    def to_json(self) -> bytes:
        """Return JSON."""
        return to_json(self.frozen)

    def get_path(self, *path: str | int) -> Any:
        """Return the value at the end of a path."""
        return _at(self.frozen, path)


class MetadataList(Sequence[Any]):
    """A list of the pool."""

    def __init__(self, frozen: Items) -> None:
        self.frozen = frozen

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return [view(item) for item in self.frozen.items[index]]
        return view(self.frozen.items[index])

    def __len__(self) -> int:
        return len(self.frozen.items)

    def __contains__(self, value: object) -> bool:
        return any(_same(item, value) for item in self.frozen.items)

    def __eq__(self, other: object) -> bool:
        return _same(self.frozen, other)

    def __hash__(self) -> int:
        return hash(self.frozen)

    def to_list(self) -> list[Any]:
        """Return plain objects."""
        plain: list[Any] = thaw(self.frozen)
        return plain

    def to_json(self) -> bytes:
        """Return JSON."""
        return to_json(self.frozen)

    def get_path(self, *path: str | int) -> Any:
        """Return the value at the end of a path."""
        return _at(self.frozen, path)
