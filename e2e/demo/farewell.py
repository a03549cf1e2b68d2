"""What to type after the story: how to look around, go on, and remove it all."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.harness.client import Written
from e2e.harness.consortium import CLIENT_PORT
from e2e.harness.environment import OPERATOR_NAMESPACE, ROOT
from e2e.harness.faults import CLUSTER, OwnCluster
from e2e.harness.kubectl import Kubectl
from e2e.harness.network import Network


@dataclass(frozen=True)
class Hint:
    """What commands are for, and the commands."""

    purpose: str
    commands: Sequence[str]


def look_around(kubectl: Kubectl, name: str) -> list[Hint]:
    """How to see the network and what the operator says about it; kubectl is named as the shell will find it."""
    setup = [f"export KUBECONFIG={shlex.quote(kubectl.kubeconfig)}"] if kubectl.kubeconfig else []
    directory = os.path.dirname(kubectl.program)
    if directory and directory not in os.environ.get("PATH", "").split(os.pathsep):
        setup.append(f"export PATH={shlex.quote(directory)}:$PATH")
    space = kubectl.namespace
    return [
        *([Hint("Look around, in this directory:", setup)] if setup else []),
        Hint(
            "The network, its story and its status:" if setup else "Look around: the network, its story, its status:",
            [
                f"kubectl -n {space} get ccf,pods,pvc -o wide",
                f"kubectl -n {space} events --for ccfnetwork/{name}",
                f"kubectl -n {space} get ccf {name} -o yaml",
                f"kubectl -n {OPERATOR_NAMESPACE} logs deploy/ccf-operator",
            ],
        ),
    ]


def go_on(network: Network, entry: Written, certificate: Path, keys: Path) -> list[Hint]:
    """How to be the client, the members, and misfortune."""
    door = network.door()
    hints = []
    if isinstance(network.setting.faults, OwnCluster):
        address = network.kubectl.get("pod", door.pod)["status"]["podIP"]
        be_client = [
            f"host={door.server_name}:{CLIENT_PORT}",
            f"curl --cacert {_here(certificate)} --resolve $host:{address} \\",
            f'  "https://$host/app/journal?key={entry.key}"',
        ]
        hints.append(Hint("Be the client:", be_client))
        kill = f"{_here(CLUSTER)} process kill {door.pod} --namespace {network.kubectl.namespace}"
        hints.append(Hint("Kill again (after a second one the operator recovers, and waits for the members):", [kill]))
    hints.append(Hint("The members' keys, to vote and to hand in shares with:", [f"ls {_here(keys)}"]))
    return hints


def removal(kubectl: Kubectl) -> list[Hint]:
    """How to remove the story's namespace, and the cluster if it is the project's own."""
    commands = [f"make demo-clean     # the namespace {kubectl.namespace}, the network and its volumes"]
    if _own_cluster():
        commands.append("make cluster-down   # the cluster, without a trace")
    return [Hint("Remove it:", commands)]


def once_more() -> str:
    """What can be done before there is a cluster to look at."""
    again = "make demo tries again and keeps what is done"
    return f"{again}; make cluster-down removes the cluster." if _own_cluster() else f"{again}."


def _own_cluster() -> bool:
    return os.environ.get("CLUSTER", "own") == "own"


def _here(path: Path) -> str:
    return shlex.quote(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path))
