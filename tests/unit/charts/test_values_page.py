from __future__ import annotations

import re

from charts import values_page
from pages import ROOT

ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| `(.*)` \| (.*) \|$", re.MULTILINE)


def test_the_page_is_what_the_chart_says() -> None:
    assert (ROOT / "docs/reference/chart-values.md").read_text() == values_page.page(), "run: make docs"


def test_every_value_is_explained() -> None:
    rows = ROW.findall(values_page.page())
    assert [name for name, _, _, said in rows if not said] == []
    assert len(rows) == len([line for line in values_page.page().splitlines() if line.startswith("| `")])


def test_what_a_row_holds() -> None:
    rows = {name: rest for name, *rest in ROW.findall(values_page.page())}
    assert rows["image.pullPolicy"][:2] == ["`Always` \\| `IfNotPresent` \\| `Never`", '"IfNotPresent"']
    assert rows["watchNamespaces"][:2] == ["list of string", "[]"]
    assert "besides reading Nodes" in rows["watchNamespaces"][2]
    assert '"memory": "512Mi"' in rows["resources"][1]
