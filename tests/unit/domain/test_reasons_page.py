from __future__ import annotations

from pathlib import Path

from ccf_operator.api.status import Phase
from ccf_operator.domain import reasons_page
from ccf_operator.domain.conditions import CONDITIONS, ConditionType
from ccf_operator.domain.reasons import Reason

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "conditions.md"


def test_the_page_is_as_the_tables_say() -> None:
    assert PAGE.read_text() == reasons_page.page(), "run: make docs"


def test_everything_is_on_it() -> None:
    page = reasons_page.page()
    assert all(f"## Phase {phase.value}\n" in page for phase in Phase)
    assert all(f"| `{reason.value}` |" in page for reason in Reason)
    assert [condition.type for condition in CONDITIONS] == list(ConditionType)


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    reasons_page.main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text() == reasons_page.page()
