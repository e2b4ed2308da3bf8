"""A value of a wrong type is refused, whatever its place: the cases come from the definitions."""

import json

import msgspec
from tests.http.client import Client
from tests.http.refusals import check_error, state
from tests.http.struct_cases import Place, wrong_values

from meshaccel.http.wire import CatalogueRecord
from meshaccel.models import Dependency, Tool
from meshaccel.registry.registration import Declaration


def body_with(place: Place, value: object) -> bytes:
    """Return a declaration with one value somewhere in it; ``0`` is a new array's only member."""
    for key in reversed(place):
        value = [value] if isinstance(key, int) else {str(key): value}
    assert isinstance(value, dict)
    return json.dumps({"agent_id": "new"} | value).encode()


CASES = list(wrong_values(Declaration))
CATALOGUE_CASES = list(wrong_values(CatalogueRecord))


def name_of(case: object) -> str:
    place, value = case if isinstance(case, tuple) else ((), case)
    return f"{'.'.join(map(str, place))}={json.dumps(value)}"


def test_cases_cover_every_struct() -> None:
    """The cases reach every field of a declaration and of the structs within."""
    reached = {place[:-1] for place, _ in CASES}
    assert {(), ("tools", 0), ("tools", 0, "dependencies", 0), ("surfaces", 0)} <= reached
    for struct, depth in ((Declaration, 1), (Tool, 3), (Dependency, 5)):
        names = {str(place[-1]) for place, _ in CASES if len(place) == depth}
        assert {field.encode_name for field in msgspec.structs.fields(struct)} <= names


def test_wrong_types_are_refused(mesh: Client) -> None:
    """A value of a wrong type, anywhere in a declaration, is refused and stores nothing."""
    # One round trip a case: the state is compared once, at the end.
    before = state(mesh)
    for case in CASES:
        response = mesh.http.post("/heartbeat", content=body_with(*case))
        assert response.status_code == 400, name_of(case)
        check_error(response)
    assert state(mesh) == before


def test_wrong_types_are_refused_of_a_known_agent(mesh: Client) -> None:
    """A value of a wrong type leaves an agent that is registered as it was."""
    before = state(mesh)
    for case in CASES:
        if case[0] != ("agent_id",):
            body = json.loads(body_with(*case)) | {"agent_id": "p"}
            assert mesh.http.post("/heartbeat", json=body).status_code == 400, name_of(case)
    assert state(mesh) == before


def test_wrong_types_in_a_catalogue_record_are_refused(mesh: Client) -> None:
    """An import of a wrong type, of another id or of no record is refused and stores nothing."""
    before = state(mesh)
    for case in CATALOGUE_CASES:
        check_error(mesh.http.put("/agents/new", content=body_with(*case)))
    for body in (b"", b"[]", b"{}", b'{"agent_id":"other"}', b'{"agent_id":"new"'):
        check_error(mesh.http.put("/agents/new", content=body))
    assert state(mesh) == before
