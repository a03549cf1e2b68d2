from __future__ import annotations

import re
from typing import Any

import pytest

from ccf_operator.api import reference
from ccf_operator.api.crd import Schema, definition
from pages import ROOT


@pytest.mark.parametrize("name", reference.pages())
def test_the_page_is_what_the_models_say(name: str) -> None:
    assert (ROOT / "docs/reference" / name).read_text() == reference.pages()[name], "run: make docs"


def page(properties: Schema, **spec: Any) -> str:
    made = definition()
    [version] = made["spec"]["versions"]
    schema = {"type": "object", "description": "Asked for.", "properties": properties, **spec}
    version["schema"]["openAPIV3Schema"]["properties"] = {"spec": schema, "status": {**schema, "properties": {}}}
    return reference.page(made)


def test_a_field_with_its_limits_and_its_default() -> None:
    shown = page(
        {
            "nodes": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3, "description": "How many | so."},
            "mode": {"type": "string", "enum": ["On", "Off"], "minLength": 1},
        },
        required=["mode"],
        **{"x-kubernetes-validations": [{"rule": "…", "message": "write <name>"}]},
    )
    assert "| `nodes` | integer | `3` | How many \\| so. *(at least 1; at most 9)* |" in shown
    assert "| `mode` | `On` \\| `Off` | **required** |  |" in shown
    assert "\n- write &lt;name>\n\n| field |" in shown


def test_objects_in_lists_and_maps_have_tables_of_their_own() -> None:
    inner = {"type": "object", "properties": {"key": {"type": "string"}}}
    shown = page(
        {
            "members": {"type": "array", "items": inner, "maxItems": 4},
            "named": {"type": "object", "additionalProperties": {"type": "array", "items": inner}},
            "plain": {"type": "object", "additionalProperties": {"type": "string"}},
            "size": {"x-kubernetes-int-or-string": True},
        }
    )
    assert "| `members` | list of [object](#specmembers) |  |  *(at most 4 items)* |" in shown
    assert "| `named` | map to list of [object](#specnamed) |" in shown
    assert "| `plain` | map to string |" in shown
    assert "| `size` | integer or string |" in shown
    assert re.findall("^### (.*)$", shown, re.MULTILINE) == ["spec.members[]", "spec.named[][]"]
