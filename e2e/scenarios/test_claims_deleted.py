"""Claims deleted while their volumes are in use: no step of the operator lets a ledger go, and it says how to stop it.

A claim that is going stays as long as a pod holds it, and cannot be taken back; what can be kept is its volume.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from e2e.harness.network import Network
from e2e.harness.waiting import eventually, throughout

NewNetwork = Callable[..., Network]


def test_claims_deleted_in_use_and_then_a_majority_lost(network: NewNetwork) -> None:
    bank = network().busy()
    volumes = {str(claim["spec"]["volumeName"]) for claim in bank.claims()}
    for volume in volumes:
        _set_reclaim_policy(bank, volume, "Delete")
    bank.kubectl.run("delete", "pvc", "--selector", f"ccf.dev/network={bank.name}", "--wait=false")
    told = bank.wait_for("it is seen at once", lambda s: _of(s, "Recoverable")["reason"] == "ClaimsTerminating", 30)
    assert _of(told, "Recoverable")["status"] == "False"
    assert _of(told, "Ready")["status"] == "True"
    assert "Retain" in told["nextStep"]
    assert volumes <= set(re.findall(r"[\w.-]+", told["nextStep"])), told["nextStep"]
    eventually(
        "an event tells of it", lambda: any(e["reason"] == "ClaimsTerminating" for e in bank.events()), within=30
    )
    bank.writer.wait_for_more()

    claims = {claim["metadata"]["uid"] for claim in bank.claims()}
    bank.kill(*bank.trusted()[:2])
    bank.wait_for("the loss is proven", lambda s: s["quorum"]["verdict"] == "Lost")
    throughout("no ledger goes", lambda: claims == {c["metadata"]["uid"] for c in bank.claims()}, during=20)
    assert not bank.status().get("attempt"), "nothing could start on these claims"
    assert "Retain" in bank.status()["nextStep"]
    _follow_to_the_members(bank)
    assert {str(claim["spec"]["volumeName"]) for claim in bank.claims()} >= volumes
    bank.let_members_recover()
    bank.check_nothing_is_missing()


def _follow_to_the_members(bank: Network) -> None:
    """Run each command about a volume that the next step shows, until the members are asked."""
    done: set[str] = set()

    def act(status: dict[str, str]) -> bool:
        for command in re.findall(r"kubectl patch pv [^']*'[^']*'", status.get("nextStep", "")):
            if command not in done:
                bank.kubectl.shell(command)
                done.add(command)
        return status.get("phase") == "AwaitingMembers"

    bank.wait_for("members are asked", act, within=180)


def _set_reclaim_policy(bank: Network, volume: str, policy: str) -> None:
    patch = f'{{"spec":{{"persistentVolumeReclaimPolicy":"{policy}"}}}}'
    bank.kubectl.run("patch", "pv", volume, "-p", patch)


def _of(status: dict[str, list[dict[str, str]]], kind: str) -> dict[str, str]:
    return next(c for c in status["conditions"] if c["type"] == kind)
