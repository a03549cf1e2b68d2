"""A person at a terminal, who follows a page of the documentation."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import yaml

from e2e.harness.network import Network, Setting
from terminal import Terminal


def open_terminal(setting: Setting, directory: Path) -> Terminal:
    """A shell in a directory, with kubectl set to the setting's namespace, and with what the project installs: the
    plugin, and CCF's own tools."""
    kubectl = setting.kubectl
    kubeconfig = kubectl.kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
    shutil.copy(kubeconfig, directory / "kubeconfig")
    path = os.pathsep.join([str(Path(kubectl.program).parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    terminal = Terminal(directory, {**os.environ, "KUBECONFIG": str(directory / "kubeconfig"), "PATH": path})
    terminal.run(f"kubectl config set-context --current --namespace={kubectl.namespace}")
    return terminal


def lay_out(bank: Network, directory: Path) -> None:
    """The files of somebody who is also the network's only member: keys, and the manifests as they are in git."""
    [member] = bank.consortium.members
    (directory / "cert.pem").write_text(member.certificate_pem)
    (directory / "key.pem").write_text(member.key_pem)
    (directory / "enc.pem").write_text(member.encryption_key_pem or "")
    manifests = [*bank.consortium.config_maps(bank.name), bank.manifest()]
    (directory / "bank.yaml").write_text(yaml.safe_dump_all(manifests))
