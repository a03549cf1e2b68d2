"""The script's recovery: the same steps on the same pods, with all known beforehand and nothing decided between.

Delete the old pods, create all candidates, wait until all have recovered, delete the losers, create the joiners, and
let the members vote. It never asks what else may be true, so it is fit for nothing but a comparison.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from ccf_operator.api.status import Attempt, AttemptPhase, Candidate, Command, NetworkStatus, NodeRecord, VolumeRecord
from ccf_operator.domain.observation import Inputs
from ccf_operator.kube.gateway import Gateway
from ccf_operator.reconcile.parse import network_ref, spec_of, status_of
from ccf_operator.render import labels, names
from ccf_operator.render.node_objects import node_objects
from ccf_operator.render.order import Platform, order
from e2e.bench.moments import Moment, all_ended, all_gone
from e2e.bench.recorder import Seen
from e2e.bench.scene import EVERY, PATIENCE, Marks, Scene, asking, url


def recover(scene: Scene, platform: Platform) -> tuple[str, Marks]:
    """Do all the steps; the winner, and when those were done that pods do not show."""
    script = Script(scene, platform)
    marks = asyncio.run(script.until_joined())
    nodes = [script.winner.name, *(joiner.name for joiner in script.joiners)]
    return script.winner.name, {**marks, **scene.let_members_open(script.winner.name, script.certificate, nodes)}


async def forget_evidence(scene: Scene) -> None:
    """Take the operator's finalizer off the pods: what the script deletes is gone as soon as the kubelet is done."""
    async with await Gateway.connect(scene.network.kubectl.kubeconfig) as gateway:
        for pod in scene.network.pods():
            metadata = pod["metadata"]
            await gateway.remove_pod_finalizer(metadata["namespace"], metadata["name"], metadata["uid"])


class Script:
    """Everything that can be known beforehand, and the steps."""

    def __init__(self, scene: Scene, platform: Platform) -> None:
        self._scene, self._platform = scene, platform
        self._network, self._spec = network_ref(scene.before), spec_of(scene.before)
        self._status = status_of(scene.before)
        self._used = [_volume_of(self._status, node) for node in scene.old]
        self.certificate = self._status.service.certificate or ""
        self.candidates = [self._plan(volume, Command.RECOVER) for volume in self._used]
        self.winner = self.candidates[-1]
        """On the survivor's volume: no ledger is longer."""
        self.losers = self.candidates[:-1]
        self.joiners = [self._plan(volume, Command.JOIN) for volume in self._used[:-1]]
        self._status.attempt = _attempt(self._status, self.candidates)

    async def until_joined(self) -> Marks:
        """All steps but the members'."""
        async with await Gateway.connect(self._scene.network.kubectl.kubeconfig) as gateway, asking() as http:
            killed = set(self._scene.killed)
            await self._wait("the majority has ended", lambda events: all_ended(events, killed))
            await self._delete(gateway, self._scene.old)
            await self._create(gateway, self.candidates)
            await self._until(http, self.candidates, lambda state: state["state"] == "PartOfPublicNetwork")
            recovered = time.monotonic()
            await self._delete(gateway, [loser.name for loser in self.losers])
            answer = await http.get(url(self._scene.address(self.winner.name), "/node/network"))
            self.certificate = answer.json()["service_certificate"]
            for joiner in self.joiners:
                joiner.join_target, joiner.service_certificate = self.winner.name, self.certificate
                joiner.join_address = names.address(
                    self.winner.name,
                    self._network.name,
                    self._network.namespace,
                    self._platform.cluster_domain,
                    names.CLIENT_PORT,
                )
            await self._create(gateway, self.joiners)
            # A joiner that says so may have replicated nothing yet (CCF facts §8.8).
            await self._until(
                http,
                self.joiners,
                lambda state: state["state"] == "PartOfPublicNetwork" and state["last_signed_seqno"] > 0,
            )
            return {Moment.RECOVERED: recovered, Moment.JOINED: time.monotonic()}

    def _plan(self, volume: VolumeRecord, command: Command) -> NodeRecord:
        number = self._status.counters.next_node
        self._status.counters.next_node += 1
        record = NodeRecord(
            name=names.node_name(self._network.name, self._network.uid, number),
            volume=volume.name,
            generation=volume.next_generation,
            command=command,
            attempt=1,
            service_certificate=self.certificate,
            planned_at=datetime.now(UTC),
        )
        volume.next_generation += 1
        self._status.nodes.append(record)
        return record

    async def _create(self, gateway: Gateway, records: Iterable[NodeRecord]) -> None:
        await asyncio.gather(*(self._create_one(gateway, record) for record in records))

    async def _create_one(self, gateway: Gateway, record: NodeRecord) -> None:
        wanted = order(self._platform, self._network, self._spec, self._status, Inputs(), record.name)
        config_map, pod = node_objects(wanted)
        pod["metadata"]["finalizers"].remove(labels.POD_FINALIZER)
        await gateway.create(config_map)
        await gateway.create(pod)

    async def _delete(self, gateway: Gateway, pods: Sequence[str]) -> None:
        """Delete pods and wait until they are gone."""
        events = self._scene.recorder.events
        uids = {seen.name: seen.object["metadata"]["uid"] for seen in events if seen.kind == "pods"}
        await asyncio.gather(*(gateway.delete_pod(self._network.namespace, pod, uids[pod]) for pod in pods))
        await self._wait("deleted pods are gone", lambda seen: all_gone(seen, pods))

    async def _wait(self, what: str, find: Callable[[list[Seen]], object]) -> None:
        await asyncio.to_thread(self._scene.recorder.wait_for, what, find, within=PATIENCE)

    async def _until(
        self, http: httpx.AsyncClient, records: Iterable[NodeRecord], check: Callable[[Any], bool]
    ) -> None:
        await asyncio.gather(*(self._until_one(http, record, check) for record in records))

    async def _until_one(self, http: httpx.AsyncClient, record: NodeRecord, check: Callable[[Any], bool]) -> None:
        address = await asyncio.to_thread(self._scene.address, record.name)
        async with asyncio.timeout(PATIENCE):
            while not await _says(http, address, check):  # noqa: ASYNC110 — the node calls nobody
                await asyncio.sleep(EVERY)


async def _says(http: httpx.AsyncClient, address: str, check: Callable[[Any], bool]) -> bool:
    try:
        answer = await http.get(url(address, "/node/state"))
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and check(answer.json())


def _volume_of(status: NetworkStatus, node: str) -> VolumeRecord:
    record = status.node(node)
    assert record is not None
    volume = status.volume(record.volume)
    assert volume is not None
    return volume


def _attempt(status: NetworkStatus, candidates: Sequence[NodeRecord]) -> Attempt:
    """As much of an attempt as the configuration of candidates is made from."""
    lineage = {volume.name: list(volume.lineage) for volume in status.volumes}
    return Attempt(
        number=1,
        phase=AttemptPhase.RECOVERING,
        base_service=status.service.public_key or "",
        base_certificate=status.service.certificate or "",
        base_recovery_count=status.service.recovery_count,
        configuration=list(status.configuration.nodes) if status.configuration is not None else [],
        candidates=[
            Candidate(volume=record.volume, lineage=lineage[record.volume], node=record.name) for record in candidates
        ],
    )
