"""Machines lost and found: only a word about a machine, or its kubelet's report, proves that a node has ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e.harness.kubectl import Object
from e2e.harness.network import Network
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]

IMPATIENT = {"recovery": {"quorumLossWindow": "3s"}}
HURRIED = {"recovery": {"quorumLossWindow": "3s", "startDeadline": "10s"}}


def test_a_power_cut_of_all_machines_asks_a_person(network: NewNetwork) -> None:
    """CCF never syncs its ledger to the disk, so nobody can know what is missing (CCF facts §0.20)."""
    bank = network().busy()
    bank.setting.faults.power_off("all")
    bank.setting.faults.power_on("all")
    blocked = bank.wait_for_phase("Blocked")
    assert blocked["reason"] == "ApprovalRequired"
    assert all(c["result"] == "Recovered" for c in blocked["attempt"]["candidates"])
    bank.approve_as_told()
    bank.let_members_recover()
    bank.check_nothing_is_missing()


@pytest.mark.extended
def test_a_power_cut_of_all_machines_whose_disks_are_trusted(network: NewNetwork) -> None:
    bank = network(spec={"recovery": {"trustMachineDisks": True}}).busy()
    bank.setting.faults.power_off("all")
    bank.setting.faults.power_on("all")
    bank.wait_for_winner()
    bank.accept_recovery()
    bank.wait_for_recovered()
    bank.check_nothing_is_missing()


def test_one_machine_lost_stops_nobody(network: NewNetwork) -> None:
    bank = network(spec=IMPATIENT).busy()
    lost = next(name for name in bank.trusted() if name != bank.primary())
    machine = bank.machine_of(lost)
    bank.setting.faults.power_off(machine)
    status = bank.wait_for("the silence is told", lambda s: s["phase"] == "Degraded")
    assert lost in status["message"]
    bank.writer.wait_for_more()
    assert not bank.status().get("attempt")
    bank.setting.faults.power_on(machine)
    bank.wait_for("its end is proven by its own kubelet", lambda s: _ended(s, lost))
    bank.check_nothing_is_missing()


def test_two_machines_lost_are_suspected_until_somebody_says_so(network: NewNetwork) -> None:
    bank = network(spec=HURRIED).busy()
    one, two, survivor = bank.trusted()
    machines = [bank.machine_of(one), bank.machine_of(two)]
    before = bank.uids()
    for machine in machines:
        bank.setting.faults.power_off(machine)
    suspected = bank.wait_for("the loss is suspected", lambda s: s["quorum"]["verdict"] == "Suspected")
    assert "out-of-service" in suspected["nextStep"] or "Nothing is to be tainted or deleted" in suspected["nextStep"]
    bank.wait_for(
        "what to do about machines is told once Kubernetes has not heard of them either",
        lambda s: "out-of-service" in s["nextStep"],
        within=90,
    )
    throughout("silence proves nothing", lambda: not bank.status().get("attempt"), during=10)
    assert before <= bank.uids()
    bank.setting.faults.put_out_of_service(bank.kubectl, machines[0])
    bank.kubectl.run("delete", "node", machines[1], "--wait=false")
    blocked = bank.wait_for("a person is asked", lambda s: s["phase"] == "Blocked")
    attempt = blocked["attempt"]
    assert blocked["reason"] == "ApprovalRequired"
    results = {c["volume"]: c["result"] for c in attempt["candidates"]}
    assert results[bank.volume_of(survivor)] == "Recovered"
    assert sorted(results.values()) == ["Recovered", "Unreachable", "Unreachable"]
    assert attempt["possibleLoss"]
    for machine in machines:
        bank.setting.faults.power_on(machine)
    still = bank.wait_for("the other volumes recover as well", _all_recovered)
    assert still["reason"] == "ApprovalRequired", (
        "what a machine had not written to its disk when it went may be missing"
    )
    bank.approve_as_told()
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def test_machines_cut_off_from_the_api_server_longer_than_the_eviction_time_are_no_loss(network: NewNetwork) -> None:
    """The operator's own pod may be on one of them: then a second operator is started while the first goes on."""
    bank = network(spec=IMPATIENT).busy()
    before = bank.uids()
    cut = sorted({bank.machine_of(name) for name in bank.trusted()})[:2]
    bank.kubectl.apply(_pod_that_tolerates_nothing(bank, cut[0]))
    eventually("the control pod runs", lambda: _runs(bank, CONTROL), within=60)
    for machine in cut:
        bank.setting.faults.cut_api(machine)
    eventually("a pod that tolerates nothing is evicted", lambda: _is_deleted(bank, CONTROL), within=120)
    bank.writer.wait_for_more()
    throughout("no CCF pod is, and nothing is recovered", lambda: _untouched(bank, before), during=10)
    bank.setting.faults.restore_api()
    bank.wait_for("the network runs", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3")
    assert bank.status()["recoveries"] == 0
    assert bank.uids() == before
    bank.check_nothing_is_missing()


def test_a_survivor_that_cannot_be_fenced_is_done_without(network: NewNetwork) -> None:
    bank = network(spec=HURRIED).busy()
    one, two, survivor = bank.trusted()
    volume = bank.volume_of(survivor)
    bank.setting.faults.cut_api(bank.machine_of(survivor))
    bank.kill(one, two)
    attempt = bank.wait_for_winner(within=120)
    results = {c["volume"]: c["result"] for c in attempt["candidates"]}
    assert results.pop(volume) == "Unreachable"
    assert set(results.values()) == {"Recovered"}
    bank.setting.faults.restore_api()
    bank.accept_recovery()
    bank.wait_for_recovered()
    eventually("the old node is gone", lambda: not bank.kubectl.exists("pod", survivor), within=60)
    bank.check_nothing_is_missing()


CONTROL = "control"


def _pod_that_tolerates_nothing(bank: Network, machine: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CONTROL},
        "spec": {
            "nodeName": machine,
            "containers": [
                {
                    "name": "sleep",
                    "image": bank.setting.image,
                    "command": ["sleep", "3600"],
                    "imagePullPolicy": "IfNotPresent",
                }
            ],
        },
    }


def _runs(bank: Network, pod: str) -> bool:
    return bool(bank.kubectl.get("pod", pod)["status"]["phase"] == "Running")


def _is_deleted(bank: Network, pod: str) -> bool:
    return "deletionTimestamp" in bank.kubectl.get("pod", pod)["metadata"]


def _untouched(bank: Network, before: set[str]) -> bool:
    deleted = [pod["metadata"]["name"] for pod in bank.pods() if pod["metadata"].get("deletionTimestamp")]
    return bank.uids() == before and not deleted and not bank.status().get("attempt")


def _ended(status: dict[str, object], node: str) -> bool:
    records = status["nodes"]
    assert isinstance(records, list)
    return any(record["name"] == node and record.get("ended") for record in records)


def _all_recovered(status: dict[str, dict[str, list[dict[str, object]]]]) -> bool:
    return all(candidate.get("result") == "Recovered" for candidate in status["attempt"]["candidates"])
