"""A machine loses a label that its pods ask for, and its kubelet is restarted: it rejects pods whose processes run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.harness.network import Network, Setting
from e2e.harness.waiting import eventually

NewNetwork = Callable[..., Network]

LABEL = "ccf.dev/e2e-pool"


@pytest.fixture
def pool(setting: Setting) -> Iterator[str]:
    """All machines bear a label of the scenario's own; its value."""
    value = setting.kubectl.namespace[-20:].strip("-")
    setting.kubectl.run("label", "node", "--all", f"{LABEL}={value}", "--overwrite")
    yield value
    setting.kubectl.run("label", "node", "--all", f"{LABEL}-")


def test_machines_that_reject_the_pods_they_run(network: NewNetwork, pool: str) -> None:
    bank = network(spec={"pods": {"nodeSelector": {LABEL: pool}}}).busy()
    lost = bank.trusted()[:2]
    machines = [bank.machine_of(node) for node in lost]
    for machine in machines:
        bank.kubectl.run("label", "node", machine, f"{LABEL}-")
    bank.writer.wait_for_more()
    for node in lost:
        bank.setting.faults.freeze(bank.kubectl, node)
    for machine in machines:
        bank.setting.faults.restart_kubelet(machine)
    eventually("both are rejected", lambda: {_reason(bank, node) for node in lost} == {"NodeAffinity"}, within=60)
    status = _follow_to_the_proof(bank)
    ended = [record["ended"] for record in status["nodes"] if record["name"] in lost and record.get("ended")]
    assert {end["evidence"] for end in ended} == {"ContainerTerminated"}
    assert "NeverStarted" not in bank.words()
    eventually(
        "it is told what the machines say", lambda: LABEL in bank.words() or "affinity" in bank.words(), within=90
    )
    bank.kubectl.run("label", "node", "--all", f"{LABEL}={pool}", "--overwrite")
    bank.approve_if_asked()
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def _follow_to_the_proof(bank: Network) -> dict[str, Any]:
    """The status once both ends are proven. A kubelet reports them by itself, or not before the pods are deleted: which
    of them, is a race within it (seen of 1.34). Then a person is told to delete them."""
    done: list[str] = []

    def act(status: dict[str, Any]) -> bool:
        told = re.search(r"ends and reports them: (kubectl .*? delete pod [^.;]*?) \. ", status.get("nextStep", ""))
        if told is not None and not done:
            done.append(told.group(1))
            bank.kubectl.shell(f"{told.group(1)} --wait=false")
        return bool(status["quorum"]["verdict"] == "Lost")

    return bank.wait_for("both ends are proven", act)


def _reason(bank: Network, node: str) -> str:
    if not bank.kubectl.exists("pod", node):
        return "NodeAffinity"  # rejected, ended and let go since
    return str(bank.kubectl.get("pod", node)["status"].get("reason", ""))
