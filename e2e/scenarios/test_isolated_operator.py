"""The operator cannot reach the nodes, and everybody else can: nothing is ended, and nobody is told to end anything."""

from __future__ import annotations

from collections.abc import Callable

from e2e.harness.network import Network
from e2e.harness.operator import Operator
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]

IMPATIENT = {"recovery": {"quorumLossWindow": "3s"}}
NETWORK_WORDS = ("NetworkPolicy", "networkpolicy", "packets", "route", "cannot reach", "reaches none")
DESTRUCTIVE = ("out-of-service", "delete pod", "delete node", "recovery start", "Start")


def test_an_operator_whose_packets_are_dropped_ends_nothing(network: NewNetwork, operator: Operator) -> None:
    bank = network(spec=IMPATIENT).busy()
    living = bank.living()
    operator.cut_off_from(bank.kubectl, bank.trusted())
    eventually("it says that it cannot reach them", lambda: "does not answer" in bank.words(), within=90)
    eventually("causes in the network come first", lambda: _network_first(str(bank.status()["nextStep"])), within=60)
    bank.writer.wait_for_more()
    throughout("nothing is ended", lambda: _untouched(bank, living), during=20)
    bank.setting.faults.join_up()
    bank.wait_for("it runs", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3")
    assert "does not answer" not in bank.words()
    bank.check_nothing_is_missing()


def _network_first(next_step: str) -> bool:
    """Whether the next step speaks of the network, and of nothing that ends a node before that."""
    found = [next_step.find(word) for word in NETWORK_WORDS if word in next_step]
    ends = [next_step.find(word) for word in DESTRUCTIVE if word in next_step]
    return bool(found) and (not ends or min(found) < min(ends))


def _untouched(bank: Network, living: set[str]) -> bool:
    return living <= bank.living() and not bank.status().get("attempt")
