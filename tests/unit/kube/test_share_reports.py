from __future__ import annotations

import copy
from typing import Any

import pytest

from ccf_operator.domain.observation import ShareReport
from ccf_operator.kube.share_reports import event, share_report
from unit.domain.given import NEW, UID, at

NETWORK = {"name": "bank", "namespace": "prod", "uid": UID}
REPORT = ShareReport(NEW, "a" * 64, 1, 2, at(5))


def stored() -> dict[str, Any]:
    """As the API server gives it back, which keeps the time itself."""
    made = event(NETWORK, REPORT, "alice")
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:07Z"
    return made


def test_what_is_written_is_read_with_the_api_servers_time() -> None:
    assert share_report(stored(), UID) == ShareReport(NEW, "a" * 64, 1, 2, at(7))


def test_people_read_who_and_how_many() -> None:
    made = event(NETWORK, REPORT, "alice")
    assert made["note"] == "1 of 2 recovery shares are in: member alice has submitted one"
    assert made["reason"] == "RecoveryShareSubmitted"


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "Something"},
        {"regarding": {"uid": "another network of this name"}},
        {"metadata": {"annotations": {"ccf.dev/service": NEW}, "creationTimestamp": "2026-01-01T00:00:07Z"}},
        {"metadata": {"annotations": None, "creationTimestamp": "2026-01-01T00:00:07Z"}},
    ],
)
def test_other_events_are_no_reports(change: dict[str, Any]) -> None:
    assert share_report({**stored(), **change}, UID) is None


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *(("shares-submitted", number) for number in ("", "one", "1.5", "-1", "255", "9" * 30)),
        ("shares-threshold", "255"),
        ("member", "alice"),
        ("member", "\x1b[2K"),
    ],
)
def test_a_report_of_what_cannot_be_is_none(name: str, written: str) -> None:
    raw = copy.deepcopy(stored())
    raw["metadata"]["annotations"][f"ccf.dev/{name}"] = written
    assert share_report(raw, UID) is None
