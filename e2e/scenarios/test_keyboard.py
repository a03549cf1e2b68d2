"""People at their keyboards: nobody touches anything but `kubectl` and `kubectl ccf`."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.harness.keyboard import Keyboard, sit_down
from e2e.harness.kubectl import Object
from e2e.harness.network import Network
from e2e.harness.waiting import eventually

NewNetwork = Callable[..., Network]


def test_from_nothing_to_open_through_a_loss_that_needs_approval_to_open_again(
    network: NewNetwork, tmp_path: Path
) -> None:
    bank = network()
    at = sit_down(bank, tmp_path)
    bank.create()
    bank.wait_for_phase("AwaitingOpen")
    assert "kubectl ccf open bank" in at.ccf("status", "bank")
    for name in ("alice", "carol"):
        at.member(name, "ack")
    at.elsewhere("bob", "ack")
    at.member("alice", "open", "--reach", "forward")
    at.elsewhere("bob", "open")
    bank.wait_for("every node serves", lambda s: s["phase"] == "Running" and s["readyNodes"] == "3/3")
    known = tmp_path / "service_cert.pem"
    known.write_text(at.ccf("cert", "bank"))
    _photograph(at, "running")

    lost = bank.serving()[:2]
    for record in bank.records():
        if record["name"] in lost:
            shutil.rmtree(bank.setting.faults.volume_path(bank.kubectl, record["volume"]) / "gen-0" / "ledger")
    bank.kill(*lost)
    bank.wait_for_phase("Blocked")
    plan = json.loads(at.ccf("recovery", "plan", "bank", "-o", "json"))
    assert plan["possibleLoss"]
    _photograph(at, "blocked")
    assert "applied" in at.ccf("recovery", "approve", "bank", "--reason", "both disks are gone", "--yes")
    status = bank.wait_for_phase("AwaitingMembers")
    _photograph(at, "awaiting-members")

    _offer_a_fork(bank, status["attempt"]["winner"])
    eventually(
        "the fork offers its service",
        lambda: "its service is another one" in at.run("members", "bank", "--node", "bank-fork").stderr,
        within=60,
    )
    for command in (("open",), ("submit-share", "--enc-key", at.file("alice", "enc_privk"))):
        unmasked = at.run(command[0], "bank", "--node", "bank-fork", *command[1:], *at.signing("alice"))
        assert unmasked.returncode == 3, unmasked.stdout + unmasked.stderr
        assert "bank-fork is not a node that the operator made" in unmasked.stderr
        assert "its service is another one" in unmasked.stderr
    _photograph(at, "forked")

    shown = at.member("alice", "open", "--known-service", str(known))
    assert "a fork is offered besides: pod bank-fork" in " ".join(shown.split())
    assert status["attempt"]["winner"]["txID"] in shown
    at.elsewhere("bob", "open", "--known-service", str(known))
    at.elsewhere("bob", "submit-share", "--enc-key", at.file("bob", "enc_privk"))
    told = bank.wait_for("all are told of bob's share", lambda s: "at" in _shares(s))
    assert _shares(told)["reportedBy"] == ["bob"]
    at.member("carol", "submit-share", "--enc-key", at.file("carol", "enc_privk"), "--reach", "forward")
    bank.wait_for_recovered()
    assert "both disks are gone" in at.ccf("recovery", "history", "bank", "1")
    assert at.ccf("cert", "bank", "--previous").strip() == known.read_text().strip()
    assert "Succeeded" in at.ccf("status", "bank", "--reach", "forward")
    at.ccf("report", "bank", "--out", str(tmp_path / "report.tar.gz"))
    _photograph(at, "recovered")


def _shares(status: dict[str, Any]) -> dict[str, Any]:
    return (status.get("governance") or {}).get("shares") or {}


def _offer_a_fork(bank: Network, winner: dict[str, Any]) -> None:
    """A second `Recover` pod, made by a person from the winner's pod and a copy of the ledger it recovered."""
    kubectl = bank.kubectl
    ledger = bank.setting.faults.volume_path(kubectl, winner["volume"]) / "gen-0" / "ledger"
    files = {file.name: base64.b64encode(file.read_bytes()).decode() for file in ledger.iterdir() if file.is_file()}
    pod, settings = kubectl.get("pod", winner["node"]), kubectl.get("configmap", winner["node"])
    fork = _forged(pod, winner["node"])
    spec = fork["spec"]
    for name in ("nodeName", "affinity", "serviceAccount"):
        spec.pop(name, None)
    current = next(m["subPath"] for m in spec["containers"][0]["volumeMounts"] if "subPath" in m)
    [stage] = spec["initContainers"]
    copied = (
        f"mkdir -p /volume/gen-0/ledger /volume/{current}/ledger /volume/{current}/snapshots && "
        f"cp -L /copy/* /volume/gen-0/ledger/ && cp -L /copy/* /volume/{current}/ledger/ && "
        f"rm -f /volume/{current}/ledger/*.committed"
    )
    stage |= {"image": spec["containers"][0]["image"], "command": ["/bin/sh", "-c", copied], "args": []}
    stage["volumeMounts"] += [{"name": "copy", "mountPath": "/copy"}]
    for volume in spec["volumes"]:
        if volume.pop("persistentVolumeClaim", None) is not None:
            volume["emptyDir"] = {}
    spec["volumes"] += [{"name": "copy", "configMap": {"name": "bank-copy"}}]
    copy = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bank-copy"}, "binaryData": files}
    kubectl.apply(copy, _forged(settings, winner["node"]), fork)


def _forged(raw: Object, node: str) -> Object:
    """The object under the fork's name, without what ties it to the operator."""
    made: Object = json.loads(json.dumps(raw).replace(node, "bank-fork"))
    kept = {name: made["metadata"][name] for name in ("name", "labels") if name in made["metadata"]}
    made["metadata"] = kept
    made.pop("status", None)
    return made


def _photograph(at: Keyboard, name: str) -> None:
    """Keep what a person saw, where somebody wants to look at it afterwards."""
    if directory := os.environ.get("KEYBOARD_PICTURES"):
        Path(directory, f"{name}.txt").write_text(at.ccf("status", "bank"))
