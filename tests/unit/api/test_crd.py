from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from ccf_operator.api import crd, decision_rules, rules

REPOSITORY = Path(__file__).resolve().parents[3]


def _schema(definition: Callable[[], dict[str, Any]] = crd.definition) -> dict[str, Any]:
    schema: dict[str, Any] = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from _fields(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from _fields(schema[key], f"{path}[]")


BOTH = pytest.mark.parametrize("definition", [crd.definition, crd.decision_definition])


@pytest.mark.parametrize("directory", ["crds", "charts/ccf-operator/files"])
def test_files_are_those_the_models_make(directory: str) -> None:
    found = {path.name: path.read_text() for path in (REPOSITORY / directory).glob("*.yaml")}
    assert found == crd.files(), "run: make crd"


@BOTH
def test_who_tidies_up_a_namespace_does_not_end_a_network(definition: Callable[[], dict[str, Any]]) -> None:
    assert "all" not in definition()["spec"]["names"].get("categories", [])


@BOTH
def test_every_field_is_described(definition: Callable[[], dict[str, Any]]) -> None:
    silent = [
        path
        for path, field in _fields(_schema(definition))
        if not path.endswith("[]") and path != ".metadata" and not field.get("description")
    ]
    assert silent == []


def test_every_rule_has_its_place() -> None:
    assert set(rules.RULES) <= {path for path, _ in _fields(_schema())}
    places = {path for path, _ in _fields(_schema(crd.decision_definition))}
    assert set(decision_rules.DECISION_RULES) <= places


@BOTH
def test_every_text_and_list_that_a_rule_reads_is_bounded(definition: Callable[[], dict[str, Any]]) -> None:
    unbounded = [
        path
        for path, field in _fields(_schema(definition)["properties"]["spec"])
        if "x-kubernetes-validations" in field
        and (
            (field["type"] == "string" and "maxLength" not in field)
            or (field["type"] == "array" and "maxItems" not in field)
        )
    ]
    assert unbounded == []


def test_status_is_filled_in_by_the_operator_only() -> None:
    status = _schema()["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert [path for path, field in _fields({**status, "default": None}) if field.get("default") is not None] == []


def test_null_is_left_out_references_are_inlined_and_free_form_is_kept() -> None:
    class Inner(BaseModel):
        """An inner part."""

        size: int = 1

    class Outer(BaseModel):
        """The whole."""

        inner: Inner | None = Field(default=None, description="Described here.")
        free: dict[str, Any] = Field(default_factory=dict)
        amounts: dict[str, int | str] = Field(default_factory=dict)
        names: list[str] = Field(default_factory=lambda: ["a"])

    assert crd.structural(Outer)["properties"] == {
        "inner": {
            "description": "Described here.",
            "type": "object",
            "properties": {"size": {"type": "integer", "format": "int64", "default": 1}},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "amounts": {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}},
        "names": {
            "type": "array",
            "default": ["a"],
            "items": {"type": "string"},
            "x-kubernetes-list-type": "atomic",
        },
    }


def test_a_choice_that_no_structural_schema_has_is_refused() -> None:
    class Choice(BaseModel):
        """A choice."""

        either: list[str] | dict[str, str]

    with pytest.raises(TypeError, match="no choice"):
        crd.structural(Choice)
