"""Whoever waits for a network is right about it in every phase."""

from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Phase
from ccf_operator.domain.reasons import MEANINGS, Health, health_of
from unit.domain.judged import CASES, Case, object_of
from unit.domain.kstatus import compute

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def conditions(of: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in of["status"].get("conditions", [])}


@EVERY
def test_kstatus_and_so_flux(case: Case) -> None:
    of = object_of(case)
    assert compute(of) == case.kstatus, of["status"].get("reason")


@EVERY
def test_kubectl_wait_for_ready(case: Case) -> None:
    found = conditions(object_of(case))
    assert ("Ready" in found and found["Ready"]["status"] == "True") == case.ready


@EVERY
def test_its_phase_and_reason_are_documented(case: Case) -> None:
    status = object_of(case)["status"]
    if "phase" in status:
        assert [m for m in MEANINGS if m.reason.value == status["reason"] and Phase(status["phase"]) in m.phases]


@EVERY
def test_what_failed_says_what_a_person_can_do_and_nothing_else_does_both(case: Case) -> None:
    of = object_of(case)
    found = conditions(of)
    both = [kind for kind in ("Reconciling", "Stalled") if kind in found and found[kind]["status"] == "True"]
    assert len(both) <= 1
    if both == ["Stalled"]:
        assert of["status"]["nextStep"]
        assert of["status"]["nextStep"] in found["Stalled"]["message"]


def test_every_phase_is_among_the_cases() -> None:
    assert {object_of(case)["status"].get("phase") for case in CASES} >= {phase.value for phase in Phase}


def test_an_object_without_any_status_would_be_taken_for_finished() -> None:
    # Why the CRD gives every new object an observedGeneration that cannot be true.
    assert compute({"metadata": {"generation": 1}}) == "Current"


def test_a_reason_of_another_version_is_judged_by_its_phase() -> None:
    assert health_of(Phase.BLOCKED, "SomethingNew") is Health.PERSON
    assert health_of(Phase.AWAITING_OPEN, "SomethingNew") is Health.MEMBERS
    assert health_of(Phase.RECOVERING, "SomethingNew") is Health.WORKS
