from __future__ import annotations

from pathlib import Path

import pytest

from ccf_operator.domain import transition_diagram
from ccf_operator.domain.transitions import TRANSITIONS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "recovery.md"


def test_the_page_shows_the_table_as_it_is() -> None:
    text = PAGE.read_text()
    assert transition_diagram.refresh(text) == text, "run: make docs"


def test_every_step_has_its_arrow_and_its_row() -> None:
    diagram, table = transition_diagram.to_mermaid().splitlines(), transition_diagram.to_table().splitlines()
    for step in TRANSITIONS:
        source = step.source.value if step.source else "[*]"
        assert f"    {source} --> {step.target.value}: {step.when}" in diagram
        assert any(
            row.startswith(f"| {step.source.value if step.source else '–'} | {step.target.value} |") for row in table
        )


def test_no_text_breaks_the_diagram_or_the_table() -> None:
    # A colon ends what an arrow points to, a semicolon a statement; a bar ends a cell.
    for step in TRANSITIONS:
        assert not set("|\n;:") & set(step.when + step.person)


def test_only_what_is_between_the_marks_is_made_anew() -> None:
    page = f"before\n{transition_diagram.BEGIN}\nstale lines\n{transition_diagram.END}\nafter\n"
    fresh = transition_diagram.refresh(page)
    assert fresh.startswith("before\n")
    assert fresh.endswith("\nafter\n")
    assert "stale lines" not in fresh


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="two lines"):
        transition_diagram.refresh("nothing here")


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{transition_diagram.BEGIN}\n{transition_diagram.END}\n")
    transition_diagram.main([str(page)])
    assert "stateDiagram-v2" in page.read_text()
