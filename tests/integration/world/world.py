"""A namespace in which a network really lives: API server, machines, members, and the operators under test."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccf_operator.render import labels
from integration.control_plane import ControlPlane
from integration.manifests import member, minimal, without_share
from integration.world.api import Api, Raw
from integration.world.audit import audit, unlicensed
from integration.world.cluster_dns import ClusterDns
from integration.world.consortium import Consortium, Written
from integration.world.kubelet import Kubelet
from integration.world.operators import RunningOperator
from integration.world.proxy import Call, Hook, nothing
from integration.world.story import PATIENCE, Story
from members import GeneratedMember
from simulator.node import SimulatedNode

NETWORK = "bank"
_DONE = range(200, 300)
MILESTONES = [
    "Creating",
    "AwaitingOpen",
    "ServiceOpened",
    "QuorumLost",
    "RecoveryStarted",
    "WinnerChosen",
    "AwaitingMembers",
    "RecoverySucceeded",
]
"""Reasons of the events that tell of a network that was opened, lost and recovered, in their order."""


@dataclass
class World:
    """What a test has in its hands."""

    control_plane: ControlPlane
    namespace: str
    directory: Path
    api: Api
    kubelet: Kubelet
    consortium: Consortium
    story: Story
    operators: list[RunningOperator] = field(default_factory=list)
    unlicensed: list[str] = field(default_factory=list)
    """What operators were about to do that no status had said before."""

    @property
    def path(self) -> str:
        return f"/apis/ccf.dev/v1alpha1/namespaces/{self.namespace}/ccfnetworks/{NETWORK}"

    async def decide(self, action: str, token: str) -> Raw:
        """Make a decision; its status once it is answered."""
        path = f"/apis/{labels.API_VERSION}/namespaces/{self.namespace}/{labels.DECISION_PLURAL}"
        made = await self.api.ask(
            "POST",
            path,
            {
                "apiVersion": labels.API_VERSION,
                "kind": labels.DECISION_KIND,
                "metadata": {"generateName": f"{action.lower()}-"},
                "spec": {"network": NETWORK, "token": token, "action": action},
            },
        )
        name = made["metadata"]["name"]
        await self.story.until(
            f"{name} is on record", lambda s: name in [one["name"] for one in s.status.get("decisions") or []]
        )
        (record,) = (one for one in self.story.status["decisions"] if one["name"] == name)
        return Raw(record)

    async def operator(
        self, *, before: Hook = nothing, after: Hook = nothing, cluster_domain: str = "cluster.local"
    ) -> RunningOperator:
        """Start an operator; it is ended with the world."""

        async def check_first(call: Call) -> None:
            self.unlicensed += await unlicensed(self.api, self.path, call)
            await before(call)

        started = await RunningOperator.start(
            self.control_plane,
            self.namespace,
            self.directory,
            before=check_first,
            after=after,
            cluster_domain=cluster_domain,
        )
        self.operators.append(started)
        return started

    def forbidden(self) -> list[str]:
        """Requests of operators that the rights which the chart gives them do not cover.

        An API server that has just been restarted forbids everything until it has read who may do what.
        """
        calls = [call for one in self.operators for call in one.proxy.calls]
        allowed = {str(call) for call in calls if call.status in _DONE}
        return [f"{call} is forbidden" for call in calls if call.status == 403 and str(call) not in allowed]

    async def told(self) -> None:
        """Until no event is left to be published."""
        await self.story.until("that all is told", lambda s: not s.status.get("pendingEvents"))

    async def milestones(self) -> list[str]:
        """Reasons of the events about the network that are milestones, the oldest first."""
        listed = await self.api.get(f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")
        told = sorted(listed["items"], key=lambda one: str(one["eventTime"]))
        return [one["reason"] for one in told if one["reason"] in MILESTONES]

    def kind_of(self, call: Call) -> str:
        """What a write does to what, without what differs from one network to the next."""
        body = call.json if call.body else {}
        name = body.get("metadata", {}).get("name", "") if isinstance(body, dict) and call.method == "POST" else ""
        if "events" in call.path:
            name = ""
        status = body.get("status", {}) if isinstance(body, dict) and call.path.endswith("/status") else {}
        phases = f"{status.get('phase', '')} {(status.get('attempt') or {}).get('phase', '')}".strip()
        return f"{call.method} {call.path.removeprefix('/apis').removeprefix('/api')} {name} {phases}".strip()

    async def create(self, nodes: int = 3, **spec: Any) -> None:
        """Create the network, and what its manifest refers to."""
        for config_map in self.consortium.config_maps(NETWORK):
            await self.api.ask("POST", f"/api/v1/namespaces/{self.namespace}/configmaps", config_map)
        manifest = minimal(
            NETWORK,
            nodes=nodes,
            constitution={
                "configMapRef": {"name": f"{NETWORK}-constitution"},
                "files": ["validate.js", "apply.js", "resolve.js", "actions.js"],
            },
            consensus={"messageTimeout": "100ms", "electionTimeout": "2000ms"},
            ledgerSignatures={"delay": "100ms"},
            **{"members": self.members(), "recovery": {"quorumLossWindow": "1s"}, **spec},
        )
        await self.api.ask("POST", self.path.rpartition("/")[0], manifest)

    def members(self) -> list[dict[str, Any]]:
        """The members as its manifest names them."""
        operator = self.consortium.operator
        data = {"is_operator": True}
        listed = [member(one.name) for one in self.consortium.members]
        return [*listed, *([without_share(operator.name, data=data)] if operator is not None else [])]

    async def open(self, nodes: int = 3, **spec: Any) -> None:
        """Create the network and let its members open it; done when all of its nodes serve clients."""
        await self.create(nodes, **spec)
        await self.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")
        await self.story.until("the joiners have joined", lambda s: len(joined(s)) == nodes)
        await self.consortium.open(self.node(joined(self.story)[0]), self.certificate())
        await self.running(nodes)

    async def delete(self) -> None:
        """Ask for the end of the network."""
        await self.api.ask("DELETE", self.path)

    async def look_again(self) -> None:
        """Let something happen to the network object that wakes the operator and means nothing."""
        await self.api.patch(self.path, {"metadata": {"annotations": {"looked": uuid.uuid4().hex}}})

    def machine(self, pod: str) -> str:
        """The machine that a pod is on."""
        return str(self.story.pods[pod]["spec"]["nodeName"])

    async def running(self, nodes: int = 3) -> None:
        """Until the network runs, with all of its nodes."""
        await self.story.until(
            "the network runs",
            lambda s: s.status.get("phase") == "Running" and s.status.get("readyNodes") == f"{nodes}/{nodes}",
        )

    async def recovered(self, nodes: int = 3) -> None:
        """Let the members accept the recovered service; done when the network runs with all of its nodes."""
        await self.members_asked()
        winner = self.story.attempt["winner"]
        await self.consortium.accept_recovery(self.node(winner["node"]), winner["serviceCertificate"])
        await self.running(nodes)

    async def members_asked(self) -> None:
        """Until the members are asked to accept the recovered service."""
        await self.story.until("members are asked", lambda s: s.attempt.get("phase") == "AwaitingMembers")

    async def write(self) -> Written:
        """Let a client write, through any node that serves clients."""
        [node, *_] = [one["name"] for one in self.story.nodes(fit=True)]
        return await self.consortium.write(self.node(node), self.certificate())

    async def at_rest(self) -> None:
        """Until the nodes all hold the same ledger, and all of it is committed."""
        nodes = [self.node(one["name"]) for one in self.story.nodes(fit=True)]
        async with asyncio.timeout(PATIENCE):
            while len({(*node.committed(), *node.store.current) for node in nodes}) > 1 or any(  # noqa: ASYNC110
                node.committed() != node.store.current for node in nodes
            ):
                await asyncio.sleep(0.02)  # what it waits for happens in the nodes

    async def nothing_is_missing(self) -> None:
        """All that clients were told is committed is there, from every node that serves them."""
        for one in self.story.nodes(fit=True):
            assert await self.consortium.missing(self.node(one["name"]), self.certificate()) == []

    def node(self, name: str) -> SimulatedNode:
        """The process of a pod."""
        node = self.kubelet.runs[name].node
        assert node is not None, f"{name} has no process"
        return node

    def certificate(self) -> str:
        """Of the service, as the status has it."""
        return str(self.story.status["service"]["certificate"])

    def majority(self) -> list[str]:
        """The leader and so many more that no quorum is left."""
        living = sorted(self.story.nodes(fit=True), key=lambda one: not self._leads(one["name"]))
        return [one["name"] for one in living[: len(living) // 2 + 1]]

    def files(self) -> dict[str, str]:
        """Digests of all files on all volumes."""
        root = self.kubelet.root / "volumes"
        return {
            str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(root.rglob("*"))
            if file.is_file()
        }

    def _leads(self, name: str) -> bool:
        node = self.node(name)
        return node.consensus is not None and node.consensus.is_primary


def joined(story: Story) -> list[str]:
    """Names of the nodes that are part of the service."""
    return [one["name"] for one in story.status.get("nodes") or [] if one.get("joinedAt")]


@asynccontextmanager
async def living(
    control_plane: ControlPlane, namespace: str, directory: Path, members: Sequence[GeneratedMember]
) -> AsyncIterator[World]:
    """A world with three machines and no operator yet."""
    dns = ClusterDns()
    async with Api(control_plane) as api:
        machines = tuple(f"{namespace}-m{number}" for number in range(3))
        kubelet = Kubelet(api, namespace, directory, dns, machines)
        story = Story(api, namespace, NETWORK)
        world = World(control_plane, namespace, directory, api, kubelet, Consortium(members), story)
        await kubelet.register()
        with dns.serving():
            tasks = [asyncio.create_task(kubelet.run()), asyncio.create_task(story.follow())]
            try:
                yield world
                assert not (broken := [*audit(story, kubelet), *world.unlicensed, *world.forbidden()]), broken
            finally:
                for operator in world.operators:
                    await operator.kill()
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [error for error in ended if isinstance(error, Exception)] + kubelet.failures()
        assert not failed, failed
