"""What cannot be excluded is shown to a person, who approves it or does not; what is lost then is what was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2e.harness.client import Written
from e2e.harness.network import Network
from e2e.harness.operator import Operator
from e2e.harness.tx_ids import TxID, tx_id
from e2e.harness.waiting import throughout

NewNetwork = Callable[..., Network]


def test_one_volume_left_waits_for_approval_and_then_recovers(network: NewNetwork, operator: Operator) -> None:
    bank = network().busy()
    left = _lose_all_volumes_but(bank, operator, bank.volume_of(bank.primary()))
    blocked = bank.wait_for_phase("Blocked")
    assert blocked["reason"] == "ApprovalRequired"
    assert _results(blocked["attempt"])[left] == "Recovered"
    throughout("nothing is decided without a person", lambda: _waits(bank), during=8)
    before = bank.committed()
    bank.approve_as_told()
    status = bank.let_members_recover()
    assert status["history"][0]["winnerVolume"] == left
    assert status["history"][0]["approval"]["possibleLoss"]
    _exactly_the_told_is_lost(bank, before, status["history"][0]["txID"])


def test_one_volume_left_behind_the_high_water_mark_loses_what_was_told(
    network: NewNetwork, operator: Operator
) -> None:
    bank = network().busy()
    lagging = next(name for name in bank.trusted() if name != bank.primary())
    volume = bank.volume_of(lagging)
    bank.kill(lagging)
    bank.writer.wait_for_more(10)
    bank.wait_for("the mark has passed the volume", lambda s: _mark(s) >= tx_id(bank.writer.committed[-5].tx_id))
    mark = bank.status()["highWaterMark"]["txID"]
    _lose_all_volumes_but(bank, operator, volume)
    blocked = bank.wait_for_phase("Blocked")
    assert blocked["reason"] == "ApprovalRequired"
    assert any("was seen committed" in told for told in blocked["attempt"]["possibleLoss"])
    before, seen = bank.committed(), bank.approve_as_told()
    status = bank.let_members_recover()
    recovered = status["history"][0]["txID"]
    assert tx_id(recovered) < tx_id(mark)
    assert any(recovered in told for told in seen["possibleLoss"])
    lost = _exactly_the_told_is_lost(bank, before, recovered)
    assert lost, "the scenario is meant to lose something"


@pytest.mark.extended
def test_an_approval_of_something_else_is_refused(network: NewNetwork, operator: Operator) -> None:
    bank = network().busy()
    _lose_all_volumes_but(bank, operator, bank.volume_of(bank.primary()))
    bank.wait_for_phase("Blocked")
    answer = bank.decide("Approve", "1-not-the-token")
    assert answer["status"]["state"] == "Refused"
    throughout("it goes on waiting", lambda: _waits(bank), during=5)
    bank.stop()


def test_an_aborted_recovery_is_taken_back_and_resumed(network: NewNetwork, operator: Operator) -> None:
    bank = network().busy()
    _lose_all_volumes_but(bank, operator, bank.volume_of(bank.primary()))
    token = bank.wait_for_phase("Blocked")["attempt"]["token"]
    assert bank.decide("Abort", token)["status"]["state"] == "Applied"
    paused = bank.wait_for("it is paused", lambda s: s["reason"] == "RecoveryPaused" and not s.get("attempt"))
    assert paused["history"][0]["result"] == "Abandoned"
    throughout("no other attempt begins", lambda: not bank.status().get("attempt"), during=5)
    assert bank.decide("Resume", paused["paused"]["token"])["status"]["state"] == "Applied"
    again = bank.wait_for(
        "a second attempt asks again", lambda s: (s.get("attempt") or {}).get("reason") == "ApprovalRequired"
    )
    assert again["attempt"]["number"] == 2
    before = bank.committed()
    bank.approve_as_told()
    status = bank.let_members_recover()
    _exactly_the_told_is_lost(bank, before, status["history"][0]["txID"])


@pytest.mark.extended
def test_in_manual_mode_every_recovery_is_approved(network: NewNetwork) -> None:
    bank = network(spec={"recovery": {"mode": "Manual"}}).busy()
    bank.kill(*bank.trusted()[:2])
    blocked = bank.wait_for_phase("Blocked")
    assert blocked["attempt"]["possibleLoss"] == []
    throughout("nothing is decided without a person", lambda: _waits(bank), during=5)
    bank.approve_as_told()
    bank.let_members_recover()
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_an_excluded_volume_and_a_pinned_one(network: NewNetwork) -> None:
    bank = network(spec={"recovery": {"mode": "Manual"}}).busy()
    bank.kill(*bank.trusted())
    attempt = bank.wait_for_phase("Blocked")["attempt"]
    out, pinned, _ = sorted(c["volume"] for c in attempt["candidates"])
    assert bank.decide("Exclude", attempt["token"], out)["status"]["state"] == "Applied"
    token = bank.status()["attempt"]["token"]
    assert bank.decide("Pin", token, pinned)["status"]["state"] == "Applied"
    bank.wait_for_phase("Blocked")
    before = bank.committed()
    bank.approve_as_told()
    status = bank.let_members_recover()
    past = status["history"][0]
    assert past["winnerVolume"] == pinned
    assert past["candidates"][out].startswith("Excluded")
    _exactly_the_told_is_lost(bank, before, past["txID"])


def _lose_all_volumes_but(bank: Network, operator: Operator, left: str) -> str:
    with operator.away():
        bank.kill(*bank.trusted())
        for volume in bank.volumes() - {left}:
            bank.setting.faults.wipe(bank.kubectl, volume)
    return left


def _exactly_the_told_is_lost(bank: Network, before: list[Written], recovered: str) -> list[Written]:
    """Of all that was committed before, and since, only what is beyond the recovered TxID is lost; what that is."""
    told = [entry for entry in before if tx_id(entry.tx_id) > tx_id(recovered)]
    bank.writer.wait_for_more()
    bank.stop()
    assert bank.missing() == told
    return told


def _waits(bank: Network) -> bool:
    status = bank.status()
    return status["phase"] == "Blocked" and not status["attempt"].get("winner")


def _results(attempt: dict[str, Any]) -> dict[str, str]:
    return {candidate["volume"]: candidate["result"] for candidate in attempt["candidates"]}


def _mark(status: dict[str, Any]) -> TxID:
    return tx_id(status["highWaterMark"]["txID"])
