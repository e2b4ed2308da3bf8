"""One JSON column, read and written by the native grouper and by the reference."""

from typing import Any, Literal

import hypothesis.strategies as st

from meshaccel.errors import InvalidJsonError
from meshaccel.grouping import RowGrouper, Shape
from meshaccel.reference.json_documents import Place, Policy, read_document, write_document

POLICIES: tuple[Policy, ...] = ("raw", "lazy", "shared", "eager")
PLACE = Place(0, "documents.document", (0,))

Outcome = tuple[Literal["value", "error"], object]


def column(policy: Policy | Literal["text"]) -> RowGrouper:
    """A grouper of rows (id, document)."""
    shape = Shape("documents", key=("id",), columns=("id", "document"), json={"document": policy})
    return RowGrouper(shape)


def read(values: list[Any], policy: Policy) -> list[Any]:
    """What one call makes of these stored documents."""
    return [record["document"] for record in column(policy).group(list(enumerate(values)))]


def write(value: object, policy: Policy | Literal["text"] = "eager", default: Any = None) -> str:
    """The JSON of one value: of a stored document, or with "text" of any value."""
    json = column(policy).group_json([(0, value)], default=default)
    return json.decode().removeprefix('[{"id":0,"document":').removesuffix("}]")


def native_outcome(value: object, policy: Policy) -> Outcome:
    try:
        return "value", _seen(read([value], policy)[0], policy)
    except InvalidJsonError as error:
        return "error", error.args[:3]


def reference_outcome(value: object, policy: Policy) -> Outcome:
    try:
        return "value", _seen(read_document(value, policy, PLACE), policy)
    except InvalidJsonError as error:
        return "error", error.args[:3]


def native_written(value: object) -> Outcome:
    try:
        return "value", write(value)
    except InvalidJsonError as error:
        return "error", error.args[:3]


def reference_written(value: object) -> Outcome:
    try:
        return "value", write_document(value, PLACE)
    except InvalidJsonError as error:
        return "error", error.args[:3]


def _seen(document: Any, policy: Policy) -> object:
    """All there is to see: repr tells -0.0 from 0, 1 from 1.0, and the order of members."""
    if policy == "lazy" and document is not None:
        return document.raw, repr(document)
    return repr(document), _types(document)


def _types(document: Any) -> object:
    name = type(document).__name__
    if isinstance(document, dict):
        return name, [_types(value) for value in document.values()]
    if isinstance(document, list):
        return name, [_types(value) for value in document]
    return name


ESCAPES = ('\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\u00e9", "\\u20AC")
SURROGATES = (
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "\\ude00\\ud83d",
    "\\ud83d\\u0041",
    "\\ud83d\\n",
)

_characters = st.characters(exclude_categories=["Cs"], exclude_characters='"\\') | st.sampled_from(
    ("\x00", "\x1f", "\x7f", "\u2028", "\ufeff", "\U0001f600")
)


def strings(*escapes: str) -> st.SearchStrategy[str]:
    """JSON strings, some with control characters, which are not allowed."""
    parts = st.sampled_from(escapes) | st.text(_characters, max_size=40)
    return st.lists(parts, max_size=4).map(lambda found: f'"{"".join(found)}"')


numbers = st.one_of(
    st.integers().map(str),
    st.integers(2**63 - 2, 2**64 + 2).map(str),
    st.integers(min_value=2**64).map(lambda number: str(-number)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(("-0", "-0.0", "0e0", "1e400", "-1e400", "1E+2", "2e-400", "01", "1.", ".5")),
    st.sampled_from(("+1", "--1", "-", "1e", "1e+", "NaN", "Infinity", "-Infinity", "0x1", "1_0")),
    st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,4})?", fullmatch=True),
)
_spaces = st.sampled_from(("", "", "", " ", "\n", "\t", "\r\n ", "\x0b", "\u00a0"))
_names = st.sampled_from(('"a"', '"b"', '"type"', '"description"')) | strings(*ESCAPES)


@st.composite
def _array(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    space = draw(_spaces)
    return f"[{space}{f'{space},'.join(draw(st.lists(inner, max_size=4)))}{space}]"


@st.composite
def _object(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    space = draw(_spaces)
    members = draw(st.lists(st.tuples(_names, inner), max_size=4))
    body = ",".join(f"{space}{name}{space}:{space}{value}" for name, value in members)
    return f"{{{body}{space}}}"


_leaves = st.one_of(
    st.sampled_from(("null", "true", "false", "nul", "True", "[]", "{}", "[,]", "{,}")),
    numbers,
    strings(*ESCAPES, *SURROGATES),
)

texts = st.recursive(_leaves, lambda inner: _array(inner) | _object(inner), max_leaves=12)
"""Mostly valid JSON."""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """JSON with a few bytes more, less or other, which may no longer be UTF-8."""
    text = bytearray(draw(texts).encode())
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 3)))
        text[start:end] = draw(
            st.sampled_from((b"", b"", b'"', b"\\", b",", b"]", b"}", b"\x00", b"\xff", b"\xc3"))
            | st.binary(max_size=3)
        )
    return bytes(text)
