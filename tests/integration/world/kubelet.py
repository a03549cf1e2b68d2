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

import httpx

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
    reclaim_policy: str = "Retain"
    """Of the volumes it makes for claims."""
    runs: dict[str, PodRun] = field(default_factory=dict)
    """By name of the pod: the last one of that name."""
    shared_volumes: list[str] = field(default_factory=list)
    """A sentence for each process that was started on a volume on which another still ran."""
    random: Random = field(default_factory=lambda: Random(11))
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _homes: dict[str, str] = field(default_factory=dict)
    _roots: dict[str, Path] = field(default_factory=dict)
    """Of the volumes it made, by the UIDs of their claims."""

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

    def reject(self, *pods: str) -> None:
        """Let machines have been relabelled and their kubelets started anew: they reject pods whose processes run."""
        for pod in pods:
            self.runs[pod].reject()

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
        volume = await self._bind_claim(claim)
        machine = self._homes.setdefault(claim, self.machines[len(self._homes) % len(self.machines)])
        directory = self.root / "pods" / uid
        directory.mkdir(parents=True)
        run = self.runs[name] = PodRun(
            api=self.api,
            dns=self.dns,
            raw=raw,
            address=next(self._addresses),
            directory=directory,
            volume=volume,
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

    async def _bind_claim(self, claim: str) -> Path:
        """The root of a claim's volume, which is made first as a provisioner does; the claim may come after its pod.

        A claim that names a volume waits for that one, and no pod is placed on a claim that is being deleted.
        """
        path = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims/{claim}"
        while True:
            found = await self._found(path)
            if found is None or found["metadata"].get("deletionTimestamp"):
                await asyncio.sleep(0.05)
            elif found["status"].get("phase") == "Bound":
                return await self._root_of(found["spec"]["volumeName"])
            elif found["spec"].get("volumeName") or self._is_unprovisioned(found):
                await asyncio.sleep(0.05)
            else:
                await self._provision(path, found)

    def _is_unprovisioned(self, claim: Raw) -> bool:
        return claim["spec"].get("storageClassName") in self.trouble.unprovisioned

    async def _found(self, path: str) -> Raw | None:
        try:
            return await self.api.get(path)
        except httpx.TransportError:
            return None
        except ApiError as error:
            if error.status != 404 and error.status < 500:
                raise
            return None

    async def _root_of(self, volume: str) -> Path:
        while (found := await self._found(f"/api/v1/persistentvolumes/{volume}")) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return Path(found["spec"]["hostPath"]["path"])

    def _root_for(self, claim: str, uid: str) -> Path:
        """What an earlier claim of the name was given is never given to another."""
        if uid not in self._roots:
            root = self.volume(claim)
            taken = root in self._roots.values()
            self._roots[uid] = root.with_name(f"{claim}-{uid[:5]}") if taken else root
        return self._roots[uid]

    async def _provision(self, path: str, claim: Raw) -> None:
        uid = claim["metadata"]["uid"]
        root = self._root_for(claim["metadata"]["name"], uid)
        root.mkdir(parents=True, exist_ok=True)
        name = f"{self.namespace}-{root.name}"
        volume = {
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": claim["spec"]["accessModes"],
                "persistentVolumeReclaimPolicy": self.reclaim_policy,
                "hostPath": {"path": str(root)},
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": self.namespace,
                    "name": claim["metadata"]["name"],
                    "uid": uid,
                },
            },
        }
        merge = "application/merge-patch+json"
        await self.api.insist("POST", "/api/v1/persistentvolumes", volume)
        bound = {"metadata": {"uid": uid}, "spec": {"volumeName": name}}
        await self.api.insist("PATCH", path, bound, content_type=merge)
        status = {"metadata": {"uid": uid}, "status": {"phase": "Bound"}}
        await self.api.insist("PATCH", f"{path}/status", status, content_type=merge)


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
