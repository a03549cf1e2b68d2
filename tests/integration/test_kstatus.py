"""kstatus itself, as Flux uses it, on networks of every phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from go_programs import built, judge
from unit.domain.judged import CASES, Case, object_of


@pytest.fixture(scope="session")
def kstatus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("kstatus", tmp_path_factory.mktemp("kstatus"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_phase(kstatus: Path, case: Case) -> None:
    of = object_of(case)
    assert judge(kstatus, of) == case.kstatus, of["status"].get("reason")


def test_an_object_without_any_status_would_be_taken_for_finished(kstatus: Path) -> None:
    assert judge(kstatus, object_of(CASES[0]) | {"status": {}}) == "Current"
