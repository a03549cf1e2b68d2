"""People at their keyboards: nobody touches anything but `kubectl` and `kubectl ccf`."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.harness.kubectl import Object
from e2e.harness.network import Network
from e2e.harness.waiting import eventually

DOCS = Path(__file__).parents[2] / "docs"
MEMBER = "ccf-member"

NewNetwork = Callable[..., Network]


@dataclass(frozen=True)
class Keyboard:
    """A terminal: a kubeconfig, and a directory with the members' keys. Members have one that may do no more than the
    documentation says they need."""

    bank: Network
    keys: Path
    member_kubeconfig: Path

    def ccf(self, *words: str) -> str:
        """kubectl ccf; what it said, having succeeded."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same, however it ends."""
        kubectl = self.bank.kubectl
        return subprocess.run(
            [sys.executable, "-m", "ccf_operator.cli", *words, "--namespace", kubectl.namespace],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**kubectl.environment(), "KUBECTL": kubectl.program},
            check=False,
            timeout=120,
        )

    def member(self, name: str, command: str, *words: str) -> str:
        """A command of a member whose key is in a file."""
        return self.ccf(command, self.bank.name, *words, *self.signing(name))

    def signing(self, name: str) -> tuple[str, ...]:
        """The options of a member that signs with a file, and does not ask itself."""
        keys = ("--cert", self.file(name, "cert"), "--key", self.file(name, "privk"))
        return (*keys, "--yes", "--kubeconfig", str(self.member_kubeconfig))

    def elsewhere(self, name: str, command: str, *words: str) -> None:
        """The same by a member whose key only openssl reads, as if it were in an HSM."""
        file = self.keys / f"{name}-{command}"
        for old in self.keys.glob(f"{name}-{command}*"):
            old.unlink()
        cert = self.file(name, "cert")
        who = ("--kubeconfig", str(self.member_kubeconfig))
        self.ccf("prepare", command, self.bank.name, *words, "--cert", cert, "--out", str(file), *who)
        while file.exists():
            signature = f"{file}.sig"
            signer = ["openssl", "dgst", "-sha384", "-sign", self.file(name, "privk"), "-out", signature, f"{file}.tbs"]
            subprocess.run(signer, check=True)
            self.ccf("finish", self.bank.name, str(file), "--signature", signature, *who)
            file = file.with_name(f"{file.name}-2")

    def file(self, name: str, kind: str) -> str:
        return str(self.keys / f"{name}_{kind}.pem")


def sit_down(bank: Network, keys: Path) -> Keyboard:
    """The members' keys in files, as they have them."""
    for member in bank.consortium.members:
        (keys / f"{member.name}_cert.pem").write_text(member.certificate_pem)
        (keys / f"{member.name}_privk.pem").write_text(member.key_pem)
        (keys / f"{member.name}_enc_privk.pem").write_text(member.encryption_key_pem or "")
    return Keyboard(bank, keys, _kubeconfig_of_a_member(bank, keys / "kubeconfig"))


def _kubeconfig_of_a_member(bank: Network, file: Path) -> Path:
    """Of a user that has the Role which the documentation gives to members."""
    [role] = re.findall(r"```yaml\n(.*?kind: Role\n.*?)```", (DOCS / "how-to" / "members.md").read_text(), re.DOTALL)
    kubectl = bank.kubectl
    account = {"kind": "ServiceAccount", "name": MEMBER, "namespace": kubectl.namespace}
    kubectl.apply(
        yaml.safe_load(role),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": MEMBER}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": MEMBER},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": MEMBER},
            "subjects": [account],
        },
    )
    config = json.loads(kubectl.run("config", "view", "--raw", "--minify", "--output", "json"))
    [user] = config["users"]
    user["user"] = {"token": kubectl.run("create", "token", MEMBER).strip()}
    file.write_text(json.dumps(config))
    return file


@pytest.mark.extended
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
    for name in lost:
        bank.setting.faults.kill_process(bank.kubectl, name)
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
