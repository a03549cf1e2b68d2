from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ccf_operator.stage.report import LIMIT, Outcome, Report, termination_message

NODES = [f"{number:064x}" for number in range(9)]


def survey(configurations: int, problems: list[str]) -> dict[str, Any]:
    return {
        "lastSigned": "2.183",
        "lastEntry": "2.190",
        "committedEnd": 167,
        "sound": False,
        "problems": problems,
        "configurations": [NODES] * configurations,
        "configurationSeqnos": list(range(configurations)),
        "recoveryCount": 0,
        "serviceKey": "a" * 64,
        "opened": True,
    }


def test_a_small_report_is_sent_whole() -> None:
    report = Report(Outcome.STAGED, 1, survey(1, ["torn"]), copied=("ledger_168",))
    message = json.loads(termination_message(report))
    assert message == report.to_json()
    assert (message["version"], message["outcome"], message["generation"]) == (1, "Staged", 1)


def test_problems_and_old_configurations_give_way_to_what_decisions_need() -> None:
    message = json.loads(termination_message(Report(Outcome.STAGED, 1, survey(6, ["x" * 500] * 10))))
    assert message["truncated"] is True
    assert message["survey"]["lastSigned"] == "2.183"
    assert len(message["survey"]["problems"]) == 1
    assert message["survey"]["configurationSeqnos"] == [2, 3, 4, 5]
    assert len(message["survey"]["configurations"]) == 4


@given(
    configurations=st.integers(0, 40),
    problems=st.lists(st.text(max_size=2000), max_size=40),
    error=st.text(max_size=5000),
    copied=st.lists(st.text(max_size=50), max_size=200),
)
def test_it_always_fits_and_always_parses(
    configurations: int, problems: list[str], error: str, copied: list[str]
) -> None:
    report = Report(Outcome.FAILED, 12, survey(configurations, problems), error, tuple(copied))
    text = termination_message(report)
    assert len(text.encode()) <= LIMIT
    assert json.loads(text)["outcome"] == "Failed"


def test_many_claims_fit_whoever_made_them() -> None:
    claims = tuple({"generation": n, "node": "\U0001f600" * 64, "command": "x", "recoveryCount": 1} for n in range(8))
    text = termination_message(Report(Outcome.OUTDATED, 1, error="\U0001f600" * 900, claims=claims))
    assert len(text.encode()) <= LIMIT
    assert json.loads(text)["claims"][0]["generation"] == 0


def test_each_outcome_has_its_exit_code() -> None:
    codes = {outcome.value: int(Report(outcome).exit_code) for outcome in Outcome}
    assert codes == {
        "Staged": 0,
        "Failed": 1,
        "BadPlan": 2,
        "Claimed": 3,
        "Missing": 4,
        "Empty": 5,
        "Outdated": 6,
        "Written": 7,
    }
