"""People at their keyboards: nobody touches anything but `kubectl` and `kubectl ccf`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from e2e.harness.network import Network

NewNetwork = Callable[..., Network]


@dataclass(frozen=True)
class Keyboard:
    """A terminal with the kubeconfig of the cluster, and a directory with the members' keys."""

    bank: Network
    keys: Path

    def ccf(self, *words: str) -> str:
        """kubectl ccf; what it said, having succeeded."""
        kubectl = self.bank.kubectl
        done = subprocess.run(
            [sys.executable, "-m", "ccf_operator.cli", *words, "--namespace", kubectl.namespace],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**kubectl.environment(), "KUBECTL": kubectl.program},
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def member(self, name: str, command: str, *words: str) -> str:
        """A command of a member whose key is in a file."""
        keys = ("--cert", self.file(name, "cert"), "--key", self.file(name, "privk"))
        return self.ccf(command, self.bank.name, *words, *keys, "--yes")

    def elsewhere(self, name: str, command: str, *words: str) -> None:
        """The same by a member whose key only openssl reads, as if it were in an HSM."""
        file = self.keys / f"{name}-{command}"
        for old in self.keys.glob(f"{name}-{command}*"):
            old.unlink()
        cert = self.file(name, "cert")
        self.ccf("prepare", command, self.bank.name, *words, "--cert", cert, "--out", str(file))
        while file.exists():
            signature = f"{file}.sig"
            signer = ["openssl", "dgst", "-sha384", "-sign", self.file(name, "privk"), "-out", signature, f"{file}.tbs"]
            subprocess.run(signer, check=True)
            self.ccf("finish", self.bank.name, str(file), "--signature", signature)
            file = file.with_name(f"{file.name}-2")

    def file(self, name: str, kind: str) -> str:
        return str(self.keys / f"{name}_{kind}.pem")


def sit_down(bank: Network, keys: Path) -> Keyboard:
    """The members' keys in files, as they have them."""
    for member in bank.consortium.members:
        (keys / f"{member.name}_cert.pem").write_text(member.certificate_pem)
        (keys / f"{member.name}_privk.pem").write_text(member.key_pem)
        (keys / f"{member.name}_enc_privk.pem").write_text(member.encryption_key_pem or "")
    return Keyboard(bank, keys)


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

    shown = at.member("alice", "open", "--known-service", str(known))
    assert status["attempt"]["winner"]["txID"] in shown
    at.elsewhere("bob", "open", "--known-service", str(known))
    at.elsewhere("bob", "submit-share", "--enc-key", at.file("bob", "enc_privk"))
    at.member("carol", "submit-share", "--enc-key", at.file("carol", "enc_privk"), "--reach", "forward")
    bank.wait_for_recovered()
    assert "both disks are gone" in at.ccf("recovery", "history", "bank", "1")
    assert at.ccf("cert", "bank", "--previous").strip() == known.read_text().strip()
    assert "Succeeded" in at.ccf("status", "bank", "--reach", "forward")
    at.ccf("report", "bank", "--out", str(tmp_path / "report.tar.gz"))
    _photograph(at, "recovered")


def _photograph(at: Keyboard, name: str) -> None:
    """Keep what a person saw, where somebody wants to look at it afterwards."""
    if directory := os.environ.get("KEYBOARD_PICTURES"):
        Path(directory, f"{name}.txt").write_text(at.ccf("status", "bank"))
