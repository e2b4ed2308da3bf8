"""Random bodies, most of them nearly declarations."""

import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.http.client import Client, registry_on, tool
from tests.http.refusals import check_error, state
from tests.http.struct_cases import kinds, structs_in
from tests.service import Service

from meshaccel.registry.registration import Declaration

texts = st.text(max_size=5) | st.sampled_from(["p", "c", "cap", "new", "*", "subset", ">=1", "+a"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def near(struct: type[msgspec.Struct]) -> st.SearchStrategy[object]:
    """Objects with a struct's fields, mostly of the right types."""
    hints = get_type_hints(struct, include_extras=True)
    fields = msgspec.structs.fields(struct)
    valid = {field.encode_name: near_type(hints[field.name]) for field in fields}
    return st.fixed_dictionaries({}, optional=valid) | st.fixed_dictionaries(
        {}, optional={name: strategy | values for name, strategy in valid.items()}
    )


def near_type(annotation: Any) -> st.SearchStrategy[object]:
    for inner in structs_in(annotation):
        one = near(inner)
        return st.lists(one, max_size=3) if "array" in kinds(annotation) else one
    simple: dict[str, st.SearchStrategy[object]] = {
        "string": texts,
        "flag": st.booleans(),
        "number": st.integers(-2, 2**64),
        "array": st.lists(texts | st.lists(texts, max_size=2), max_size=3),
        "object": st.dictionaries(texts, values, max_size=3),
    }
    return st.one_of(st.none(), *(simple[kind] for kind in sorted(kinds(annotation))))


@pytest.fixture(scope="module")
def wired(server: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same registry for all random bodies."""
    with registry_on(server, tmp_path_factory.mktemp("random") / "r.db") as client:
        yield client


@settings(max_examples=100)
@given(body=near(Declaration) | values, agent_id=st.none() | st.sampled_from(["p", "x", "y"]))
def test_random_bodies(wired: Client, body: object, agent_id: str | None) -> None:
    """Never a 5xx; what was stored is changed by a success alone, and kept whole."""
    if isinstance(body, dict) and agent_id is not None:
        body["agent_id"] = agent_id
    wired.post("keep", tool("cap", kwargs={"a": [1, 2.5, None]}))
    before = state(wired)
    response = wired.http.post("/heartbeat", content=json.dumps(body).encode())
    assert response.status_code in (200, 400), response.text
    if response.status_code == 400:
        check_error(response)
    if response.status_code == 400 or response.json()["status"] == "error":
        assert state(wired) == before
    else:
        found = [agent for agent in state(wired)["agents"] if agent["id"] == "keep"]
        assert found == [agent for agent in before["agents"] if agent["id"] == "keep"]
        assert wired.head(response.json()["agent_id"]) == 200
