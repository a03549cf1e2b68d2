from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api import crd
from ccf_operator.api.served import lacking, not_kept


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
WORDS = {"type": "string", "enum": ["A", "B"]}
LIST = {"type": "array", "items": schema(a=TEXT)}
MAP = {"type": "object", "additionalProperties": TEXT}
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@pytest.mark.parametrize(
    ("wanted", "served", "found"),
    [
        (schema(a=TEXT), schema(a=TEXT), []),
        (schema(a=TEXT), schema(a=TEXT, more=TEXT), []),
        (schema(a=TEXT, b=TEXT), schema(a=TEXT), [".status.b"]),
        (schema(a=schema(b=schema(c=TEXT))), schema(), [".status.a"]),
        (schema(a=schema(b=schema(c=TEXT))), schema(a=schema(b=schema())), [".status.a.b.c"]),
        (schema(a=LIST), schema(a={"type": "array", "items": schema()}), [".status.a[].a"]),
        (schema(a=MAP), schema(a={"type": "object"}), [".status.a[]"]),
        (schema(a=TEXT), ANYTHING, []),
        (schema(a=MAP), schema(a=ANYTHING), []),
        (schema(a=TEXT), schema(a={"type": "integer"}), [".status.a (it is of type integer, not string)"]),
        (schema(a=WORDS), schema(a={**WORDS, "enum": ["A"]}), [".status.a (it may not be B)"]),
        (schema(a=WORDS), schema(a={**WORDS, "enum": ["A", "B", "C"]}), []),
        (schema(a=WORDS), schema(a=TEXT), []),
    ],
)
def test_what_would_not_be_kept_is_named_once(wanted: Any, served: Any, found: list[str]) -> None:
    assert lacking(wanted, served, ".status") == found


@pytest.mark.parametrize("definition", [crd.definition, crd.decision_definition])
def test_a_definition_lacks_nothing_of_itself(definition: Any) -> None:
    whole = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert lacking(whole, whole, "") == []


@pytest.mark.parametrize(
    ("wrote", "kept", "found"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": {"c": 2}}, {"a": 1}, [".status.b"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, [".status.a.c"]),
        ({"a": [{"b": 1, "c": 2}, {"b": 1, "c": 2}]}, {"a": [{"b": 1}, {"b": 1}]}, [".status.a[].c"]),
        ({"a": [1, 2]}, {"a": [1]}, [".status.a"]),
        ({"a": 1}, {"a": 1, "b": 2}, [".status.b"]),
        ({"a": "1"}, {"a": "2"}, [".status.a"]),
    ],
)
def test_what_came_back_otherwise_is_named(wrote: Any, kept: Any, found: list[str]) -> None:
    assert not_kept(wrote, kept, ".status") == found
