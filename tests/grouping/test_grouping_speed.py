"""What no change may lose: the distance to the same in Python. `benches/rows` has the figures."""

import time
from collections.abc import Callable

import pytest

from meshaccel.grouping import Child, JsonPolicy, RowGrouper, Shape
from meshaccel.reference import grouping as reference

DOCUMENT = '{"type":"object","properties":{"a":{"type":"string"},"b":[1,2,{"c":null}]}}'
ROWS = [(n // 10, *"bcdef", n, *"ghij", DOCUMENT) for n in range(500)]
AT_LEAST = 5.0
"""Measured: 26 and more."""


def shape(policy: JsonPolicy) -> Shape:
    """Ten children for each record, with a document each."""
    columns = ("id", *"ghij", "document")
    child = Child(key=("id",), columns=columns, json={"document": policy})
    return Shape("records", key=("id",), columns=("id", *"bcdef"), children={"children": child})


def cpu_seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


@pytest.mark.parametrize("policy", ["text", "shared", "eager"])
@pytest.mark.parametrize("method", ["group", "group_json"])
def test_grouping_is_several_times_as_fast_as_the_reference(
    policy: JsonPolicy, method: str
) -> None:
    """By the least CPU time of five calls in turn."""
    native = getattr(RowGrouper(shape(policy)), method)
    twin = getattr(reference.RowGrouper(shape(policy)), method)
    pairs = [(cpu_seconds(lambda: native(ROWS)), cpu_seconds(lambda: twin(ROWS))) for _ in range(5)]
    ours, theirs = map(min, zip(*pairs, strict=True))
    assert theirs >= AT_LEAST * ours
