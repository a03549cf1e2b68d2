"""The winner is chosen, and then it dies: the recovering network goes on where it can, else a new attempt does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2e.harness.consortium import patiently
from e2e.harness.network import Network
from e2e.harness.waiting import eventually

NewNetwork = Callable[..., Network]


def test_the_winner_killed_before_the_vote_is_not_a_new_loss(network: NewNetwork) -> None:
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    winner = bank.wait_for_phase("AwaitingMembers")["attempt"]["winner"]
    bank.kill(winner["node"])
    status = bank.let_members_recover()
    assert [(past["number"], past["result"]) for past in status["history"]] == [(1, "Succeeded")]
    bank.check_nothing_is_missing()


def test_the_winner_killed_right_after_the_last_share(network: NewNetwork) -> None:
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    bank.accept_recovery()
    bank.kill(bank.status()["attempt"]["winner"]["node"])
    status = bank.let_members_recover()
    assert status["history"][0]["result"] == "Succeeded"
    bank.check_nothing_is_missing()


def test_the_winner_killed_before_the_opening_is_committed(network: NewNetwork) -> None:
    """CCF cannot leave what follows (CCF facts §8.8): it is said, and a new attempt starts from the same service."""
    bank = network().busy()
    bank.kubectl.apply(bank.manifest(ledgerSignatures={"delay": "8000ms"}))  # of the nodes that are still to come
    bank.kill(*bank.trusted()[:2])
    bank.accept_recovery()
    attempt = bank.status()["attempt"]
    winner = attempt["winner"]["node"]
    door = bank.door(winner, attempt["winner"]["serviceCertificate"])
    eventually(
        "the winner has read its private ledger",
        lambda: door.ask(lambda client: client.get("/node/state"))["state"] == "PartOfNetwork",
        within=30,
        every=0.02,
    )
    bank.kill(winner)
    bank.kubectl.apply(bank.manifest())
    status = bank.let_members_recover(within=180)
    results = [past["result"] for past in status["history"]]
    assert results == ["Succeeded", "Superseded"], "the opening was committed before the winner was killed"
    assert "§8.8" in status["history"][1]["message"]
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_a_whole_recovering_network_killed_is_recovered_from_the_last_open_service(network: NewNetwork) -> None:
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    first = bank.wait_for_phase("AwaitingMembers")["attempt"]
    bank.kill(*(pod["metadata"]["name"] for pod in bank.pods() if _of_attempt(bank, pod, 1)))
    second = bank.wait_for("another attempt begins", lambda s: (s.get("attempt") or {}).get("number", 0) > 1)["attempt"]
    lineages = {c["volume"]: c["lineage"] for c in first["candidates"]}
    status = bank.let_members_recover(within=180)
    assert status["history"][0]["result"] == "Succeeded"
    assert {past["result"] for past in status["history"][1:]} == {"Superseded"}
    if second.get("unsettled") is None:
        assert {c["volume"]: c["lineage"] for c in second["candidates"]} == lineages, "a failed attempt feeds nothing"
    bank.check_nothing_is_missing()


def test_a_joiner_that_dies_is_replaced(network: NewNetwork) -> None:
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    status = bank.wait_for_phase("AwaitingMembers")
    joiner = next(r["name"] for r in status["nodes"] if r["command"] == "Join" and r.get("attempt") == 1)
    bank.kill(joiner)
    replaced = bank.wait_for("another joins in its place", lambda s: len(_joined(s)) >= 2 and joiner not in _joined(s))
    assert replaced["attempt"]["number"] == 1
    bank.let_members_recover()
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_members_that_take_their_time_find_all_as_it_was(network: NewNetwork) -> None:
    bank = network().busy()
    bank.kill(*bank.trusted()[:2])
    awaiting = bank.wait_for_phase("AwaitingMembers")
    assert "transition_service_to_open" in awaiting["nextStep"]
    door = bank.door(awaiting["attempt"]["winner"]["node"], awaiting["attempt"]["winner"]["serviceCertificate"])
    patiently("the members accept", lambda: bank.consortium.accept_recovery(door))
    shares = bank.wait_for("shares are asked for", lambda s: s["reason"] == "RecoveryShares")
    assert "shares" in shares["nextStep"]
    before = bank.uids()
    patiently("the members submit shares", lambda: bank.consortium.submit_shares(door))
    bank.wait_for_recovered()
    assert bank.uids() == before
    bank.check_nothing_is_missing()


def _of_attempt(bank: Network, pod: dict[str, Any], number: int) -> bool:
    record = next((r for r in bank.records() if r["name"] == pod["metadata"]["name"]), {})
    return record.get("attempt") == number and not record.get("ended") and not record.get("stop")


def _joined(status: dict[str, Any]) -> set[str]:
    """Joiners of the recovering network that are part of it and have not ended."""
    return {
        r["name"]
        for r in status["nodes"]
        if r["command"] == "Join" and r.get("attempt") and r.get("joinedAt") and not r.get("ended")
    }
