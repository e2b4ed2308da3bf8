"""What JSON columns become, in plain Python, with the ``json`` module."""

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Literal, NamedTuple, NoReturn

from meshaccel.errors import InvalidJsonError
from meshaccel.frozen import FrozenDict, FrozenList

__all__ = ["MAX_DEPTH", "LazyJson", "Place", "read_document", "write_document"]

Policy = Literal["raw", "lazy", "shared", "eager"]

MAX_DEPTH = 200
MAX_DIGITS = 4300

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


class Place(NamedTuple):
    """Where a document was found: row, label of the column, key of the record."""

    row: int
    column: str
    key: tuple[object, ...]


def read_document(value: object, policy: Policy, place: Place) -> object:
    """Return the object for the value of a JSON column; None is None.

    "shared" gives a read-only object; that equal documents are one object is the caller's part.

    Raises:
        InvalidJsonError: The value is no JSON document.
    """
    if value is None:
        return None
    stored = _stored(value, place)
    if policy == "lazy":
        return LazyJson(stored, place)
    document = _decode(stored, place)
    if policy == "raw":
        return stored.encode() if isinstance(stored, str) else stored
    return _frozen(document) if policy == "shared" else document


def write_document(value: object, place: Place) -> str:
    """Return the document in the value of a JSON column, validated; None is null.

    Raises:
        InvalidJsonError: The value is no JSON document.
    """
    if value is None:
        return "null"
    stored = _stored(value, place)
    _decode(stored, place)
    return stored if isinstance(stored, str) else stored.decode()


class LazyJson:
    """The twin of the native ``LazyJson``."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, stored: str | bytes, place: Place) -> None:
        self._stored = stored
        self._place = place
        self._value: list[Any] = []

    @property
    def value(self) -> Any:
        """The plain object, decoded once."""
        if not self._value:
            self._value.append(_decode(self._stored, self._place))
        return self._value[0]

    @property
    def raw(self) -> bytes:
        """The text as stored, validated."""
        _decode(self._stored, self._place)
        return self._stored.encode() if isinstance(self._stored, str) else self._stored

    def __getattr__(self, name: str) -> Any:
        if name in ("keys", "values", "items", "get") and isinstance(self.value, dict):
            return getattr(self.value, name)
        raise AttributeError(name)

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __contains__(self, item: object) -> bool:
        return item in self.value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, LazyJson) else other))

    def __repr__(self) -> str:
        return repr(self.value)

    def __copy__(self) -> "LazyJson":
        return LazyJson(self._stored, self._place)

    def __deepcopy__(self, memo: object) -> "LazyJson":
        return LazyJson(self._stored, self._place)

    def __reduce__(self) -> tuple[type["LazyJson"], tuple[str | bytes, Place]]:
        return LazyJson, (self._stored, self._place)


def _stored(value: object, place: Place) -> str | bytes:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return memoryview(value).tobytes()
    raise InvalidJsonError(*place, f"expected text, got {type(value).__name__}")


def _decode(stored: str | bytes, place: Place) -> Any:
    try:
        text = stored if isinstance(stored, str) else stored.decode()
        text.encode()
        _check_depth(text)
        document = _DECODER.decode(text)
        _check_strings(document)
    except (ValueError, RecursionError) as error:
        raise InvalidJsonError(*place, str(error)) from error
    return document


def _check_depth(text: str) -> None:
    steps = (_STEP.get(character, 0) for character in _STRING.sub("", text))
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _int(digits: str) -> int:
    if len(digits.removeprefix("-")) > MAX_DIGITS:
        raise ValueError("number out of range")
    return int(digits)


def _float(digits: str) -> float:
    _int(re.split("[.eE]", digits)[0])
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, value in pairs:  # also those that a later pair replaces
        _check_strings(key)
        _check_strings(value)
    return dict(pairs)


def _check_strings(value: object) -> None:
    """Refuse lone surrogates, which ``json`` takes. The dicts inside are already checked."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, list):
        for element in value:
            _check_strings(element)


_DECODER = json.JSONDecoder(
    parse_int=_int, parse_float=_float, parse_constant=_no_constant, object_pairs_hook=_dict
)


def _frozen(document: Any) -> Any:
    if isinstance(document, dict):
        return FrozenDict({key: _frozen(value) for key, value in document.items()})
    if isinstance(document, list):
        return FrozenList(map(_frozen, document))
    return document
