"""A network under test, seen and handled as its user does: manifests, kubectl, the CCF API."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from e2e.harness.client import Client, Written, missing
from e2e.harness.consortium import Consortium, Door, patiently
from e2e.harness.faults import Faults
from e2e.harness.kubectl import Kubectl, Object
from e2e.harness.reach import Reach
from e2e.harness.waiting import eventually
from e2e.harness.writer import Writer

PRESENT = ("phase", "reason", "message", "nextStep", "conditions", "obstacles", "quorum", "attempt", "found")
"""Fields of the status that say what is; the others keep what was."""


@dataclass(frozen=True)
class Setting:
    """What a network runs on: the cluster, the CCF image, and how to break things."""

    kubectl: Kubectl
    reach: Reach
    faults: Faults
    image: str
    command: Sequence[str] = ()
    cluster_domain: str = "cluster.local"


@dataclass
class Network:
    """One CCFNetwork in a namespace of its own."""

    setting: Setting
    name: str = "bank"
    nodes: int = 3
    consortium: Consortium = field(default_factory=Consortium)
    client: Client = field(default_factory=Client)
    spec: dict[str, Any] = field(default_factory=dict)
    writer: Writer = field(init=False)

    def __post_init__(self) -> None:
        self.writer = Writer(self.doors, f"steady-{self.name}")

    @property
    def kubectl(self) -> Kubectl:
        return self.setting.kubectl

    def manifest(self, **changes: Any) -> Object:
        """The manifest; `changes` override parts of the spec."""
        spec: dict[str, Any] = {"nodes": self.nodes, "image": self.setting.image}
        if self.setting.command:
            spec["command"] = list(self.setting.command)
        spec |= {**self.consortium.references(self.name), **self.spec, **changes}
        return {"apiVersion": "ccf.dev/v1alpha1", "kind": "CCFNetwork", "metadata": {"name": self.name}, "spec": spec}

    def create(self) -> None:
        """kubectl apply of the ConfigMaps and the network."""
        self.kubectl.apply(*self.consortium.config_maps(self.name), self.manifest())

    def object(self) -> Object:
        return self.kubectl.get("ccfnetwork", self.name)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.object().get("status") or {}
        return status

    def put_back_status(self, status: dict[str, Any]) -> None:
        """kubectl replace of the status by another, one of before for instance."""
        found = self.object()
        found["metadata"].pop("resourceVersion")
        self.kubectl.run("replace", "--subresource=status", "-f", "-", stdin=json.dumps({**found, "status": status}))

    def patch_status(self, **fields: Any) -> None:
        """kubectl patch of fields of the status."""
        patch = json.dumps({"status": fields})
        self.kubectl.run("patch", "ccfnetwork", self.name, "--subresource=status", "--type=merge", "-p", patch)

    def wait_for_phase(self, *phases: str, within: float = 120) -> dict[str, Any]:
        """The status once the network is in one of these phases."""

        def check() -> dict[str, Any] | None:
            status = self.status()
            return status if status.get("phase") in phases else None

        return eventually(f"phase {' or '.join(phases)} of {self.name}", check, within=within)

    def wait_for(self, what: str, check: Any, within: float = 120) -> dict[str, Any]:
        """The status once `check(status)` is true."""

        def checked() -> dict[str, Any] | None:
            status = self.status()
            return status if check(status) else None

        return eventually(what, checked, within=within)

    def pods(self) -> list[Object]:
        return self.kubectl.list("pods", f"ccf.dev/network={self.name}")

    def volumes(self) -> set[str]:
        return self.kubectl.names("pvc", f"ccf.dev/network={self.name}")

    def records(self) -> list[dict[str, Any]]:
        return list(self.status().get("nodes") or [])

    def serving(self) -> list[str]:
        """Nodes that serve clients."""
        return sorted(record["name"] for record in self.records() if record.get("fit"))

    def trusted(self) -> list[str]:
        """Nodes that are part of the service and have not ended."""
        return sorted(
            r["name"] for r in self.records() if r.get("joinedAt") and not r.get("ended") and not r.get("stop")
        )

    def record(self, node: str) -> dict[str, Any]:
        """The record of a node."""
        return next(record for record in self.records() if record["name"] == node)

    def volume_of(self, node: str) -> str:
        """The volume that a node writes."""
        return str(self.record(node)["volume"])

    def machine_of(self, node: str) -> str:
        """The machine that a node runs on."""
        return str(self.kubectl.get("pod", node)["spec"]["nodeName"])

    def uids(self) -> set[str]:
        """UIDs of the network's pods."""
        return {pod["metadata"]["uid"] for pod in self.pods()}

    def wait_for_winner(self, within: float = 90) -> dict[str, Any]:
        """The attempt, once its winner is chosen."""
        status = self.wait_for("a winner is chosen", lambda s: (s.get("attempt") or {}).get("winner"), within)
        attempt: dict[str, Any] = status["attempt"]
        return attempt

    def kill(self, *nodes: str) -> None:
        """End the CCF processes of these nodes, all in the same instant."""
        self.setting.faults.kill_process(self.kubectl, *nodes)

    def approve_if_asked(self) -> None:
        """Approve as told, if what is known of the disks has a person asked before a winner is chosen."""
        status = self.wait_for(
            "a recovery has come to a choice",
            lambda s: (s.get("attempt") or {}).get("winner") or s.get("reason") == "ApprovalRequired",
            within=180,
        )
        if status.get("reason") == "ApprovalRequired":
            self.approve_as_told()

    def approve_as_told(self) -> dict[str, Any]:
        """Run the command that the status gives for a person who approves; the attempt as that person saw it."""
        seen: list[dict[str, Any]] = []

        def approved() -> bool:
            status = self.status()
            seen.append(status["attempt"])
            command = re.search(r"echo '.*", status["nextStep"])
            assert command is not None, status["nextStep"]
            made = self.kubectl.shell(command.group())
            name = made.split()[0].partition("/")[2]
            return self._applied(name)

        eventually("the approval is applied", approved, within=30)
        return seen[-1]

    def decide(self, action: str, token: str, volume: str | None = None) -> Object:
        """Make a decision about the recovery; the decision once the operator has answered it."""
        spec = {"network": self.name, "token": token, "action": action, **({"volume": volume} if volume else {})}
        metadata = {"generateName": f"{self.name}-{action.lower()}-"}
        kind = {"apiVersion": "ccf.dev/v1alpha1", "kind": "CCFRecoveryDecision"}
        made = self.kubectl.run(
            "create", "-f", "-", "-o", "name", stdin=json.dumps(kind | {"metadata": metadata, "spec": spec})
        )
        return self._answered(made.strip().partition("/")[2])

    def adopt(self, within: float = 120) -> None:
        """Say that the volumes are this network's, once the operator has read them and offers that."""
        offered = self.wait_for("adoption is offered", lambda s: (s.get("found") or {}).get("token"), within)
        answer = self.decide("Adopt", str(offered["found"]["token"]))
        assert answer["status"]["state"] == "Applied", answer["status"]["message"]

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition of the status; empty if it is not there."""
        found = [c for c in self.status().get("conditions") or [] if c["type"] == kind]
        return dict(found[0]) if found else {}

    def words(self) -> str:
        """What the status says to a person now, of the network, its nodes and the attempt in progress."""
        status = self.status()
        now = {key: status.get(key) for key in PRESENT}
        notes = [{key: record.get(key) for key in ("name", "note", "ended")} for record in status.get("nodes") or []]
        return json.dumps({**now, "nodes": notes}, ensure_ascii=False)

    def events(self) -> list[Object]:
        """Events about the network object."""
        everything = self.kubectl.list("events")
        return [e for e in everything if e["involvedObject"]["name"] == self.name]

    def claims(self) -> list[Object]:
        return self.kubectl.list("pvc", f"ccf.dev/network={self.name}")

    def living(self) -> set[str]:
        """UIDs of pods in which a CCF process runs, that nobody has asked to end."""
        pods = [pod for pod in self.pods() if not pod["metadata"].get("deletionTimestamp")]
        return {pod["metadata"]["uid"] for pod in pods if _runs(pod)}

    def _applied(self, decision: str) -> bool:
        return bool(self._answered(decision)["status"]["state"] == "Applied")

    def _answered(self, decision: str) -> Object:
        def answered() -> Object | None:
            found = self.kubectl.get("ccfrecoverydecision", decision)
            return found if (found.get("status") or {}).get("state") else None

        return eventually(f"decision {decision} is answered", answered, within=30)

    def identity(self) -> dict[str, str]:
        """What clients mount: the service certificates and what goes with them."""
        data: dict[str, str] = self.kubectl.get("configmap", f"{self.name}-service-identity")["data"]
        return data

    def door(self, pod: str | None = None, certificate: str | None = None) -> Door:
        """The client interface of a node: by default, one that serves, under the published certificate."""
        chosen = pod or (self.serving() or self.trusted())[0]
        host = f"{chosen}.{self.name}-nodes.{self.kubectl.namespace}.svc.{self.setting.cluster_domain}"
        known = certificate or self.identity()["service_cert.pem"]
        return Door(self.kubectl, self.setting.reach, chosen, host, known)

    def doors(self) -> list[Door]:
        """The client interfaces of all nodes that may serve, under the published certificate."""
        certificate = self.identity()["service_cert.pem"]
        return [self.door(pod, certificate) for pod in self.serving() or self.trusted()]

    def primary(self) -> str:
        """The node that leads, as the nodes that serve say."""
        answer = patiently("the primary is known", lambda: self.door().ask(lambda c: c.get("/node/network")))
        return next(str(r["name"]) for r in self.records() if r.get("nodeId") == answer["primary_id"])

    def open(self, *, within: float = 120) -> Network:
        """Create the network, open it as its members, install the journal, and wait until it serves on every node."""
        self.create()
        self.wait_for_phase("AwaitingOpen", within=within)
        self.consortium.open(self.door())
        self.wait_for_phase("Running", within=60)
        self.wait_for("every node serves", lambda s: s["readyNodes"] == f"{self.nodes}/{self.nodes}", within=60)
        patiently("the journal is installed", lambda: self.consortium.install_app(self.door()))
        return self

    def busy(self) -> Network:
        """Open the network, and let a client write from now on until the scenario ends."""
        self.open()
        self.writer.start()
        return self

    def stop(self) -> None:
        """Let the client rest."""
        self.writer.stop()

    def committed(self) -> list[Written]:
        """All that any client of the network saw committed."""
        return [*self.client.committed, *self.writer.committed]

    def check_nothing_is_missing(self) -> None:
        """Let the client commit some more, then read back all that it ever saw committed."""
        self.writer.wait_for_more()
        self.stop()
        assert self.missing() == []

    def missing(self) -> list[Written]:
        """What was committed and cannot be read back; asked again for a while, for a backup may be late."""
        entries = self.committed()
        lost: list[list[Written]] = []

        def look() -> bool:
            lost.append(missing(self.door(), entries))
            return not lost[-1]

        try:
            eventually("all that was committed reads back", look, within=10, every=1)
        except AssertionError:
            if not lost:
                raise
        return lost[-1]

    def write(self, number: int = 3) -> None:
        """A client writes and waits for the commit."""
        patiently("the client's entries are committed", lambda: self.client.write(self.door(), number))

    def accept_recovery(self) -> None:
        """The members accept the recovered service and submit shares until it opens."""
        status = self.wait_for_phase("AwaitingMembers")
        winner = status["attempt"]["winner"]
        door = self.door(winner["node"], winner["serviceCertificate"])
        patiently("the members accept", lambda: self.consortium.accept_recovery(door))
        patiently("the members submit shares", lambda: self.consortium.submit_shares(door))

    def let_members_recover(self, recoveries: int = 1, within: float = 120) -> dict[str, Any]:
        """The members do what the status asks of them, as often as it asks, until the network runs on all its nodes."""

        def act() -> dict[str, Any] | None:
            status = self.status()
            self._do_as_asked(status)
            return status if self._runs(status, recoveries) else None

        return eventually(f"{self.name} runs again", act, within=within, every=0.5)

    def _do_as_asked(self, status: dict[str, Any]) -> None:
        told = status.get("nextStep", "")
        at = re.search(rf" at (\S+)\.{re.escape(self.name)}-nodes", told)
        if status.get("reason") == "AcceptService" and at:
            self.consortium.accept_recovery(self.door(at.group(1), status["attempt"]["winner"]["serviceCertificate"]))
        elif status.get("reason") == "RecoveryShares" and at:
            self.consortium.submit_shares(self.door(at.group(1), status["attempt"]["winner"]["serviceCertificate"]))
        elif not status.get("attempt") and told.startswith("members: propose"):
            trust = re.findall(r"transition_node_to_trusted (\w+)", told)
            self.consortium.trust(self.door(), trust, remove=re.findall(r"remove_node (\w+)", told))

    def _runs(self, status: dict[str, Any], recoveries: int) -> bool:
        ready = status.get("readyNodes") == f"{self.nodes}/{self.nodes}"
        return status.get("phase") == "Running" and status.get("recoveries") == recoveries and ready

    def wait_for_recovered(self, recoveries: int = 1, within: float = 120) -> dict[str, Any]:
        """The status once the network runs again on all its nodes, so many recoveries later."""
        return self.wait_for(
            f"{self.name} runs again",
            lambda s: self._runs(s, recoveries),
            within=within,
        )


def _runs(pod: Object) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    return any(one["name"] == "ccf" and "running" in one["state"] for one in statuses)
