"""A terminal in front of a cluster: nobody touches anything but `kubectl` and `kubectl ccf`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from e2e.harness.network import Network

DOCS = Path(__file__).parents[2] / "docs"
MEMBER = "ccf-member"


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
