"""What people do in the middle of a recovery: edit the spec, delete pods, delete the network."""

from __future__ import annotations

from collections.abc import Callable

from e2e.harness.network import Network
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]

IMPATIENT = {"recovery": {"quorumLossWindow": "3s"}}
SILENT = "trap 'exit 0' TERM; sleep 86400 & wait"
"""Answers nobody, and ends as soon as it is told to."""


def test_all_pods_deleted_at_once(network: NewNetwork) -> None:
    bank = network().busy()
    bank.kubectl.run("delete", "pods", "--all", "--wait=false")
    attempt = bank.wait_for_winner()
    assert [c["result"] for c in attempt["candidates"]] == ["Recovered"] * 3
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def test_the_spec_edited_in_the_middle_of_a_recovery(network: NewNetwork) -> None:
    bank = network(spec={"pods": {"hostSpread": "Preferred"}}).busy()
    bank.kill(*bank.trusted()[:2])
    bank.wait_for("the attempt has begun", lambda s: s.get("attempt"))
    bank.kubectl.apply(bank.manifest(nodes=4, logLevel="Debug"))
    bank.nodes = 4
    status = bank.let_members_recover()
    assert [past["number"] for past in status["history"]] == [1]
    assert status["observedGeneration"] == bank.object()["metadata"]["generation"]
    bank.check_nothing_is_missing()


def test_recovery_switched_off_and_on_in_the_middle(network: NewNetwork) -> None:
    """Candidates that never answer hold the recovery where it is."""
    bank = network().busy()
    bank.kubectl.apply(bank.manifest(command=["/bin/sh", "-c", SILENT]))
    bank.kill(*bank.trusted()[:2])
    bank.wait_for("candidates are read", lambda s: (s.get("attempt") or {}).get("phase") == "Recovering")
    bank.kubectl.apply(bank.manifest(recovery={"mode": "Disabled"}))
    blocked = bank.wait_for_phase("Blocked")
    assert blocked["reason"] == "RecoveryDisabled"
    assert "Automatic" in blocked["nextStep"]
    assert blocked["history"][0]["result"] == "Abandoned"
    bank.kubectl.apply(bank.manifest())
    status = bank.let_members_recover()
    assert [(past["number"], past["result"]) for past in status["history"]] == [(2, "Succeeded"), (1, "Abandoned")]
    bank.check_nothing_is_missing()


def test_the_network_deleted_in_the_middle_of_a_recovery_leaves_its_volumes(network: NewNetwork) -> None:
    bank = network().busy()
    volumes = bank.volumes()
    bank.kill(*bank.trusted()[:2])
    bank.wait_for("the attempt has begun", lambda s: s.get("attempt"))
    bank.stop()
    bank.kubectl.delete("ccfnetwork", [bank.name], "--timeout=90s")
    left = "pods,configmaps,services,poddisruptionbudgets"
    eventually("nothing is left", lambda: not bank.kubectl.names(left, f"ccf.dev/network={bank.name}"), within=60)
    assert bank.volumes() >= volumes


def test_pods_deleted_by_force_while_their_processes_run(network: NewNetwork) -> None:
    """But for its finalizer such a pod would be forgotten at once; its process goes on until its kubelet hears."""
    bank = network(spec=IMPATIENT).busy()
    before, victims = bank.uids(), bank.trusted()[:2]
    for victim in victims:
        bank.setting.faults.cut_api(bank.machine_of(victim))
    bank.kubectl.delete("pod", victims, "--grace-period=0", "--force", "--wait=false")
    bank.writer.wait_for_more()
    throughout(
        "what runs is not recovered", lambda: before <= bank.uids() and not bank.status().get("attempt"), during=10
    )
    bank.writer.wait_for_more()
    bank.setting.faults.restore_api()
    attempt = bank.wait_for_winner()
    ended = [r for r in bank.records() if r["name"] in victims]
    assert all(r["ended"]["evidence"] == "ContainerTerminated" for r in ended)
    assert len(attempt["candidates"]) == 3
    bank.let_members_recover()
    bank.check_nothing_is_missing()
