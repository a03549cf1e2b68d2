"""What the API server remembers is older than the volumes: a status put back, edited, or all of etcd of before.

Nothing committed is lost by it, no node that lives is ended for it, and no older fact is written over a newer one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from e2e.harness.network import Network
from e2e.harness.operator import Operator
from e2e.harness.waiting import throughout

NewNetwork = Callable[..., Network]


@pytest.mark.extended
def test_a_status_from_before_a_recovery_put_back_while_the_network_runs(network: NewNetwork) -> None:
    bank = network().busy()
    old, first = bank.status(), bank.identity()
    _recover(bank)
    identity, living = bank.identity(), bank.living()
    bank.put_back_status(old)
    answer = bank.decide("Start", old["recoveryToken"])
    assert answer["status"]["state"] == "Refused", answer["status"]
    throughout("nothing that lives is ended", lambda: living <= bank.living(), during=10)
    bank.wait_for_recovered()
    assert bank.identity() == identity != first
    assert living <= bank.living()
    bank.check_nothing_is_missing()


def test_a_status_from_before_a_recovery_put_back_when_nothing_runs(network: NewNetwork, operator: Operator) -> None:
    """The volumes know more than the status does: they are read again, and the newest service is offered."""
    bank = network().busy()
    old = bank.status()
    _recover(bank)
    identity = bank.identity()
    with operator.away():
        bank.kill(*bank.trusted())
        bank.put_back_status(old)
    blocked = bank.wait_for("it is told", lambda s: s.get("reason") == "StatusOutdated")
    assert blocked["phase"] == "Blocked"
    offered = bank.wait_for("what the volumes hold is offered", lambda s: (s.get("found") or {}).get("token"))
    assert offered["reason"] == "StatusOutdated"
    assert "Adopt" in offered["nextStep"], offered["nextStep"]
    refused = bank.decide("Start", old["recoveryToken"])
    assert refused["status"]["state"] == "Refused", refused["status"]
    assert bank.identity() == identity
    bank.adopt()
    bank.approve_if_asked()
    bank.let_members_recover(2)
    assert bank.identity()["previous_service_cert.pem"] == identity["service_cert.pem"]
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_etcd_restored_from_before_a_recovery(network: NewNetwork) -> None:
    """Nodes that it knows nothing of are ended by their kubelets; those that it knows have ended long ago."""
    bank = network().busy()
    bank.setting.faults.save_objects()
    bank.writer.wait_for_more()
    _recover(bank)
    identity = bank.identity()
    bank.setting.faults.restore_objects()
    recovered = _follow(bank, 2)
    assert recovered["service"]["recoveryCount"] == 2
    assert bank.identity()["previous_service_cert.pem"] == identity["service_cert.pem"]
    bank.check_nothing_is_missing()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"nodes": []}, id="nodes"),
        pytest.param({"nodes": [], "volumes": []}, id="nodes-and-volumes", marks=pytest.mark.extended),
        pytest.param({"service": None}, id="service", marks=pytest.mark.extended),
        pytest.param({"counters": None}, id="counters", marks=pytest.mark.extended),
    ],
)
def test_a_part_of_the_status_lost_ends_no_node(network: NewNetwork, fields: dict[str, Any]) -> None:
    bank = network().busy()
    living, service = bank.living(), bank.status()["service"]["publicKey"]
    bank.patch_status(**fields)
    throughout("nothing that lives is ended", lambda: living <= bank.living(), during=15)
    status = bank.wait_for("it runs as before", lambda s: s.get("phase") == "Running" and s.get("readyNodes") == "3/3")
    assert status["service"]["publicKey"] == service
    assert bank.uids() == living
    bank.kill(*bank.trusted()[:2])
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def _recover(bank: Network) -> None:
    """Lose a majority, recover, and commit more than there was."""
    bank.kill(*bank.trusted()[:2])
    bank.let_members_recover()
    bank.writer.wait_for_more(5)


def _follow(bank: Network, recoveries: int) -> dict[str, Any]:
    """Do what the status asks for until the network runs: adopt, approve, accept."""
    adopted: list[str] = []

    def act(status: dict[str, Any]) -> bool:
        token = (status.get("found") or {}).get("token")
        if token and token not in adopted:
            adopted.append(token)
            bank.decide("Adopt", token)
        elif status.get("reason") == "ApprovalRequired":
            bank.approve_as_told()
        return (status.get("attempt") or {}).get("winner") is not None and status.get("phase") == "AwaitingMembers"

    bank.wait_for("members are asked", act, within=240)
    return bank.let_members_recover(recoveries)
