"""Again and again, and several at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.harness.network import Network
from e2e.harness.operator import Operator

NewNetwork = Callable[..., Network]


@pytest.mark.extended
def test_five_recoveries_in_a_row(network: NewNetwork) -> None:
    bank = network().busy()
    for number in range(1, 6):
        bank.kill(*bank.trusted()[number % 2 :][:2])
        bank.let_members_recover(number)
        bank.writer.wait_for_more()
    status = bank.status()
    assert status["service"]["recoveryCount"] == 5
    assert [past["number"] for past in status["history"]] == [5, 4, 3, 2, 1]
    assert {past["result"] for past in status["history"]} == {"Succeeded"}
    assert len(bank.volumes()) <= 5, "volumes do not multiply"
    bank.check_nothing_is_missing()


def test_three_networks_at_once_one_of_them_blocked(network: NewNetwork, operator: Operator) -> None:
    banks = [network(name=name) for name in ("bank", "mill", "port")]
    for bank in banks:
        bank.create()
    for bank in banks:
        bank.busy()
    blocked, *others = banks
    volumes = sorted(blocked.volumes())
    with operator.away():
        for bank in banks:
            bank.kill(*bank.trusted())
        for volume in volumes[:2]:
            blocked.setting.faults.wipe(blocked.kubectl, volume)
    for bank in others:
        bank.let_members_recover()
        bank.check_nothing_is_missing()
    status = blocked.wait_for_phase("Blocked")
    assert status["reason"] == "ApprovalRequired"
    assert status["attempt"]["possibleLoss"]
    assert not status["attempt"].get("winner")
    blocked.stop()
