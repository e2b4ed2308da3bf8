"""``LazyJson``: the document once it is asked for anything, and not before."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from meshaccel.errors import InvalidJsonError
from meshaccel.grouping import LazyJson
from meshaccel.reference.json_documents import LazyJson as Twin
from meshaccel.reference.json_documents import read_document

from .json_column import PLACE, read, texts

OBJECT = '{"a": [1, 2], "b": null}'


def lazy(text: str | bytes) -> Any:
    """One lazy document."""
    return read([text], "lazy")[0]


def test_it_is_the_document_when_asked() -> None:
    document = lazy(OBJECT)
    assert type(document) is LazyJson
    assert document.value == {"a": [1, 2], "b": None}
    assert document.value is document.value
    assert document.raw == OBJECT.encode()
    assert document["a"] == [1, 2]
    assert list(document) == ["a", "b"]
    assert len(document) == 2
    assert "a" in document
    assert 1 not in document
    assert document
    assert repr(document) == repr(document.value)
    assert list(document.keys()) == ["a", "b"]
    assert list(document.values()) == [[1, 2], None]
    assert dict(document.items()) == dict(document) == {**document} == document.value
    assert document.get("x", 5) == 5
    assert lazy(b"[3, 4]")[1:] == [4]
    assert not lazy("{}")
    assert not lazy("0")


def test_it_compares_with_plain_and_lazy_documents() -> None:
    document = lazy(OBJECT)
    assert document == {"b": None, "a": [1, 2]}
    plain = {"b": None, "a": [1, 2]}
    assert plain == document  # asked from the other side
    assert document == lazy('{"b":null,"a":[1,2]}')
    assert document != lazy("[]")
    assert document != []
    assert lazy("1") == 1.0
    with pytest.raises(TypeError):
        _ = lazy("1") < lazy("2")


def test_it_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(lazy("1"))


def test_only_an_object_has_the_methods_of_a_dict() -> None:
    for text in ("[]", "1", '"a"', "null"):
        for name in ("keys", "values", "items", "get"):
            with pytest.raises(AttributeError, match=name):
                getattr(lazy(text), name)
    with pytest.raises(TypeError):
        lazy("1")["a"]
    with pytest.raises(TypeError):
        len(lazy("1"))
    assert dict(lazy('[["a", 1]]')) == {"a": 1}


@given(texts)
def test_it_behaves_as_its_twin(text: str) -> None:
    native, twin = lazy(text), read_document(text, "lazy", PLACE)
    assert isinstance(twin, Twin)
    for look in (repr, bool, len, list, lambda d: d.raw, lambda d: d == [], lambda d: "a" in d):
        assert _outcome(look, native) == _outcome(look, twin)
    for name in ("keys", "get", "value", "other"):
        assert _outcome(hasattr, native, name) == _outcome(hasattr, twin, name)


def _outcome(look: Any, *arguments: Any) -> object:
    try:
        return look(*arguments)
    except (InvalidJsonError, TypeError) as error:
        return type(error)


def test_an_invalid_one_says_so_each_time() -> None:
    document = read(["1", '{"a": tru}'], "lazy")[1]
    for look in (lambda: document.value, lambda: document.raw, lambda: len(document)):
        for _ in range(2):
            with pytest.raises(InvalidJsonError) as caught:
                look()
            error = caught.value
            assert (error.row, error.column, error.key) == (1, "documents.document", (1,))
    with pytest.raises(InvalidJsonError):
        repr(document)


@pytest.mark.parametrize("looked_at", [False, True])
def test_copies_and_pickles_are_of_what_was_stored(*, looked_at: bool) -> None:
    document = lazy(OBJECT)
    if looked_at:
        document.value["a"].append("changed")
    copies = [copy.copy(document), copy.deepcopy(document)]
    copies += [
        pickle.loads(pickle.dumps(document, protocol))  # noqa: S301
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ]
    for twin in copies:
        assert type(twin) is LazyJson
        assert twin is not document
        assert twin.raw == OBJECT.encode()
        assert twin == {"a": [1, 2], "b": None}


def test_a_pickle_of_an_invalid_one_still_names_the_place() -> None:
    document = pickle.loads(pickle.dumps(read(["1", "[1"], "lazy")[1]))  # noqa: S301
    with pytest.raises(InvalidJsonError) as caught:
        _ = document.value
    assert caught.value.args[:3] == (1, "documents.document", (1,))


def test_nothing_but_grouping_makes_one() -> None:
    with pytest.raises(TypeError, match="cannot create"):
        LazyJson()
    with pytest.raises(TypeError):
        type("Sub", (LazyJson,), {})
    document = lazy("1")
    with pytest.raises(AttributeError):
        document.value = 2


def test_threads_see_one_value() -> None:
    size = 2000
    documents = read([f'{{"n":[{n}]}}' for n in range(size)], "lazy")
    seen: list[list[Any]] = []
    start = threading.Barrier(4)

    def look() -> None:
        start.wait()
        seen.append([document.value for document in documents])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(seen) == 4
    for n in range(size):
        assert len({id(values[n]) for values in seen}) == 1
        assert seen[0][n] == {"n": [n]}


def test_a_cycle_through_its_value_is_collected() -> None:
    class Watched:
        """Something that can be watched."""

    def make() -> weakref.ref[Watched]:
        document = lazy(OBJECT)
        watched = Watched()
        document.value["self"] = [document, watched]
        return weakref.ref(watched)

    reference = make()
    gc.collect()
    assert reference() is None


def test_a_cycle_prints_and_compares_without_crash() -> None:
    first, second = lazy(OBJECT), lazy(OBJECT)
    first.value["a"] = first
    second.value["a"] = second
    assert "..." in repr(first)
    with pytest.raises(RecursionError):
        _ = first == second


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_threads_decode() -> None:
    # One call first: what PyO3 makes once, it makes with the GIL released, and a fork in that
    # very moment never gets it.
    program = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from tests.grouping.json_column import column
lazy, eager = column("lazy"), column("eager")
def works():
    rows = [(0, '{"a":["b"]}')]
    record, = lazy.group(rows)
    return record["document"] == {"a": ["b"]} == eager.group(rows)[0]["document"]
assert works()
done = threading.Event()
def work():
    while not done.is_set():
        for record in lazy.group([(n, '{"some":["text","%d"]}' % n) for n in range(50)]):
            record["document"].value
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
failed = 0
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if works() else 1)
    failed += os.waitpid(child, 0)[1]
done.set()
for thread in threads:
    thread.join()
sys.exit(failed != 0)
"""
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, root], check=True, timeout=60)
