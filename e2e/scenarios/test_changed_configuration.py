"""A configuration that was changed after the operator had last looked: the ledgers tell of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.harness.network import Network
from e2e.harness.operator import Operator
from e2e.harness.waiting import throughout

NewNetwork = Callable[..., Network]

IMPATIENT = {"recovery": {"quorumLossWindow": "3s"}}
LATE = 4.0
"""Seconds for which a node does not answer an operator that has just begun; real CCF was seen to take more."""


def test_a_configuration_that_shrank_unseen(network: NewNetwork, operator: Operator) -> None:
    bank = network().busy()
    primary = bank.primary()
    removed, kept = sorted(name for name in bank.trusted() if name != primary)
    removed_id, volume = bank.record(removed)["nodeId"], bank.volume_of(removed)
    door = bank.door(primary)
    with operator.away():
        bank.consortium.trust(door, [], remove=[removed_id])
        bank.writer.wait_for_more(5)
        bank.kill(removed)
        bank.writer.wait_for_more(5)
        bank.kill(primary, kept)
    attempt = bank.wait_for_winner()
    assert attempt["winner"]["volume"] != volume
    assert removed_id in attempt["configuration"], "the operator is meant not to have seen the removal"
    bank.let_members_recover()
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_the_removed_volume_alone_decides_nothing(network: NewNetwork, operator: Operator) -> None:
    bank = network().busy()
    primary = bank.primary()
    removed, kept = sorted(name for name in bank.trusted() if name != primary)
    removed_id, volume = bank.record(removed)["nodeId"], bank.volume_of(removed)
    door = bank.door(primary)
    with operator.away():
        bank.consortium.trust(door, [], remove=[removed_id])
        bank.kill(removed)
        bank.writer.wait_for_more(5)
        bank.kill(primary, kept)
        for lost in (primary, kept):
            bank.setting.faults.wipe(bank.kubectl, bank.volume_of(lost))
    blocked = bank.wait_for_phase("Blocked")
    assert blocked["reason"] == "ApprovalRequired"
    assert {c["volume"]: c["result"] for c in blocked["attempt"]["candidates"]}[volume] == "Recovered"
    assert not blocked["attempt"].get("winner")
    bank.stop()


@pytest.mark.extended
def test_a_network_that_shrank_unseen_is_not_lost_with_those_it_removed(
    network: NewNetwork, operator: Operator
) -> None:
    """Two of the three nodes that the operator knows of have ended; the third is the whole network, and says so."""
    bank = network(spec=IMPATIENT).busy()
    left = bank.primary()
    removed = [name for name in bank.trusted() if name != left]
    uid = bank.kubectl.get("pod", left)["metadata"]["uid"]
    with operator.away():
        bank.consortium.trust(bank.door(left), [], remove=_node_ids(bank, removed))
        bank.writer.wait_for_more(5)
        bank.kill(*removed)
        bank.writer.wait_for_more(5)
    bank.wait_for("both are known to be gone", lambda s: not {r["name"] for r in s["nodes"]} & set(removed))
    throughout("nothing is recovered", lambda: uid in bank.uids() and not bank.status().get("attempt"), during=10)
    bank.let_members_recover(0)
    assert not bank.status().get("history")
    bank.check_nothing_is_missing()


def test_a_survivor_that_answers_late_is_heard_before_anything_begins(network: NewNetwork, operator: Operator) -> None:
    """The node that is left is the whole network, and takes seconds to say so: it is busy when the operator asks."""
    bank = network(spec=IMPATIENT).busy()
    left = bank.primary()
    removed = [name for name in bank.trusted() if name != left]
    uid = bank.kubectl.get("pod", left)["metadata"]["uid"]
    with operator.away():
        bank.consortium.trust(bank.door(left), [], remove=_node_ids(bank, removed))
        bank.writer.wait_for_more(5)
        bank.kill(*removed)
        bank.writer.wait_for_more(5)
        bank.setting.faults.freeze(bank.kubectl, left)
    throughout("no attempt begins while it is asked", lambda: not bank.status().get("attempt"), during=LATE)
    bank.setting.faults.thaw(bank.kubectl, left)
    bank.wait_for("both are known to be gone", lambda s: not {r["name"] for r in s["nodes"]} & set(removed))
    throughout("nothing is recovered", lambda: uid in bank.uids() and not bank.status().get("attempt"), during=10)
    bank.let_members_recover(0)
    assert not bank.status().get("history")
    bank.check_nothing_is_missing()


def test_a_quorum_that_comes_back_takes_its_recovery_back(network: NewNetwork, operator: Operator) -> None:
    """Ended processes never come back, so a loss that was proven can only be none where a configuration was not known.

    The one node that is left stands still while the others' ledgers are recovered; what is silent is never ended.
    """
    bank = network(spec=IMPATIENT).busy()
    left = bank.primary()
    removed = [name for name in bank.trusted() if name != left]
    before, door = bank.uids(), bank.door(left)
    with operator.away():
        bank.consortium.trust(door, [], remove=_node_ids(bank, removed))
        bank.writer.wait_for_more(5)
        bank.kill(*removed)
        bank.writer.wait_for_more(5)
        bank.setting.faults.freeze(bank.kubectl, left)
    blocked = bank.wait_for_phase("Blocked")
    assert blocked["reason"] == "ApprovalRequired"
    results = {c["volume"]: c["result"] for c in blocked["attempt"]["candidates"]}
    assert results[bank.volume_of(left)] == "Unreachable"
    bank.setting.faults.thaw(bank.kubectl, left)
    taken_back = bank.wait_for("the recovery is taken back", lambda s: s.get("history") and not s.get("attempt"))
    assert taken_back["history"][0]["result"] == "Abandoned"
    assert "the quorum came back" in taken_back["history"][0]["message"]
    bank.client.write(door, 5)
    bank.let_members_recover(0)
    assert before & bank.uids(), "the node that was left goes on"
    bank.check_nothing_is_missing()


def _node_ids(bank: Network, nodes: list[str]) -> list[str]:
    return [bank.record(name)["nodeId"] for name in nodes]
