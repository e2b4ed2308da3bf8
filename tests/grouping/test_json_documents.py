"""Stored documents, as the reference reads them: what is JSON, what is not, and what is limited."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.naming import named

from meshaccel.errors import InvalidJsonError

from .json_column import (
    POLICIES,
    mutated,
    native_outcome,
    native_written,
    read,
    reference_outcome,
    reference_written,
    texts,
    write,
)

DATA = Path(__file__).parents[2].parent / "shared" / "data"


class Text(str):
    """Text that lies about itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return "[]"

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return something else."""
        return f"{encoding}{errors}".encode()


class Bytes(bytes):
    """Bytes that lie about themselves."""

    def __bytes__(self) -> bytes:
        return b"[]"


def assert_same(value: object) -> bool:
    """Compare all policies, and return whether the value is a document."""
    for policy in POLICIES:
        assert native_outcome(value, policy) == reference_outcome(value, policy)
    assert native_written(value) == reference_written(value)
    return native_written(value)[0] == "value"


@given(texts)
def test_text_as_in_the_reference(text: str) -> None:
    assert_same(text)
    assert_same(text.encode())


@given(mutated())
def test_mutated_text_as_in_the_reference(data: bytes) -> None:
    assert_same(data)
    assert_same(data.decode(errors="surrogateescape"))


@given(texts, st.integers(0, 200))
def test_truncated_text_as_in_the_reference(text: str, end: int) -> None:
    assert_same(text.encode()[:end])


@given(st.binary(max_size=30))
def test_any_bytes_as_in_the_reference(data: bytes) -> None:
    assert_same(data)


@pytest.mark.parametrize(
    "value",
    [
        "null", "0", "-0", "-0.0", "1e0", "1E+2", "1e-400", "0.1", "5e-324",
        "1.7976931348623157e308",
        "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" * 4300,
        "-" + "9" * 4300, "1" * 4300 + "e-4400", "0." + "1" * 5000, "1e-" + "0" * 5000 + "1",
        '""', '"\\u0000"', '"\\ud83d\\ude00"', '"\\/"', '"\u2028\x7f"', '{"":{"":[]}}',
        ' \t\r\n[ 1 , {"a" : 2 } ] \t\r\n', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200,
        bytearray(b"[1]"), memoryview(b"[1]x")[:3], memoryview(b"[.1.]")[::2], Text("[1]"),
        Bytes(b"[1]"),
    ],
    ids=lambda value: named(value)[:24],
)  # fmt: skip
def test_documents(value: object) -> None:
    assert assert_same(value)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "\x00", "\ufeff1", b"\xef\xbb\xbf1", "[1]\x00", "1 2", "[1,]", "[,1]", "{,}",
        '{"a":1,}',
        "{1:2}", "{'a':1}", '{"a"}', '{"a":}', "[1", '{"a":1', '"a', '"\\', '"\\u12', '"\\x"',
        '"\\u12g4"',
        "nul", "True", "NaN", "Infinity", "-Infinity", "[NaN]", "01", "-", "+1", "1.", ".5",
        "1e", "0x1",
        "1_0", "\u0661", '"\n"', '"\x1f"', "// c\n1", "[1]\u00a0", "\x0b1",
        "1e400", "-1e400", "1" * 4301, "-" + "1" * 4301, "1" * 4301 + ".0",
        '"\\ud83d"', '"\\ude00"', '"\\ud83dx"', '"\\ud83d\\u0041"', '{"\\ud83d":1}',
        '{"a":"\\ud83d","a":1}',
        "\ud83d", '"\ud83d"', b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\xbd"',
        b'"\xf4\x90\x80\x80"', b'"\xe2\x82"',
        b"\xff", "1".encode("utf-16"), "[" * 201 + "]" * 201, "[" * 200 + "{}" + "]" * 200,
        "[" * 100_000, '{"a":' * 100_000,
    ],
    ids=lambda value: ascii(value)[:24],
)  # fmt: skip
def test_no_documents(value: object) -> None:
    assert not assert_same(value)


@pytest.mark.parametrize("value", [{"a": 1}, [1], 1, 1.5, True, object(), ("[1]",)], ids=named)
def test_only_text_is_a_document(value: object) -> None:
    for policy in POLICIES:
        with pytest.raises(InvalidJsonError) as caught:
            read([value], policy)
        assert caught.value.reason == f"expected text, got {type(value).__name__}"
    assert not assert_same(value)


def test_null_stays_null() -> None:
    for policy in POLICIES:
        assert read([None], policy) == [None]
    assert write(None) == "null"


def test_an_error_names_its_place() -> None:
    for policy in POLICIES:
        with pytest.raises(InvalidJsonError) as caught:
            _ = read(["[1]", '{"a": tru}'], policy)[1].value  # which only a lazy one has
        error = caught.value
        assert (error.row, error.column, error.key) == (1, "documents.document", (1,))
        assert error.reason == "expected ident at byte 9"


def test_duplicate_names_keep_their_first_place_and_last_value() -> None:
    text = '{"a":{"x":1},"b":2,"a":[3],"c":[],"c":{"y":[4]}}'
    expected = '{"a": [3], "b": 2, "c": {"y": [4]}}'
    for policy in ("shared", "eager", "lazy"):
        # The third time it is copied from what was decoded the second time.
        for document in read([text] * 3, policy):
            assert repr(document) == repr(json.loads(expected))


def test_a_lower_limit_on_digits_is_no_crash() -> None:
    """The process may have lowered what ``int`` takes; then long integers are refused."""
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from meshaccel.errors import InvalidJsonError
from tests.grouping.json_column import POLICIES, native_outcome, reference_outcome
sys.set_int_max_str_digits(640)
for policy in ("shared", "eager"):
    assert native_outcome("1" * 641, policy) == reference_outcome("1" * 641, policy)
    assert native_outcome("1" * 641, policy)[0] == "error"
"""
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", program, root], check=True)


@pytest.mark.skipif(not DATA.exists(), reason="no catalogue at hand")
def test_real_schemas() -> None:
    """Schemas of real tools, as text with and without escapes."""
    schemas: list[Any] = []
    with (DATA / "mcp_servers.jsonl").open(encoding="utf-8") as lines:
        schemas += [c["input_schema"] for line in lines for c in json.loads(line)["capabilities"]]
    with gzip.open(DATA / "openapi_services.jsonl.gz", "rt", encoding="utf-8") as lines:
        schemas += [c["input_schema"] for line in lines for c in json.loads(line)["capabilities"]]
    for ensure_ascii in (True, False):
        stored = [json.dumps(schema, ensure_ascii=ensure_ascii) for schema in schemas]
        expected = [json.loads(text) for text in stored]
        for policy in ("shared", "eager"):
            assert read(stored, policy) == expected
        assert [document.decode() for document in read(stored, "raw")] == stored
