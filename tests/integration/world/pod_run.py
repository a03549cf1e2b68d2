"""One pod on its machine: its containers really run, `stage` as it is and CCF as the simulator, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx

from ccf_operator.kube.views import CCF, EXPLORER, STAGE
from ccf_operator.render import names
from ccf_operator.stage.__main__ import main as stage_main
from integration.world.api import Api, ApiError, Raw
from integration.world.cluster_dns import DOMAIN, ClusterDns
from integration.world.kubelet_events import KubeletEvents
from integration.world.trouble import Trouble, throttled
from simulator.config import ConfigError, parse
from simulator.exits import NodeExit, abort
from simulator.faults import Faults
from simulator.node import SimulatedNode

KILLED = 137


@dataclass
class PodRun:
    """What a kubelet does for one pod, from its start to its end."""

    api: Api
    dns: ClusterDns
    raw: Raw
    address: str
    directory: Path
    """Of the pod: what is not on a volume."""
    volume: Path
    """Root of the volume that its claim is bound to."""
    random: Random
    on_process: Callable[[PodRun], None]
    """Called when its process is about to start."""
    faults: Faults = field(default_factory=Faults)
    trouble: Trouble = field(default_factory=Trouble)
    node: SimulatedNode | None = None
    reports: bool = True
    """Whether its kubelet reaches the API server."""
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _deleted: asyncio.Event = field(default_factory=asyncio.Event)
    _status: Raw = field(default_factory=dict)
    _alive: bool = False

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.raw["metadata"]["uid"])

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.raw['metadata']['namespace']}/pods/{self.name}"

    @property
    def claim(self) -> str:
        """Name of the claim whose volume it writes."""
        return self.volume.name

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.node is not None and self._alive

    def delete(self) -> None:
        """The pod's object is being deleted."""
        self._deleted.set()

    def reject(self) -> None:
        """Report what a kubelet does that does not take the pod it finds any more; its processes run on."""
        message = "Pod was rejected: Predicate NodeAffinity failed"
        none = {"initContainerStatuses": None, "containerStatuses": None, "conditions": None}
        self._status = {"phase": "Failed", "reason": "NodeAffinity", "message": message, **none}
        self._told.set()

    async def run(self) -> None:
        """To the end of its containers, and if it is being deleted to that of its object."""
        reporting = asyncio.create_task(self._report())
        try:
            if any(one["name"] == EXPLORER for one in self.raw["spec"]["containers"]):
                await self._explore()
            else:
                await self._mount()
                self._say("Pending", stage={"running": {"startedAt": _now()}}, ccf=_WAITING)
                await self._run_containers()
            await self._deleted.wait()
            await self._go()
        finally:
            reporting.cancel()
            if self.node is not None:
                self.node.kill()

    async def _mount(self) -> None:
        """Try until it works, or the pod is being deleted; tell of each failure."""
        events = KubeletEvents(self.api, self.raw)
        while (why := self.trouble.unmountable) is not None and not self._deleted.is_set():
            self._status = {"phase": "Pending", "hostIP": "192.0.2.1"}
            self._told.set()
            await events.tell("FailedMount", f'MountVolume.SetUp failed for volume "ledger" : {why}')
            with suppress(TimeoutError):
                await asyncio.wait_for(self._deleted.wait(), 0.5)  # so often it is tried

    async def _run_containers(self) -> None:
        if not await self._configured():
            self._say("Failed", stage={"terminated": _not_located()}, ccf=_WAITING)
            return
        code, message = await self._stage()
        staged = {"terminated": _ended(code, message)}
        if code != 0:
            self._say("Failed", stage=staged, ccf=_WAITING)
        elif self.trouble.loses_a_sandbox():
            await self._never_start(staged, _WAITING)
        elif (image := self._container("containers", CCF)["image"]) in self.trouble.unpullable:
            backs_off = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
            await self._never_start(staged, {"waiting": backs_off})
        else:
            await self._run_node(staged)

    async def _never_start(self, staged: Raw, ccf: Raw) -> None:
        """Let the pod be Pending until it is deleted; no container of it runs then, nor did CCF ever."""
        self._say("Pending", stage=staged, ccf=ccf)
        await self._deleted.wait()
        self._say("Failed", stage=staged, ccf=ccf)

    async def _stage(self) -> tuple[int, str]:
        """Run `stage` on the volume, to its end."""
        return await self._run_program(self._container("initContainers", STAGE))

    async def _explore(self) -> None:
        code, message = await self._run_program(self._container("containers", EXPLORER))
        status = _container_status(EXPLORER, {"terminated": _ended(code, message)}, ready=False)
        self._status = {"phase": "Succeeded" if code == 0 else "Failed", "containerStatuses": [status]}
        self._told.set()

    async def _run_program(self, container: Raw) -> tuple[int, str]:
        """Run the operator's program for volumes, to its end; its exit code and termination message."""
        mounts = self._mounts(container)
        report = self.directory / "termination-log"
        everywhere, here = f":{names.STAGE_PORT}", f"{self.address}:{names.STAGE_PORT}"
        arguments = [here if one == everywhere else mounts(one) for one in container["args"]]

        def run() -> int:
            with throttled(self.trouble.cpu):
                return stage_main([*arguments, "--termination-log", str(report)])

        code = await asyncio.to_thread(run)
        return code, report.read_text()

    async def _run_node(self, staged: Raw) -> None:
        name = f"{self.name}.{self.raw['spec']['subdomain']}.{self.raw['metadata']['namespace']}.{DOMAIN}"
        self.dns.publish(name, self.address)
        started = _now()
        try:
            try:
                await self._start_node()
                assert self.node is not None
                running = {"running": {"startedAt": started}}
                self._say("Running", stage=staged, ccf=running, ready=True)
                how = await self._until_end(self.node)
            except NodeExit as error:
                how = error
        finally:
            self._alive = False
            self.dns.withdraw(name)
        ccf = {"terminated": {**_ended(how.code, how.reason[-1000:]), "startedAt": started}}
        self._say("Succeeded" if how.code == 0 else "Failed", stage=staged, ccf=ccf)

    async def _start_node(self) -> None:
        container = self._container("containers", CCF)
        mounts = self._mounts(container)
        arguments = list(container["args"])
        written = _read(mounts(arguments[arguments.index("--config") + 1]))
        try:
            config = parse(json.dumps(_localised(written, mounts, self.address)))
        except ConfigError as error:
            raise abort(str(error)) from error
        self.node = SimulatedNode(config, faults=self.faults, random=self.random)
        self.on_process(self)
        self._alive = True
        await self.node.start()

    async def _until_end(self, node: SimulatedNode) -> NodeExit:
        """How the node ended: by itself, or since the pod is being deleted."""
        ending = asyncio.create_task(node.wait())
        deleted = asyncio.create_task(self._deleted.wait())
        await asyncio.wait({ending, deleted}, return_when=asyncio.FIRST_COMPLETED)
        deleted.cancel()
        if not ending.done():
            await node.stop()
        return await ending

    async def _go(self) -> None:
        """Report the end, then let the object go, as a kubelet does: what finalizers hold stays."""
        while self._told.is_set() or not self.reports:  # noqa: ASYNC110 - the report itself is under way
            await asyncio.sleep(0.01)
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        await self.api.insist("DELETE", self.path, options)

    def _say(self, phase: str, *, stage: Raw, ccf: Raw, ready: bool = False) -> None:
        self._status = {
            "phase": phase,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "hostIP": "192.0.2.1",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True" if ready else "False"},
            ],
            "initContainerStatuses": [_container_status(STAGE, stage, ready="terminated" in stage)],
            "containerStatuses": [_container_status(CCF, ccf, ready=ready)],
        }
        self._told.set()

    async def _report(self) -> None:
        """Bring the status to the API server, as soon as it can be reached; the latest wins."""
        while True:
            await self._told.wait()
            if not self.reports:
                await asyncio.sleep(0.05)
                continue
            status = self._status
            patch = {"metadata": {"uid": self.uid}, "status": status}
            await self.api.insist("PATCH", f"{self.path}/status", patch, content_type="application/merge-patch+json")
            if status is self._status:
                self._told.clear()

    def _container(self, kind: str, name: str) -> Raw:
        container: Raw = next(one for one in self.raw["spec"][kind] if one["name"] == name)
        return container

    def _mounts(self, container: Raw) -> Callable[[str], str]:
        """Where the paths that a container sees really are, by its volume mounts."""
        sources = {"ledger": self.volume, "config": self._config, "work": self.directory}
        where: dict[str, Path] = {}
        for mount in container["volumeMounts"]:
            where[mount["mountPath"]] = sources[mount["name"]] / mount.get("subPath", "")
            where[mount["mountPath"]].mkdir(parents=True, exist_ok=True)

        def really(path: str) -> str:
            for seen in sorted(where, key=len, reverse=True):
                if path == seen or path.startswith(f"{seen}/"):
                    return str(where[seen]) + path[len(seen) :]
            return path

        return really

    @property
    def _config(self) -> Path:
        return self.directory / "config"

    async def _configured(self) -> bool:
        """Wait until there is the pod's ConfigMap and make files of it; False if the pod is deleted meanwhile."""
        volume = next(one for one in self.raw["spec"]["volumes"] if one["name"] == "config")
        path = f"/api/v1/namespaces/{self.raw['metadata']['namespace']}/configmaps/{volume['configMap']['name']}"
        while not self._deleted.is_set():
            try:
                data = (await self.api.get(path))["data"]
            except (httpx.TransportError, ApiError):
                await asyncio.sleep(0.05)
                continue
            self._config.mkdir(parents=True)
            for name, text in data.items():
                (self._config / name).write_text(text)
            return True
        return False


def _read(path: str) -> Any:
    return json.loads(Path(path).read_text())


def _localised(value: Any, really: Callable[[str], str], address: str) -> Any:
    """CCF's configuration with paths of this machine, and sockets on the pod's own address; all else as it was."""
    if isinstance(value, dict):
        return {
            key: f"{address}:{one.rpartition(':')[2]}" if key == "bind_address" else _localised(one, really, address)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_localised(one, really, address) for one in value]
    return really(value) if isinstance(value, str) else value


_WAITING = {"waiting": {"reason": "PodInitializing"}}


def _container_status(name: str, state: Raw, *, ready: bool) -> Raw:
    return {"name": name, "image": "app", "imageID": "", "ready": ready, "restartCount": 0, "state": state}


def _not_located() -> Raw:
    """What a kubelet reports at the end of a pod of the first init container, where nothing of it ever started."""
    message = "The container could not be located when the pod was terminated"
    return {"exitCode": KILLED, "reason": "ContainerStatusUnknown", "message": message}


def _ended(code: int, message: str) -> Raw:
    return {
        "exitCode": code,
        "reason": "Completed" if code == 0 else "Error",
        "message": message,
        "finishedAt": _now(),
        "startedAt": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
