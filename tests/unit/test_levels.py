from __future__ import annotations

from pathlib import Path

import pytest

import levels

REPORT = """<testsuites><testsuite name="pytest" tests="3" failures="{failures}" errors="0" skipped="1">
<testcase name="quick" time="0.1"/><testcase name="slow" time="9.5"/><testcase name="middling" time="2"/>
</testsuite></testsuites>"""


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "RESULTS", tmp_path)


def report(directory: Path, failures: int = 0) -> list[Path]:
    path = directory / "level.xml"
    path.write_text(REPORT.format(failures=failures))
    return [path]


def test_a_level_counts_what_its_reports_do_and_names_the_slowest_first(tmp_path: Path) -> None:
    read = levels.read("level", report(tmp_path), 0, 12.0)
    assert (read.passed, read.failed, read.skipped, read.broken) == (2, 0, 1, False)
    assert [name for name, _ in read.slowest] == ["slow", "middling", "quick"]


def test_a_level_whose_exit_status_and_reports_disagree_is_broken(tmp_path: Path) -> None:
    assert levels.read("level", report(tmp_path), 1, 1.0).broken
    assert levels.read("level", report(tmp_path, failures=1), 0, 1.0).broken
    assert not levels.read("level", report(tmp_path, failures=1), 1, 1.0).broken


def test_a_level_without_its_report_is_broken() -> None:
    assert levels.read("level", [], 0, 1.0).broken
