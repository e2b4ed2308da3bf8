"""Compatibility of the output schema a consumer expects with the one a tool publishes."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshaccel.metadata import MetadataPool
from meshaccel.models import Dependency, Tool
from meshaccel.registry.resolution import is_subset, schema_accepted

Schema = dict[str, Any]
TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


def obj(required: str = "", **properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": required.split()}


@pytest.mark.parametrize(
    ("expected", "produced", "compatible"),
    [
        ({}, {}, True),
        (TEXT, TEXT, True),
        (TEXT, NUMBER, False),
        (NUMBER, INTEGER, True),
        (INTEGER, NUMBER, False),
        (TEXT, {}, True),
        ({}, TEXT, True),
        ({"type": ""}, TEXT, True),
        ({"type": 7}, TEXT, True),
        ({"type": ["string", "null"]}, {"type": ["null", "string", "object"]}, True),
        ({"type": ["string", "null"]}, TEXT, False),
        (TEXT, {"type": ["string", "null"]}, True),
        ({"type": ["number", 3]}, {"type": ["integer"]}, True),
        (obj("a", a=TEXT), obj("", a=TEXT, b=NUMBER), True),
        (obj("a", a=TEXT), obj("", b=TEXT), False),
        (obj("a", a=TEXT), obj("a", a=NUMBER), False),
        (obj("", a=TEXT), obj("", a=NUMBER), True),
        (obj("a"), obj("", a=NUMBER), True),
        (obj("a", a=TEXT), obj("", a=True), True),
        (obj("a", a=True), obj("", a=TEXT), True),
        (obj("a", a=TEXT), {"type": "object"}, False),
        (obj("a", a=TEXT), {"properties": ["a"]}, False),
        ({"required": "a"}, {}, True),
        ({"required": [1, None]}, {}, True),
        (obj("a", a=obj("b", b=TEXT)), obj("", a=obj("", b=TEXT)), True),
        (obj("a", a=obj("b", b=TEXT)), obj("", a=obj("", b=NUMBER)), False),
        ({"items": TEXT}, {"items": TEXT}, True),
        ({"items": TEXT}, {"items": NUMBER}, False),
        ({"items": TEXT}, {"type": "array"}, False),
        ({"items": TEXT}, {"items": [TEXT]}, False),
        ({"items": [TEXT]}, {}, True),
        ({"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}, True),
        ({"enum": ["x"]}, {"enum": ["y"]}, True),
    ],
)
def test_subset(expected: Schema, produced: Schema, *, compatible: bool) -> None:
    """Required fields, types and items are compared at every level, nothing else is."""
    assert is_subset(expected, produced) is compatible


@pytest.mark.parametrize("mode", [None, "", "subset", "strict", "STRICT", "other"])
@pytest.mark.parametrize("expected_hash", [None, "h1", "h2"])
@pytest.mark.parametrize("published_hash", [None, "", "h1"])
def test_modes(mode: str | None, expected_hash: str | None, published_hash: str | None) -> None:
    """Hashes decide first, then the mode; a tool without a hash counts as without schema."""
    dependency = Dependency(
        match_mode=mode, expected_schema_hash=expected_hash, expected_schema=obj("a")
    )
    misfit = Tool(output_schema_hash=published_hash, output_schema_canonical=obj())
    if not mode or (published_hash and published_hash == expected_hash):
        expected = True
    else:
        expected = mode != "strict" and not published_hash
    assert schema_accepted(dependency, misfit) is expected


@pytest.mark.parametrize("mode", ["subset", "strict", "other"])
def test_hash_and_schema_are_published_together(mode: str) -> None:
    """One without the other counts as no schema, even if the hash is the expected one."""
    wants = Dependency(match_mode=mode, expected_schema_hash="h", expected_schema=obj("a"))
    for tool in (Tool(output_schema_hash="h"), Tool(output_schema_canonical=obj())):
        assert schema_accepted(wants, tool) is (mode != "strict")


@pytest.mark.parametrize("mode", ["subset", "strict", "other"])
def test_expected_schema_unknown(mode: str) -> None:
    """Without a schema to compare with, subset finds no difference; strict wants the hash."""
    wants = Dependency(match_mode=mode, expected_schema_hash="h")
    tool = Tool(output_schema_hash="o", output_schema_canonical=obj())
    assert schema_accepted(wants, tool) is (mode != "strict")


def nested(depth: int, innermost: Schema) -> Schema:
    schema = innermost
    for _ in range(depth):
        schema = obj("a", a=schema)
    return schema


def test_deep_schemas() -> None:
    """Fifty thousand levels are compared to the last one, without recursion."""
    assert is_subset(nested(50_000, TEXT), nested(50_000, TEXT))
    assert not is_subset(nested(50_000, TEXT), nested(50_000, NUMBER))


def test_repeated_required_fields_take_linear_time() -> None:
    """Naming a field twice at each of 200 levels must not double the work at each."""
    schema: Schema = TEXT
    for _ in range(200):
        schema = obj("a a", a=schema)
    started = time.perf_counter()
    assert is_subset(schema, schema)
    assert time.perf_counter() - started < 1


def test_cyclic_schema() -> None:
    """A schema that contains itself, which no JSON does, still ends."""
    schema = obj("a")
    schema["properties"]["a"] = schema
    schema["items"] = schema
    assert is_subset(schema, schema)


leaves = st.sampled_from([TEXT, NUMBER, INTEGER, {}, {"type": ["string", "null"]}])


def _grow(children: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    objects = st.dictionaries(st.sampled_from("ab"), children).flatmap(
        lambda props: st.lists(st.sampled_from("ab"), max_size=2).map(
            lambda names: {"type": "object", "properties": props, "required": names}
        )
    )
    return objects | children.map(lambda items: {"type": "array", "items": items})


schemas = st.recursive(leaves, _grow, max_leaves=6)


@given(expected=schemas, produced=schemas)
def test_agrees_with_recursion(expected: Schema, produced: Schema) -> None:
    """The loop decides as the plain recursive definition does, on dicts and on views of them."""

    def types(schema: Schema) -> list[str]:
        declared = schema.get("type", [])
        return [declared] if isinstance(declared, str) else declared

    def fits(want: Schema, give: Schema) -> bool:
        given_types = {*types(give), *(["number"] if "integer" in types(give) else [])}
        if types(give) and not given_types >= set(types(want)):
            return False
        fields, offered = want.get("properties", {}), give.get("properties", {})
        for name in want.get("required", ()):
            if name not in offered or not fits(fields.get(name, {}), offered[name]):
                return False
        return "items" not in want or ("items" in give and fits(want["items"], give["items"]))

    assert is_subset(expected, produced) is fits(expected, produced)
    pool = MetadataPool()
    views = [pool.get(pool.intern(schema)) for schema in (expected, produced)]
    assert is_subset(*views) is fits(expected, produced)
