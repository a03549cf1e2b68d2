"""Breaking things from outside: on the project's own cluster by its commands, on another by what kubectl can do."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from e2e.harness.kubectl import Kubectl

CLUSTER = Path(__file__).parents[1] / "cluster" / "cluster"
KEPT = "by-a-scenario"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"


class Faults(Protocol):
    """What can be broken; where the cluster gives no way, the scenario is skipped and the summary says why."""

    def kill_process(self, kubectl: Kubectl, *pods: str, container: str = "ccf") -> None:
        """End the process of a container of each pod, all in the same instant; the pods stay."""

    def freeze(self, kubectl: Kubectl, pod: str) -> None:
        """Stop the CCF process in a pod where it is: it neither answers nor ends."""

    def thaw(self, kubectl: Kubectl, pod: str) -> None:
        """Let a frozen process go on as if nothing had been."""

    def partition(self, kubectl: Kubectl, pods: Sequence[str], others: Sequence[str]) -> None:
        """Let no packet pass between these pods and those."""

    def join_up(self) -> None:
        """Let packets pass between all pods again."""

    def cut_api(self, machine: str = "all") -> None:
        """Cut kubelets off from the API server while their pods go on."""

    def restore_api(self) -> None:
        """Let all kubelets reach the API server again."""

    def power_off(self, machine: str) -> None:
        """Lose a machine, or `all`, with everything that runs on it, in an instant."""

    def power_on(self, machine: str) -> None:
        """Boot a machine, or `all`, with the volumes it had."""

    def put_out_of_service(self, kubectl: Kubectl, machine: str) -> None:
        """A person's word that a machine is off and stays off: nothing of it runs."""

    def restart_kubelet(self, machine: str) -> None:
        """End a machine's kubelet and start it anew: it decides again about every pod. Processes go on meanwhile."""

    def save_objects(self) -> None:
        """Keep what the API server holds now: a backup of etcd."""

    def restore_objects(self) -> None:
        """Let the API server hold what was kept last, and nothing that came after."""

    def small_volumes(self, size: str) -> str:
        """Offer volumes of a size such as `4m` on each machine; the StorageClass of theirs."""

    def resize(self, kubectl: Kubectl, claim: str, size: str) -> None:
        """Give a small volume another size, with what is on it."""

    def fill(self, kubectl: Kubectl, claim: str) -> None:
        """Leave no byte free on a small volume."""

    def drain(self, kubectl: Kubectl, claim: str) -> None:
        """Free what `fill` took."""

    def another_name(self, image: str) -> str:
        """A second name that pods may use for an image."""

    def volume_path(self, kubectl: Kubectl, claim: str) -> Path:
        """Where a volume's files are, to look at them or to put others there."""

    def wipe(self, kubectl: Kubectl, claim: str) -> None:
        """Lose everything on a volume."""

    def flip(self, kubectl: Kubectl, claim: str, pattern: str, offset: int) -> None:
        """Invert one byte of each file that matches; a negative offset counts from the end."""

    def truncate(self, kubectl: Kubectl, claim: str, pattern: str, size: int) -> None:
        """Cut each file that matches to a size; a negative one cuts so many bytes off the end."""

    def remove(self, kubectl: Kubectl, claim: str, pattern: str) -> None:
        """Remove each file that matches."""

    def heal(self) -> None:
        """Undo whatever is still broken: machines, processes, packets."""

    def recycle_volumes(self) -> None:
        """Offer volumes again whose claims are gone."""


@dataclass
class OwnCluster:
    """The project's own cluster: everything can be broken. It keeps what is, so that healing costs what it must."""

    _frozen: list[tuple[Kubectl, str]] = field(default_factory=list)
    _parted: bool = False
    _cut: bool = False
    _off: set[str] = field(default_factory=set)
    _out_of_service: dict[str, Kubectl] = field(default_factory=dict)

    def kill_process(self, kubectl: Kubectl, *pods: str, container: str = "ccf") -> None:
        _cluster("process", "kill", ",".join(pods), "--namespace", kubectl.namespace, "--container", container)

    def freeze(self, kubectl: Kubectl, pod: str) -> None:
        self._frozen.append((kubectl, pod))
        _cluster("process", "kill", pod, "--namespace", kubectl.namespace, "--signal", "STOP")

    def thaw(self, kubectl: Kubectl, pod: str) -> None:
        _cluster("process", "kill", pod, "--namespace", kubectl.namespace, "--signal", "CONT")
        self._frozen.remove((kubectl, pod))

    def partition(self, kubectl: Kubectl, pods: Sequence[str], others: Sequence[str]) -> None:
        self._parted = True
        _cluster("partition", ",".join(pods), "--from", ",".join(others), "--namespace", kubectl.namespace)

    def join_up(self) -> None:
        _cluster("heal")
        self._parted = False

    def cut_api(self, machine: str = "all") -> None:
        self._cut = True
        _cluster("api", "cut", machine)

    def restore_api(self) -> None:
        _cluster("api", "restore")
        self._cut = False

    def power_off(self, machine: str) -> None:
        self._off.add(machine)
        _cluster("machine", "kill", machine)

    def power_on(self, machine: str) -> None:
        _cluster("machine", "start", machine)
        self._off.discard(machine)
        if machine in self._out_of_service:
            self._out_of_service.pop(machine).run("taint", "node", machine, f"{OUT_OF_SERVICE}-")

    def put_out_of_service(self, kubectl: Kubectl, machine: str) -> None:
        kubectl.run("taint", "node", machine, OUT_OF_SERVICE)
        self._out_of_service[machine] = kubectl

    def restart_kubelet(self, machine: str) -> None:
        _cluster("kubelet", "restart", machine)

    def save_objects(self) -> None:
        _cluster("etcd", "save", KEPT)

    def restore_objects(self) -> None:
        _cluster("etcd", "restore", KEPT)

    def small_volumes(self, size: str) -> str:
        _cluster("volume", "small", "--size", size)
        return "small"

    def resize(self, kubectl: Kubectl, claim: str, size: str) -> None:
        _cluster("volume", "resize", claim, "--namespace", kubectl.namespace, "--size", size)

    def fill(self, kubectl: Kubectl, claim: str) -> None:
        _cluster("volume", "fill", claim, "--namespace", kubectl.namespace)

    def drain(self, kubectl: Kubectl, claim: str) -> None:
        _cluster("volume", "drain", claim, "--namespace", kubectl.namespace)

    def another_name(self, image: str) -> str:
        return _cluster("image", "tag", image, "another-name:1").strip()

    def volume_path(self, kubectl: Kubectl, claim: str) -> Path:
        return Path(_cluster("volume", "path", claim, "--namespace", kubectl.namespace).strip())

    def wipe(self, kubectl: Kubectl, claim: str) -> None:
        _cluster("volume", "wipe", claim, "--namespace", kubectl.namespace)

    def flip(self, kubectl: Kubectl, claim: str, pattern: str, offset: int) -> None:
        self._damage(kubectl, claim, pattern, "--flip", str(offset))

    def truncate(self, kubectl: Kubectl, claim: str, pattern: str, size: int) -> None:
        self._damage(kubectl, claim, pattern, "--truncate", str(size))

    def remove(self, kubectl: Kubectl, claim: str, pattern: str) -> None:
        self._damage(kubectl, claim, pattern, "--remove")

    def heal(self) -> None:
        for machine in sorted(self._off):
            self.power_on(machine)
        if self._parted:
            self.join_up()
        if self._cut:
            self.restore_api()
        for kubectl, pod in list(self._frozen):
            try:
                self.thaw(kubectl, pod)
            except RuntimeError:  # its pod, or its process, is gone
                self._frozen.remove((kubectl, pod))

    def recycle_volumes(self) -> None:
        _cluster("volume", "recycle")

    def _damage(self, kubectl: Kubectl, claim: str, pattern: str, *how: str) -> None:
        _cluster("volume", "damage", claim, pattern, "--namespace", kubectl.namespace, *how)


class OtherCluster:
    """Any cluster: what kubectl can do."""

    def kill_process(self, kubectl: Kubectl, *pods: str, container: str = "ccf") -> None:
        def kill(pod: str) -> None:
            kubectl.run("exec", pod, "--container", container, "--", "/bin/sh", "-c", "kill -TERM 1")

        with ThreadPoolExecutor(len(pods)) as at_once:
            list(at_once.map(kill, pods))

    def freeze(self, kubectl: Kubectl, pod: str) -> None:
        pytest.skip("processes cannot be stopped from outside on this cluster")

    def thaw(self, kubectl: Kubectl, pod: str) -> None:
        pytest.skip("processes cannot be stopped from outside on this cluster")

    def partition(self, kubectl: Kubectl, pods: Sequence[str], others: Sequence[str]) -> None:
        pytest.skip("the network between pods cannot be cut on this cluster")

    def join_up(self) -> None:
        pass

    def cut_api(self, machine: str = "all") -> None:
        pytest.skip("kubelets cannot be cut off from the API server on this cluster")

    def restore_api(self) -> None:
        pass

    def power_off(self, machine: str) -> None:
        pytest.skip("machines cannot be powered off on this cluster")

    def power_on(self, machine: str) -> None:
        pass

    def put_out_of_service(self, kubectl: Kubectl, machine: str) -> None:
        pytest.skip("machines cannot be powered off on this cluster")

    def restart_kubelet(self, machine: str) -> None:
        pytest.skip("kubelets cannot be restarted on this cluster")

    def save_objects(self) -> None:
        pytest.skip("etcd cannot be put back on this cluster")

    def restore_objects(self) -> None:
        pytest.skip("etcd cannot be put back on this cluster")

    def small_volumes(self, size: str) -> str:
        pytest.skip("there are no small volumes on this cluster")

    def resize(self, kubectl: Kubectl, claim: str, size: str) -> None:
        pytest.skip("there are no small volumes on this cluster")

    def fill(self, kubectl: Kubectl, claim: str) -> None:
        pytest.skip("there are no small volumes on this cluster")

    def drain(self, kubectl: Kubectl, claim: str) -> None:
        pytest.skip("there are no small volumes on this cluster")

    def another_name(self, image: str) -> str:
        pytest.skip("an image goes by two names on the project's own cluster only")

    def volume_path(self, kubectl: Kubectl, claim: str) -> Path:
        pytest.skip("the files of volumes cannot be reached on this cluster")

    def wipe(self, kubectl: Kubectl, claim: str) -> None:
        pytest.skip("the files of volumes cannot be reached on this cluster")

    def flip(self, kubectl: Kubectl, claim: str, pattern: str, offset: int) -> None:
        pytest.skip("the files of volumes cannot be reached on this cluster")

    def truncate(self, kubectl: Kubectl, claim: str, pattern: str, size: int) -> None:
        pytest.skip("the files of volumes cannot be reached on this cluster")

    def remove(self, kubectl: Kubectl, claim: str, pattern: str) -> None:
        pytest.skip("the files of volumes cannot be reached on this cluster")

    def heal(self) -> None:
        pass

    def recycle_volumes(self) -> None:
        pass


def _cluster(*arguments: str) -> str:
    done = subprocess.run([CLUSTER, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"cluster {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
