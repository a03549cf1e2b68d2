"""Small builders of the frozen data that decisions are made of. Times are seconds after `START`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    Candidate,
    CandidateResult,
    Command,
    Configuration,
    Counters,
    Ended,
    EndEvidence,
    Machine,
    NetworkStatus,
    NodeRecord,
    ServiceStatus,
    Survey,
    VolumeRecord,
    Winner,
)
from ccf_operator.ccf.answers import (
    Ack,
    ConsensusAnswer,
    ConsensusConfig,
    NetworkAnswer,
    NodeAnswers,
    NodeRow,
    StateAnswer,
)
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.observation import (
    ClaimView,
    ContainerView,
    Inputs,
    MachineView,
    MemberInput,
    Observation,
    PodView,
    Terminated,
)
from ccf_operator.domain.service import ServiceView, view_service
from ccf_operator.domain.txid import TxID
from ccf_operator.render import labels

UID = "0f1e2d3c-0000-0000-0000-000000000000"
START = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW = "0" * 64, "1" * 64
"""Keys of two services."""


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def node_id(name: str) -> str:
    """A CCF node id that shows whose it is."""
    return name.encode().hex().ljust(64, "f")


def spec(**fields: object) -> CCFNetworkSpec:
    return CCFNetworkSpec.model_validate(
        {
            "nodes": 3,
            "image": "ccf:7",
            "members": [{"name": "alice", "certificate": {"value": "PEM"}, "encryptionPublicKey": {"value": "PEM"}}],
            "constitution": {"configMapRef": {"name": "constitution"}},
            **fields,
        }
    )


def inputs(*problems: str) -> Inputs:
    member = MemberInput("alice", "PEM", "PEM", None, None)
    return Inputs(constitution=(("actions.js", "//"),), members=(member,), problems=problems)


def pod(name: str, **fields: Any) -> PodView:
    """A pod whose CCF container runs; `ccf` and `stage` replace its containers."""
    known: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "labels": {},
        "finalizers": (labels.POD_FINALIZER,),
        "deleting": False,
        "created_at": START,
        "phase": "Running",
        "ready": True,
        "ip": "10.0.0.1",
        "machine": "m1",
        "owner_uid": UID,
        "stage": ContainerView(terminated=Terminated(0)),
        "ccf": ContainerView(running=True, started_at=START),
    }
    return PodView(**{**known, **fields})


def ended_container(code: int = 137, reason: str = "Error", message: str = "") -> ContainerView:
    return ContainerView(started_at=START, terminated=Terminated(code, reason, message))


def machine(name: str = "m1", **fields: Any) -> MachineView:
    known: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "ready": True,
        "boot_id": f"boot-{name}",
        "out_of_service": False,
    }
    return MachineView(**{**known, **fields})


def on(name: str = "m1", boot_id: str | None = "boot-m1") -> Machine:
    """The machine a node is on record to run on."""
    return Machine(name=name, uid=f"uid-{name}", boot_id=boot_id)


def end(evidence: EndEvidence = EndEvidence.CONTAINER_TERMINATED, *, kept: bool = True, after: float = 0) -> Ended:
    return Ended(evidence=evidence, at=at(after), exit_code=137, disk_kept=kept)


def record(name: str, **fields: Any) -> NodeRecord:
    """A node that runs on a volume of its own (`v-<name>`), generation 0."""
    known: dict[str, Any] = {
        "name": name,
        "volume": f"v-{name}",
        "generation": 0,
        "command": Command.JOIN,
        "planned_at": START,
        "pod_uid": f"uid-{name}",
        "node_id": node_id(name),
        "machine": on(),
    }
    return NodeRecord(**{**known, **fields})


def volume(name: str, lineage: Iterable[int] = (0,), **fields: Any) -> VolumeRecord:
    known: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "lineage": list(lineage),
        "service": OLD,
        "next_generation": max(lineage, default=-1) + 1,
    }
    return VolumeRecord(**{**known, **fields})


def claim(name: str, **fields: Any) -> ClaimView:
    known: dict[str, Any] = {
        "name": name,
        "uid": f"uid-{name}",
        "phase": "Bound",
        "volume_name": f"pv-{name}",
        "labels": {labels.NETWORK_UID: UID},
        "annotations": {},
    }
    return ClaimView(**{**known, **fields})


def service(**fields: Any) -> ServiceStatus:
    """A service that is open."""
    known: dict[str, Any] = {"status": "Open", "certificate": f"PEM {OLD}", "public_key": OLD, "opened_at": START}
    return ServiceStatus(**{**known, **fields})


def configuration(*names: str, seqno: int = 10, pending: Iterable[Iterable[str]] = ()) -> Configuration:
    """A committed configuration of the nodes of these names."""
    return Configuration(
        seqno=seqno,
        nodes=sorted(map(node_id, names)),
        pending=[sorted(map(node_id, p)) for p in pending],
        service=OLD,
        seen_at=START,
    )


def config(*names: str, seqno: int = 10) -> ConsensusConfig:
    """A configuration as a node tells of it."""
    return ConsensusConfig(seqno, seqno, frozenset(map(node_id, names)))


def answers(
    name: str,
    *,
    configs: Iterable[ConsensusConfig] | None = (),
    primary: str | None = None,
    key: str = OLD,
    status: str = "Open",
    state: str = "PartOfNetwork",
    view: int = 2,
    commit: str | None = "2.20",
    recovery_count: int = 0,
    created: str = "2.1",
    ready_app: bool | None = None,
    acks: Mapping[str, int] | None = None,
    rows: Mapping[str, str] | None = None,
    removable: Iterable[str] = (),
    previous: str | None = None,
    last_signed: int = 20,
) -> NodeAnswers:
    """What a part of a service says. Nodes are given by name. `configs` None: it has no consensus yet."""
    said = (
        None
        if configs is None
        else ConsensusAnswer(
            configs=tuple(configs),
            acks={node_id(n): Ack(seqno, 10) for n, seqno in (acks or {}).items()},
            membership="Active",
            leadership="Leader" if primary == name else "Follower",
            primary_id=node_id(primary) if primary else None,
            view=view,
        )
    )
    return NodeAnswers(
        reached=True,
        node_id=node_id(name),
        state=StateAnswer(node_id(name), state, last_signed, 0, False),
        network=NetworkAnswer(
            status,
            f"PEM {key}",
            key,
            view,
            node_id(primary) if primary else None,
            recovery_count,
            TxID.parse(created),
        ),
        nodes=tuple(
            NodeRow(node_id(n), s, n == primary, {"client": f"{n}.bank-nodes:8080"}) for n, s in (rows or {}).items()
        ),
        consensus=said,
        commit=TxID.parse(commit) if commit else None,
        ready_app=status == "Open" if ready_app is None else ready_app,
        ready_gov=True,
        removable=frozenset(map(node_id, removable)),
        previous_identity=f"PEM {previous}" if previous else None,
        previous_identity_key=previous,
    )


def pending(name: str) -> NodeAnswers:
    """What a joiner says that is not trusted yet."""
    return NodeAnswers(
        reached=True, node_id=node_id(name), state=StateAnswer(node_id(name), "Pending", 0, 0, False), ready_app=False
    )


def quorum(*names: str, members: Iterable[str] | None = None, **fields: Any) -> dict[str, NodeAnswers]:
    """What the nodes of these names say where the first leads a configuration of `members` (absent: of them all)."""
    configs = (config(*(names if members is None else members)),)
    acks = {name: 20 for name in names}
    return {name: answers(name, configs=configs, primary=names[0], acks=acks, **fields) for name in names}


def survey(last_signed: str | None = "2.20", *, configurations: Mapping[int, Iterable[str]] | None = None) -> Survey:
    found = {10: ("a", "b", "c")} if configurations is None else configurations
    return Survey(
        last_signed=last_signed,
        sound=True,
        configurations=[sorted(map(node_id, names)) for names in found.values()],
        configuration_seqnos=list(found),
    )


def stage_message(last_signed: str | None = "2.20", *, committed_end: int = 0, **fields: Any) -> str:
    """The termination message of `stage`."""
    found = {
        "lastSigned": last_signed,
        "committedEnd": committed_end,
        "sound": True,
        "problems": [],
        "configurations": [[node_id("a"), node_id("b"), node_id("c")]],
        "configurationSeqnos": [10],
        "recoveryCount": 0,
        "serviceKey": OLD,
        "opened": True,
        **fields,
    }
    return json.dumps({"version": 1, "generation": 1, "outcome": "Staged", "survey": found})


def candidate(name: str, **fields: Any) -> Candidate:
    """A candidate on volume `v-<name>`, whose node is `r-<name>`."""
    known: dict[str, Any] = {
        "volume": f"v-{name}",
        "claim_uid": f"uid-v-{name}",
        "lineage": [0],
        "generation": 1,
        "node": f"r-{name}",
        "created_at": START,
        "stage": "Unscheduled",
    }
    return Candidate(**{**known, **fields})


def recovered(name: str, tx_id: str, **fields: Any) -> Candidate:
    """A candidate that has recovered its ledger up to `tx_id`."""
    found = TxID.parse(tx_id)
    known: dict[str, Any] = {
        "result": CandidateResult.RECOVERED,
        "tx_id": tx_id,
        "create_tx_id": str(TxID(found.view + 2, found.seqno + 1)),
        "service_certificate": f"PEM of r-{name}",
        "stage": "Done",
        "survey": survey(tx_id),
    }
    return candidate(name, **{**known, **fields})


def crowned(node: str, **fields: Any) -> Winner:
    """The choice of the candidate on `v-a`, which recovered 2.20."""
    return Winner(
        **{
            "node": node,
            "volume": "v-a",
            "tx_id": "2.20",
            "create_tx_id": "4.21",
            "recovery_count": 1,
            "service_certificate": "PEM",
            "public_key": NEW,
            "chosen_at": START,
            **fields,
        }
    )


def attempt(*candidates: Candidate, members: Iterable[str] = ("a", "b", "c"), **fields: Any) -> Attempt:
    """An attempt to recover the service OLD of the nodes a, b and c."""
    known: dict[str, Any] = {
        "number": 1,
        "phase": AttemptPhase.RECOVERING,
        "base_service": OLD,
        "base_certificate": f"PEM {OLD}",
        "base_recovery_count": 0,
        "configuration": sorted(map(node_id, members)),
        "configuration_seqno": 10,
        "members_of": {node_id(name): f"v-{name}" for name in members},
        "candidates": list(candidates),
    }
    return Attempt(**{**known, **fields})


def status(*nodes: NodeRecord, **fields: Any) -> NetworkStatus:
    """The status of a network whose service is open and whose nodes have these records."""
    written = {name: max(r.generation for r in nodes if r.volume == name) for name in {r.volume for r in nodes}}
    volumes = {r.volume: volume(r.volume, next_generation=written[r.volume] + 1) for r in nodes}
    known: dict[str, Any] = {
        "service": service(),
        "nodes": list(nodes),
        "volumes": list(volumes.values()),
        "counters": Counters(next_node=100, next_volume=100),
    }
    return NetworkStatus(**{**known, **fields})


def _labels_of(record: NodeRecord) -> dict[str, str]:
    """What the operator has labelled its pod with."""
    return {labels.TRAFFIC: "true"} if record.fit else {}


def observation(of: NetworkStatus, *, after: float = 0, **fields: Any) -> Observation:
    """A look at a network with this status: every node that has not ended has a pod, every volume its claim."""
    known: dict[str, Any] = {
        "now": at(after),
        "namespace": "default",
        "name": "bank",
        "uid": UID,
        "generation": 1,
        "deleting": False,
        "spec": spec(),
        "status": of,
        "inputs": inputs(),
        "pods": {r.name: pod(r.name, labels=_labels_of(r)) for r in of.nodes if r.ended is None},
        "claims": {v.name: claim(v.name) for v in of.volumes},
        "config_maps": frozenset(),
        "machines": {"m1": machine("m1")},
        "answers": {},
    }
    return Observation(**{**known, **fields})


def draft(of: NetworkStatus, *, after: float = 0, **fields: Any) -> Draft:
    """A draft of what is decided on such a look."""
    return Draft.of(observation(of, after=after, **fields))


def view(of: Draft, key: str = OLD) -> ServiceView:
    """What the nodes of a service say together on this look."""
    return view_service(of, key, of.status.nodes)
