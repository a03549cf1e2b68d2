"""Writes the reference page of the chart's values: from the comments in values.yaml, its defaults, and the schema.

Run: python charts/values_page.py docs/reference/chart-values.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "ccf-operator"

_INTRODUCTION = """\
# Values of the chart

Generated from the chart; `make docs` writes it anew. `helm show values charts/ccf-operator` shows the same as a file to
start from, and the chart's schema refuses everything else.

| value | type | default | what it is |
|---|---|---|---|
"""


def page() -> str:
    """The page, Markdown."""
    source = (CHART / "values.yaml").read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.compose(source)
    assert isinstance(values, yaml.MappingNode)
    return _INTRODUCTION + "".join(_rows(values, schema, source.splitlines(), "", ""))


def _rows(values: yaml.MappingNode, schema: dict[str, Any], lines: list[str], path: str, about: str) -> Iterator[str]:
    """A row for each value that the schema does not know the inside of. `about` is what is said of all of them."""
    for key, value in values.value:
        place = f"{path}{key.value}"
        known = schema["properties"][key.value]
        said = _comment_above(lines, key.start_mark.line)
        if "properties" in known:
            yield from _rows(value, known, lines, f"{place}.", said or about)
            continue
        default = json.dumps(yaml.safe_load(yaml.serialize(value)))
        text = (said or about).replace("|", "\\|").replace("<", "&lt;")
        yield f"| `{place}` | {_type(known)} | `{default}` | {text} |\n"


def _comment_above(lines: list[str], line: int) -> str:
    found: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, lines[line].lstrip()[1:].strip())
    return " ".join(found)


def _type(known: dict[str, Any]) -> str:
    if "enum" in known:
        return " \\| ".join(f"`{value}`" for value in known["enum"])
    if known["type"] == "array":
        return f"list of {_type(known['items'])}"
    return str(known["type"])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
