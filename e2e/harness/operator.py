"""The operator under test, handled from outside: killed, doubled, watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from e2e.harness.faults import Faults
from e2e.harness.kubectl import Kubectl, KubectlFailed
from e2e.harness.waiting import eventually

DEPLOYMENT = "ccf-operator"


@dataclass(frozen=True)
class Operator:
    """The operator's Deployment. `kubectl` is in its namespace."""

    kubectl: Kubectl
    faults: Faults

    def kill(self) -> None:
        """End every operator process in an instant (-9), and the pods, so that new ones start without a pause."""
        pods = self._pods()
        for pod in pods:
            with suppress(RuntimeError, KubectlFailed):  # ended already, or not started yet
                self.faults.kill_process(self.kubectl, pod, container="operator")
        self.kubectl.delete("pod", pods, "--grace-period=0", "--force", "--wait=false")

    def scale(self, replicas: int) -> None:
        """Run so many operators at once, and wait until they do."""
        self.kubectl.run("scale", f"deployment/{DEPLOYMENT}", f"--replicas={replicas}")
        eventually(f"{replicas} operators run", lambda: self._counts() == (replicas, replicas), within=90)

    @contextmanager
    def away(self) -> Iterator[None]:
        """No operator runs meanwhile: what is done to the cluster is found by the next one."""
        self.scale(0)
        yield
        self.scale(1)

    def cut_off_from(self, kubectl: Kubectl, pods: Sequence[str]) -> None:
        """Let no packet pass between the operator and these pods; it reaches the API server as before."""
        ours = [f"{self.kubectl.namespace}/{pod}" for pod in sorted(self._pods())]
        self.faults.partition(kubectl, ours, pods)

    def undisturbed(self) -> int:
        """How many operators are ready and have never been restarted."""
        pods = self.kubectl.list("pods", "app.kubernetes.io/name=ccf-operator")
        containers = [c for pod in pods for c in pod["status"].get("containerStatuses", [])]
        return sum(c["ready"] and c["restartCount"] == 0 for c in containers)

    def _pods(self) -> set[str]:
        return self.kubectl.names("pods", "app.kubernetes.io/name=ccf-operator")

    def _counts(self) -> tuple[int, int]:
        """Pods there are, those that are ending included, and pods that are ready."""
        pods = self.kubectl.list("pods", "app.kubernetes.io/name=ccf-operator")
        ready = [c for pod in pods for c in pod["status"].get("conditions", []) if c["type"] == "Ready"]
        return len(pods), sum(c["status"] == "True" for c in ready)
