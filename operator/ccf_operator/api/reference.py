"""Writes the reference page of a custom resource from its definition: every field, its type, default and meaning.

Run: python -m ccf_operator.api.reference docs/reference
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ccf_operator.api.crd import Schema, decision_definition, definition

_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}
_BUT_FOR = {"minLength": 1}
"""Limits that go without saying."""


def pages() -> dict[str, str]:
    """Each page, Markdown, by the name of its file."""
    return {f"{made['spec']['names']['singular']}.md": page(made) for made in (definition(), decision_definition())}


def page(made: Mapping[str, Any]) -> str:
    """The page of a CustomResourceDefinition with one version."""
    names, [version] = made["spec"]["names"], made["spec"]["versions"]
    root: Schema = version["schema"]["openAPIV3Schema"]
    api = f"{made['spec']['group']}/{version['name']}"
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    head = (
        f"# {names['kind']}\n\nGenerated from the models; `make docs` writes it anew. `kubectl explain "
        f"{names['singular']}.spec` says the same.\n\n{root['description']}\n\n`apiVersion: {api}`, "
        f"`kind: {names['kind']}`; to kubectl also {short}. Where the API server refuses what a type alone would "
        "allow, its words stand above the table or in parentheses.\n"
    )
    return "".join([head, *_rules(root), *_columns(version["additionalPrinterColumns"]), *_objects(root)])


def _rules(schema: Schema) -> Iterator[str]:
    """What the API server says of an object that breaks its rules."""
    if messages := _messages(schema):
        yield "".join(f"\n- {message}" for message in messages) + "\n"


def _columns(columns: list[Schema]) -> Iterator[str]:
    yield "\n## Columns\n\n`kubectl get` shows these, those marked *wide* only with `-o wide`.\n\n"
    yield "| column | what it is | from |\n|---|---|---|\n"
    for column in columns:
        wide = " *wide*" if column["priority"] else ""
        yield f"| {column['name']}{wide} | {column['description']} | `{column['jsonPath']}` |\n"


def _objects(root: Schema) -> Iterator[str]:
    for name in ("spec", "status"):
        yield f"\n## {name}\n\n{root['properties'][name]['description']}\n"
        yield from _object(root["properties"][name], name, heading="")


def _object(schema: Schema, path: str, *, heading: str) -> Iterator[str]:
    """The table of an object's fields, and then those of the objects in it."""
    yield heading
    yield from _rules(schema)
    yield "\n| field | type | default | what it is |\n|---|---|---|---|\n"
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        default = "**required**" if name in required else _default(field)
        yield f"| `{name}` | {_type(field, f'{path}.{name}')} | {default} | {_meaning(field)} |\n"
    for name, field in schema["properties"].items():
        inner, place = _innermost(field, f"{path}.{name}")
        if "properties" in inner:
            yield from _object(inner, place, heading=f"\n### {place}\n")


def _innermost(field: Schema, path: str) -> tuple[Schema, str]:
    """What a list or a map holds in the end, and where it stands; the field itself if it is neither."""
    for key in ("items", "additionalProperties"):
        if isinstance(field.get(key), dict):
            return _innermost(field[key], f"{path}[]")
    return field, path


def _type(field: Schema, path: str) -> str:
    for key, words in (("items", "list of"), ("additionalProperties", "map to")):
        if isinstance(field.get(key), dict):
            return f"{words} {_type(field[key], f'{path}[]')}"
    if "properties" in field:
        return f"[object](#{_anchor(path)})"
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    return "integer or string" if field.get("x-kubernetes-int-or-string") else str(field["type"])


def _anchor(place: str) -> str:
    """As GitHub makes it of a heading."""
    return "".join(char for char in place.lower() if char.isalnum())


def _default(field: Schema) -> str:
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`" if "default" in field else ""


def _meaning(field: Schema) -> str:
    """What it is, and the limits that a type does not tell."""
    inner, _ = _innermost(field, "")
    limits = {key: field[key] for key in _BOUNDS if key in field and field[key] != _BUT_FOR.get(key)}
    bounds = [_BOUNDS[key].format(limit) for key, limit in limits.items()]
    if "properties" not in inner:
        bounds += _messages(inner)
    said = _escaped(field.get("description", ""))
    return f"{said} *({'; '.join(bounds)})*" if bounds else said


def _messages(schema: Schema) -> list[str]:
    return [_escaped(rule["message"]) for rule in schema.get("x-kubernetes-validations", [])]


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def main(directory: Path) -> None:
    """Write the pages into the directory."""
    for name, text in pages().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
