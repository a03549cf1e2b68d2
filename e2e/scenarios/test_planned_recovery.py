"""Recoveries that a person starts. Nobody touches anything but `kubectl ccf`, while a client writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.harness.keyboard import Keyboard, sit_down
from e2e.harness.network import Network
from e2e.harness.operator import Operator
from e2e.harness.waiting import throughout

NewNetwork = Callable[..., Network]


def test_a_drill_ends_a_service_that_is_well_and_loses_nothing(network: NewNetwork, tmp_path: Path) -> None:
    bank = network().busy()
    at = sit_down(bank, tmp_path)
    nodes, seen = set(bank.trusted()), bank.status()
    refused = at.run("recovery", "abort", "bank", "--yes")
    assert "no recovery is in progress" in refused.stderr
    told = at.ccf("recovery", "start", "bank", "--reason", "drill of March", "--yes")
    assert all(node in told for node in nodes)
    asked = bank.wait_for_phase("AwaitingMembers")
    assert asked["attempt"]["start"]["reason"] == "drill of March"
    assert asked["attempt"]["possibleLoss"] == []
    assert {c["result"] for c in asked["attempt"]["candidates"]} == {"Recovered"}
    assert not nodes & set(bank.trusted())
    let_members_accept(at)
    status = bank.wait_for_recovered()
    bank.check_nothing_is_missing()
    assert status["history"][0]["result"] == "Succeeded"
    assert "drill of March" in at.ccf("recovery", "history", "bank", "1")
    again = bank.decide("Start", seen["recoveryToken"])
    assert again["status"]["state"] == "Refused", "a token is good for one recovery"
    assert bank.status()["phase"] == "Running"


@pytest.mark.extended
def test_the_operator_killed_in_the_middle_of_a_drill_goes_on(
    network: NewNetwork, operator: Operator, tmp_path: Path
) -> None:
    bank = network().busy()
    at = sit_down(bank, tmp_path)
    made = json.loads(at.ccf("recovery", "start", "bank", "--yes", "-o", "json"))
    operator.kill()
    assert made["state"] == "Applied"
    bank.wait_for("the attempt begins", lambda s: s.get("attempt"))
    operator.kill()
    attempt = bank.wait_for_winner()
    operator.kill()
    bank.wait_for_phase("AwaitingMembers")
    let_members_accept(at)
    status = bank.wait_for_recovered()
    assert [past["number"] for past in status["history"]] == [attempt["number"]]
    assert status["history"][0]["start"]["decision"] == made["decision"]
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_a_majority_that_hangs_is_ended_by_a_persons_word(network: NewNetwork, tmp_path: Path) -> None:
    bank = network(spec={"recovery": {"quorumLossWindow": "5s"}}).busy()
    at = sit_down(bank, tmp_path)
    for node in bank.trusted()[:2]:
        bank.setting.faults.freeze(bank.kubectl, node)
    bank.wait_for("it is suspected", lambda s: s["reason"] == "QuorumSuspected")
    throughout("silence proves nothing", lambda: not bank.status().get("attempt"), during=10)
    plan: dict[str, Any] = json.loads(at.ccf("recovery", "plan", "bank", "-o", "json"))
    assert any("kubectl ccf recovery start bank" in choice["command"] for choice in plan["choices"])
    at.ccf("recovery", "start", "bank", "--yes")
    asked = bank.wait_for_phase("AwaitingMembers")
    assert asked["attempt"]["possibleLoss"] == []
    let_members_accept(at)
    bank.wait_for_recovered()
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_where_recovery_is_disabled_a_person_starts_one(network: NewNetwork, tmp_path: Path) -> None:
    bank = network(spec={"recovery": {"mode": "Disabled"}}).busy()
    at = sit_down(bank, tmp_path)
    bank.kill(*bank.trusted()[:2])
    bank.wait_for("it waits", lambda s: s["reason"] == "RecoveryDisabled")
    throughout("nothing begins by itself", lambda: not bank.status().get("attempt"), during=5)
    at.ccf("recovery", "start", "bank", "--yes")
    bank.wait_for_phase("AwaitingMembers")
    let_members_accept(at)
    bank.wait_for_recovered()
    bank.check_nothing_is_missing()


def let_members_accept(at: Keyboard) -> None:
    """Two members accept the recovered service, and submit their shares."""
    for name in ("alice", "bob"):
        at.member(name, "open")
    for name in ("alice", "bob"):
        at.member(name, "submit-share", "--enc-key", at.file(name, "enc_privk"))
