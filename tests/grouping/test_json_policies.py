"""What the policies promise beyond the value: sharing, freshness, bounded memory."""

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from meshaccel.errors import InvalidJsonError
from meshaccel.frozen import FrozenDict, FrozenList
from meshaccel.grouping import Into, RowGrouper, Shape
from meshaccel.reference.json_documents import Policy

from .json_column import POLICIES, column, read

TEXT = '{"a":[{"b":1},[2]],"c":{"d":"e"}}'
PLAIN = {"a": [{"b": 1}, [2]], "c": {"d": "e"}}


def other(text: str) -> str:
    """The same text in another object."""
    return "".join(list(text))


def containers(document: Any) -> Iterator[Any]:
    """Every dict and list in a document."""
    if isinstance(document, (dict, list)):
        yield document
        for value in document.values() if isinstance(document, dict) else document:
            yield from containers(value)


def test_shared_documents_are_one_object_by_content() -> None:
    first, second, third, fourth = read([TEXT, other(TEXT), TEXT.encode(), TEXT + " "], "shared")
    assert first is second is third
    assert first == fourth == PLAIN
    assert first is not fourth  # another text, even if it says the same


def test_shared_documents_are_read_only_at_every_level() -> None:
    for container in containers(read([TEXT], "shared")[0]):
        assert type(container) in (FrozenDict, FrozenList)
        with pytest.raises(TypeError):
            container.clear()
        with pytest.raises(TypeError):
            container.__init__()


def test_calls_share_nothing() -> None:
    grouper = column("shared")
    assert grouper.group([(0, TEXT)]) == grouper.group([(0, TEXT)])
    documents = [grouper.group([(0, TEXT)])[0]["document"] for _ in range(2)]
    assert documents[0] is not documents[1]


def test_eager_documents_share_no_container() -> None:
    """The first is decoded, the second makes the copy that all later ones are copied from."""
    documents = read([TEXT, other(TEXT), TEXT.encode(), TEXT, TEXT], "eager")
    seen = [id(container) for document in documents for container in containers(document)]
    assert len(set(seen)) == len(seen)
    assert all(type(found) in (dict, list) for d in documents for found in containers(d))
    for document in documents:
        document["a"][0]["b"] = "changed"
        document["a"][1].clear()
        document["c"].clear()
    assert read([TEXT], "eager") == [PLAIN]


def test_a_changed_document_does_not_change_later_ones() -> None:
    """Those that come while the earlier ones are already in use."""
    grouper = column("eager")
    stream = grouper.stream(ordered=True)
    documents = []
    for row in range(6):
        for record in stream.feed([(row, TEXT)]):
            documents.append(record["document"])
            assert documents[-1] == PLAIN
            documents[-1]["a"][0].clear()
            documents[-1]["a"].clear()
    assert len(documents) == 5


def test_raw_documents_are_the_stored_bytes() -> None:
    first, second, third = read([TEXT, other(TEXT), " [1] "], "raw")
    assert first == TEXT.encode()
    assert first is second
    assert third == b" [1] "
    stored = TEXT.encode()
    assert read([stored], "raw")[0] is stored


def test_a_buffer_that_changes_later_does_not_matter() -> None:
    for policy in POLICIES:
        buffer = bytearray(b"[1, 2]")
        documents = read([buffer, memoryview(buffer)], policy)
        buffer[:] = b"[3, 4]"
        for document in documents:
            assert (document == b"[1, 2]") if policy == "raw" else (document == [1, 2])


def test_what_was_refused_is_refused_again() -> None:
    """The store of known documents holds no verdict that is not true."""
    stream = column("shared").stream()
    for _ in range(3):
        with pytest.raises(InvalidJsonError):
            stream.feed([(0, "[1")])
    stream.feed([(0, "[1]")])
    assert stream.finish() == [{"id": 0, "document": [1]}]


def test_policies_agree_about_one_text() -> None:
    """Columns of several policies use one store of known documents."""
    columns = ("id", *POLICIES)
    shape = Shape("t", key=("id",), columns=columns, json={policy: policy for policy in POLICIES})
    grouper = RowGrouper(shape)
    for record in grouper.group([(n, *[other(TEXT)] * 4) for n in range(3)]):
        assert record["eager"] == record["shared"] == record["lazy"] == PLAIN
        assert type(record["eager"]) is dict
        assert type(record["shared"]) is FrozenDict
        assert record["raw"] == TEXT.encode()


@pytest.mark.parametrize("policy", POLICIES)
def test_memory_is_bounded_over_many_documents(policy: Policy) -> None:
    """A stream that gives its records away keeps a few megabytes of what it has seen."""
    stream = column(policy).stream(ordered=True)
    text = '{"description":"%d' + "x" * 1000 + '"}'
    tracemalloc.start()
    try:
        for start in range(0, 40_000, 1000):
            rows = [(row, text % row) for row in range(start, start + 1000)]
            for record in stream.feed(rows):
                assert record["document"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 << 20, f"{peak / 2**20:.0f} MB for 40 MB of documents"


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_leaks(policy: Policy) -> None:
    """Documents, good and bad, leave nothing behind but a bounded store of short strings."""
    grouper = column(policy)

    def once(salt: int) -> None:
        good = [(row, f'{{"a":[{salt},"value",{{"b":"text"}}]}}') for row in range(20)]
        for record in grouper.group(good * 2):
            assert record["document"]
        with pytest.raises(InvalidJsonError):
            repr(grouper.group([*good, (99, '{"a":[1,{"b":')]))  # lazy ones are looked at

    for salt in range(20):
        once(salt)
    gc.collect()
    tracemalloc.start()
    try:
        once(0)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for salt in range(200):
            once(salt)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


@pytest.mark.parametrize("policy", ["text", *POLICIES])
def test_a_stream_for_one_end_gives_what_any_stream_gives(
    policy: Policy | Literal["text"],
) -> None:
    rows = [(n, text) for n, text in enumerate([TEXT, other(TEXT), None, "[1]"])]
    ends: tuple[tuple[Into, str], ...] = (("dicts", "finish"), ("json", "finish_json"))
    for into, finish in ends:
        results = []
        for stream in (column(policy).stream(into=into), column(policy).stream()):
            stream.feed(rows)
            results.append(getattr(stream, finish)())
        assert results[0] == results[1]


def test_a_stream_for_one_end_refuses_the_other_and_loses_nothing() -> None:
    stream = column("eager").stream(into="json")
    stream.feed([(0, "[1]")])
    with pytest.raises(ValueError, match="begun for JSON"):
        stream.finish()
    assert stream.finish_json() == b'[{"id":0,"document":[1]}]'
    stream = column("eager").stream(into="dicts")
    stream.feed([(0, "[1]")])
    with pytest.raises(ValueError, match="begun for dicts"):
        stream.finish_json()
    assert stream.finish() == [{"id": 0, "document": [1]}]
    with pytest.raises(ValueError, match='into must be "dicts" or "json"'):
        column("eager").stream(into="bytes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one by one"):
        column("eager").stream(ordered=True, into="json")
