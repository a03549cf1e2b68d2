"""Nodes that cannot reach each other, or that stand still, are not lost: what heals is never recovered."""

from __future__ import annotations

from collections.abc import Callable

from e2e.harness.consortium import Door
from e2e.harness.network import Network
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]

IMPATIENT = {"recovery": {"quorumLossWindow": "3s"}}
"""The sooner a suspicion is announced, the sooner a scenario sees that it stays one."""
LONG = 12.0
"""Seconds a fault is watched: several election timeouts, and several of the windows above."""


def test_an_isolated_primary_is_replaced_and_taken_back(network: NewNetwork) -> None:
    bank = network(spec=IMPATIENT).busy()
    before, isolated = bank.uids(), bank.primary()
    other = bank.door(next(name for name in bank.trusted() if name != isolated))
    _part(bank, [isolated])
    eventually(
        "the others have a primary", lambda: _primary(other) not in (None, bank.record(isolated)["nodeId"]), within=60
    )
    bank.writer.wait_for_more()
    throughout("nothing is destroyed or recovered", lambda: _untouched(bank, before), during=LONG)
    bank.setting.faults.join_up()
    _whole_again(bank, before)


def test_an_isolated_minority_is_waited_for(network: NewNetwork) -> None:
    bank = network(spec=IMPATIENT).busy()
    before, primary = bank.uids(), bank.primary()
    isolated = next(name for name in bank.trusted() if name != primary)
    alone = bank.door(isolated)
    _part(bank, [isolated])
    eventually("it follows nobody any more", lambda: _primary(alone) is None, within=60)
    throughout("nothing is destroyed or recovered", lambda: _untouched(bank, before), during=LONG)
    bank.writer.wait_for_more()
    bank.setting.faults.join_up()
    _whole_again(bank, before)


def test_a_majority_cut_into_pieces_is_suspected_and_never_recovered(network: NewNetwork) -> None:
    bank = network(spec=IMPATIENT).busy()
    before = bank.uids()
    one, two, _ = bank.trusted()
    _part(bank, [one])
    _part(bank, [two])
    suspected = bank.wait_for("the loss of quorum is suspected", lambda s: s["quorum"]["verdict"] == "Suspected")
    assert suspected["phase"] == "Degraded"
    assert len(suspected["quorum"]["evidence"]) == 3
    throughout("nothing is destroyed or recovered", lambda: _untouched(bank, before), during=LONG)
    bank.setting.faults.join_up()
    _whole_again(bank, before)


def test_a_majority_that_stands_still_is_suspected_and_never_recovered(network: NewNetwork) -> None:
    bank = network(spec=IMPATIENT).busy()
    before, frozen = bank.uids(), bank.trusted()[:2]
    for node in frozen:
        bank.setting.faults.freeze(bank.kubectl, node)
    bank.wait_for("the loss of quorum is suspected", lambda s: s["quorum"]["verdict"] == "Suspected")
    throughout("nothing is destroyed or recovered", lambda: _untouched(bank, before), during=LONG)
    for node in frozen:
        bank.setting.faults.thaw(bank.kubectl, node)
    _whole_again(bank, before)


def _part(bank: Network, ones: list[str]) -> None:
    others = [name for name in bank.trusted() if name not in ones]
    bank.setting.faults.partition(bank.kubectl, ones, others)


def _primary(door: Door) -> str | None:
    found: str | None = door.ask(lambda client: client.get("/node/network"))["primary_id"]
    return found


def _untouched(bank: Network, before: set[str]) -> bool:
    status = bank.status()
    deleted = [pod["metadata"]["name"] for pod in bank.pods() if pod["metadata"].get("deletionTimestamp")]
    return bank.uids() >= before and not deleted and not status.get("attempt") and not status.get("history")


def _whole_again(bank: Network, before: set[str]) -> None:
    bank.wait_for("the network runs", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3", within=60)
    assert bank.status()["recoveries"] == 0
    eventually("the same nodes run as before", lambda: bank.uids() == before, within=30)
    bank.check_nothing_is_missing()
