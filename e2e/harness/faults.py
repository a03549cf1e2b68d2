"""Breaking things from outside: on the project's own cluster by its commands, on another by what kubectl can do."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from e2e.harness.kubectl import Kubectl

CLUSTER = Path(__file__).parents[1] / "cluster" / "cluster"


class Faults(Protocol):
    """What can be broken; where the cluster gives no way, the scenario is skipped and the summary says why."""

    def kill_process(self, kubectl: Kubectl, pod: str) -> None:
        """End the CCF process in a pod; the pod stays."""

    def partition(self, kubectl: Kubectl, pods: Sequence[str], others: Sequence[str]) -> None:
        """Let no packet pass between these pods and those."""

    def heal(self) -> None:
        """Let packets pass again, and machines reach the API server."""

    def cut_api(self) -> None:
        """Cut all kubelets off from the API server while their pods go on."""

    def volume_path(self, kubectl: Kubectl, claim: str) -> Path:
        """Where a volume's files are, to look at them."""


class OwnCluster:
    """The project's own cluster: everything can be broken."""

    def kill_process(self, kubectl: Kubectl, pod: str) -> None:
        _cluster("process", "kill", pod, "--namespace", kubectl.namespace)

    def partition(self, kubectl: Kubectl, pods: Sequence[str], others: Sequence[str]) -> None:
        _cluster("partition", ",".join(pods), "--from", ",".join(others), "--namespace", kubectl.namespace)

    def heal(self) -> None:
        _cluster("heal")
        _cluster("api", "restore")

    def cut_api(self) -> None:
        _cluster("api", "cut", "all")

    def volume_path(self, kubectl: Kubectl, claim: str) -> Path:
        return Path(_cluster("volume", "path", claim, "--namespace", kubectl.namespace).strip())


class OtherCluster:
    """Any cluster: what kubectl can do."""

    def kill_process(self, kubectl: Kubectl, pod: str) -> None:
        kubectl.run("exec", pod, "--container", "ccf", "--", "/bin/sh", "-c", "kill -TERM 1")

    def partition(self, kubectl: Kubectl, pods: Sequence[str], others: Sequence[str]) -> None:
        pytest.skip("the network between pods cannot be cut on this cluster")

    def heal(self) -> None:
        pass

    def cut_api(self) -> None:
        pytest.skip("kubelets cannot be cut off from the API server on this cluster")

    def volume_path(self, kubectl: Kubectl, claim: str) -> Path:
        pytest.skip("the files of volumes cannot be looked at on this cluster")


def _cluster(*arguments: str) -> str:
    done = subprocess.run([CLUSTER, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"cluster {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
