"""A configuration that was changed after the operator had last looked: the ledgers tell of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.harness.network import Network
from e2e.harness.operator import Operator

NewNetwork = Callable[..., Network]


@pytest.mark.extended
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
