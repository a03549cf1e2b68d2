"""Scheduler, volumes and kubelets of a few machines, in the test's own process."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from ccf_operator.render import labels
from ccf_operator.render.labels import Role
from integration.world.api import Api, ApiError, Raw
from integration.world.cluster_dns import ClusterDns
from integration.world.pod_run import PodRun
from integration.world.trouble import Trouble
from simulator.faults import Faults

_subnets = itertools.count(os.getpid() * 7)
_claims: list[socket.socket] = []
"""Bound as long as the process lives."""


@dataclass
class Kubelet:
    """Runs every pod of one namespace. A claim gets the next machine when it is first used, and stays there."""

    api: Api
    namespace: str
    root: Path
    dns: ClusterDns
    machines: tuple[str, ...]
    faults_of: Callable[[Raw], Faults] = field(default=lambda _: Faults())
    trouble: Trouble = field(default_factory=Trouble)
    runs: dict[str, PodRun] = field(default_factory=dict)
    """By name of the pod: the last one of that name."""
    shared_volumes: list[str] = field(default_factory=list)
    """A sentence for each process that was started on a volume on which another still ran."""
    random: Random = field(default_factory=lambda: Random(11))
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _homes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subnet = _claim_subnet()
        self._addresses = (f"{subnet}.{host}" for host in itertools.count(1))

    async def register(self) -> None:
        """Let the machines be known to Kubernetes."""
        for machine in self.machines:
            await self.api.ask("POST", "/api/v1/nodes", {"metadata": {"name": machine}})
            info = {"bootID": str(uuid.uuid4()), **dict.fromkeys(_INFO, "")}
            await self.api.patch(f"/api/v1/nodes/{machine}/status", {"status": {"nodeInfo": info}})
            await self.say_ready(machine, "True")

    async def say_ready(self, machine: str, status: str) -> None:
        """Set the machine's condition Ready: `True`, or `Unknown` as when its kubelet is not heard of."""
        condition = {"type": "Ready", "status": status, "reason": "Test", "message": ""}
        await self.api.patch(f"/api/v1/nodes/{machine}/status", {"status": {"conditions": [condition]}})

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async for change in self.api.watch(f"/api/v1/namespaces/{self.namespace}/pods"):
                for raw in change.items:
                    if change.kind != "DELETED":
                        self._see(raw)
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def kill(self, *pods: str) -> None:
        """Let the processes of pods die, all in one moment."""
        for pod in pods:
            node = self.runs[pod].node
            assert node is not None, f"{pod} has no process"
            node.kill()

    def lose(self, pod: str) -> None:
        """Let a pod's machine lose power: its process dies and nobody tells."""
        self.runs[pod].reports = False
        self.kill(pod)

    def volume(self, claim: str) -> Path:
        """Root of the volume that a claim is bound to."""
        return self.root / "volumes" / claim

    def failures(self) -> list[BaseException]:
        """What went wrong in the kubelet itself."""
        ended = [task for task in self._tasks.values() if task.done() and not task.cancelled()]
        return [error for task in ended if (error := task.exception()) is not None]

    def _see(self, raw: Raw) -> None:
        uid = raw["metadata"]["uid"]
        if uid not in self._tasks:
            self._tasks[uid] = asyncio.create_task(self._host(raw), name=f"pod {raw['metadata']['name']}")
        run = self.runs.get(raw["metadata"]["name"])
        if raw["metadata"].get("deletionTimestamp") and run is not None and run.uid == uid:
            run.delete()

    async def _host(self, raw: Raw) -> None:
        name, uid = raw["metadata"]["name"], raw["metadata"]["uid"]
        if raw["metadata"].get("deletionTimestamp") and not raw["spec"].get("nodeName"):
            return  # never placed: there is nothing to end
        claim = next(
            volume["persistentVolumeClaim"]["claimName"]
            for volume in raw["spec"]["volumes"]
            if "persistentVolumeClaim" in volume
        )
        await self._bind_claim(claim)
        machine = self._homes.setdefault(claim, self.machines[len(self._homes) % len(self.machines)])
        directory = self.root / "pods" / uid
        directory.mkdir(parents=True)
        run = self.runs[name] = PodRun(
            api=self.api,
            dns=self.dns,
            raw=raw,
            address=next(self._addresses),
            directory=directory,
            volume=self.volume(claim),
            random=Random(self.random.random()),
            on_process=self._note_shared_volume,
            faults=self.faults_of(raw),
            trouble=self.trouble,
        )
        if raw["metadata"].get("deletionTimestamp"):
            run.delete()
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "uid": uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": machine},
        }
        await self.api.insist("POST", f"{run.path}/binding", binding)
        await run.run()

    def _note_shared_volume(self, run: PodRun) -> None:
        self.shared_volumes += [
            f"{run.name} was started on {run.claim} while {other.name} ran on it"
            for other in self.runs.values()
            if other.volume == run.volume and other.running and not _joins_beside_loser(run.raw, other.raw)
        ]

    async def _bind_claim(self, claim: str) -> None:
        """Make the volume of a claim, as a provisioner does; the claim may be made after its pod."""
        self.volume(claim).mkdir(parents=True, exist_ok=True)
        path = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims/{claim}"
        while True:
            try:
                found = await self.api.get(path)
                break
            except ApiError as error:
                if error.status != 404:
                    raise
                await asyncio.sleep(0.05)
        if found["status"].get("phase") == "Bound":
            return
        name = f"{self.namespace}-{claim}"
        volume = {
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": found["spec"]["accessModes"],
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": str(self.volume(claim))},
            },
        }
        await self.api.insist("POST", "/api/v1/persistentvolumes", volume)
        await self.api.insist(
            "PATCH", path, {"spec": {"volumeName": name}}, content_type="application/merge-patch+json"
        )
        await self.api.insist(
            "PATCH", f"{path}/status", {"status": {"phase": "Bound"}}, content_type="application/merge-patch+json"
        )


def _claim_subnet() -> str:
    """The first three numbers of loopback addresses that no kubelet uses, in this process or another."""
    while True:
        number = next(_subnets)
        subnet = f"127.{200 + number // 250 % 50}.{number % 250}"
        claim = socket.socket()
        try:
            claim.bind((f"{subnet}.254", 61999))  # above what is given out by chance
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return subnet


def _joins_beside_loser(pod: Raw, other: Raw) -> bool:
    """A joiner writes a generation that nobody reads: it need not wait for a candidate that was not chosen."""
    return bool(_role(pod) == Role.NODE.value and _role(other) == Role.CANDIDATE.value)


def _role(pod: Raw) -> str:
    return str(pod["metadata"]["labels"][labels.ROLE])


_INFO = (
    "machineID", "systemUUID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
    "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip
