"""A model of Kubernetes: machines that fail, kubelets that are cut off, claims, a scheduler, pods with finalizers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ccf_operator.api.status import Command, NetworkStatus, NodeRecord, PodState
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.observation import (
    ClaimView,
    ContainerView,
    MachineView,
    PersistentVolumeView,
    PodView,
    Terminated,
)
from ccf_operator.render import labels, names
from unit.simulation.ccf_model import (
    Ccf,
    Generation,
    Log,
    Process,
    configurations,
    end_of,
    has_opened,
    read_lineage,
    recoveries_in,
    service_of,
)

IMAGE = "ccf:7"
"""The image that can be pulled."""
FIRST_UID = "0f1e2d3c-0000-0000-0000-000000000000"


class Violation(AssertionError):
    """Something has happened that must never happen."""


@dataclass
class Machine:
    name: str
    uid: str
    boot: int = 0
    on: bool = True
    cut: bool = False
    """Its kubelet and the API server cannot talk; what runs goes on."""
    tainted: bool = False
    exists: bool = True
    """The Kubernetes Node does."""
    cordoned: bool = False
    lingers: bool = False
    """Its pods are still there, though somebody has said that it is gone: no controller has got to them yet."""

    @property
    def works(self) -> bool:
        return self.on and not self.cut

    @property
    def given_up(self) -> bool:
        """Whether somebody says that nothing runs there."""
        return self.tainted or not self.exists

    @property
    def forgets_pods(self) -> bool:
        """Whether a controller removes its pods without asking its kubelet."""
        return not self.lingers and (not self.exists or (self.tainted and not self.works))

    @property
    def first_uid(self) -> str:
        """Of the Kubernetes Node that it was at first."""
        return f"uid-{self.name}"


@dataclass
class Pod:
    record: NodeRecord
    """As it was when the pod was created."""
    uid: str
    owner_uid: str
    lineage: list[int]
    doubtful: list[int]
    """Generations of failed attempts, to be looked at too."""
    recoveries: int
    """How many recoveries the service that is recovered has come through."""
    labels: dict[str, str]
    created_at: datetime
    machine: str | None = None
    finalizer: bool = True
    deleting: bool = False
    process: Process | None = None
    stage_code: int | None = None
    stage_message: str = ""
    is_late: bool = False
    """An operator that had stopped asked for it: its node may have come and gone since."""
    impostor: bool = False
    """Somebody else answers at its address."""
    image: str = ""
    stuck: PodState | None = None
    """It comes no further than this."""
    never_was: bool = False
    """It was stuck, and is over: no container of it runs, nor did CCF ever."""
    rejected: str | None = None
    """Why its kubelet has given it up; what ran may run on, and nothing of it is reported."""
    reports: str = "deleted"
    """When such a kubelet ends what runs and reports the end after all: `now`, when `deleted`, or `never`."""
    seen: ContainerView = field(default_factory=ContainerView)
    """What the kubelet has reported of the container `ccf`."""

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def volume(self) -> str:
        return self.record.volume

    @property
    def terminal(self) -> bool:
        over = self.rejected is not None and self.process is not None and not self.process.alive
        return self.seen.terminated is not None or self.stage_code not in (None, 0) or self.never_was or over


@dataclass
class Claim:
    uid: str
    network_uid: str
    machine: str | None = None
    generations: dict[int, Generation] = field(default_factory=dict)
    claimed: dict[int, str] = field(default_factory=dict)
    """Which node has claimed which generation."""
    lineages: dict[int, list[int]] = field(default_factory=dict)
    """Of which ancestors a generation is the rest."""
    recoveries: dict[int, int] = field(default_factory=dict)
    """How many recoveries the service had come through that its node was made for."""
    annotations: dict[str, str] = field(default_factory=dict)
    damage: int | None = None
    """A survey finds that only so many entries are whole."""
    foreign: bool = False
    """Another hand has put something there."""
    deleting: bool = False
    retained: bool = True
    """Whether its volume stays when it goes."""
    idle: bool = False
    """No pod used it when somebody deleted it: nothing can keep it."""
    waits_for: str | None = None
    """It is to have this volume again, which still refers to the claim that is gone."""
    name: str = ""
    volume: str = ""
    """Name of its PersistentVolume: no two ever have the same."""


@dataclass
class Explorer:
    """A pod that reads a volume; it has read it when its machine works."""

    uid: str
    volume: str
    owner_uid: str
    created_at: datetime
    found: str | None = None


class Kubernetes:
    """The cluster: time passes with `tick`."""

    def __init__(self, ccf: Ccf, machines: int) -> None:
        self.ccf = ccf
        self.machines = {f"m{n}": Machine(f"m{n}", f"uid-m{n}") for n in range(machines)}
        self.pods: dict[str, Pod] = {}
        self.orphans: list[Pod] = []
        """Pods that were removed while their processes ran; their kubelets do not know that yet."""
        self.claims: dict[str, Claim] = {}
        self.released: dict[str, Claim] = {}
        """What volumes hold that have outlived their claims, by the names of the volumes."""
        self.destroyed: list[str] = []
        """Volumes that went with claims that pods had used when somebody deleted them."""
        self.provisioned: list[str] = []
        """Names of the claims that volumes were ever made for."""
        self.namespace_terminating = False
        self.explorers: dict[str, Explorer] = {}
        self.config_maps: set[str] = set()
        self.deleted_config_maps: set[str] = set()
        """Those that somebody else has deleted."""
        self.sticks: list[PodState] = []
        """Where the next pods get stuck, one each."""
        self.uids = 0
        self.network_uid = FIRST_UID
        self.identity: IdentityView | None = None
        """What clients are told."""
        self.forgetful = False
        """An old status was put back, or one was edited: plans may be older than the volumes."""

    # What the operator does

    def create_claim(self, name: str) -> None:
        if name not in self.claims:
            others = sum(volume == name for volume in self.provisioned)
            self.provisioned.append(name)
            volume = f"pv-{name}" if others == 0 else f"pv-{name}.{others}"
            self.claims[name] = Claim(self._uid(), self.network_uid, name=name, volume=volume)

    def reclaim(self, name: str, volume: str) -> None:
        if name not in self.claims:
            self.claims[name] = Claim(self._uid(), self.network_uid, waits_for=volume, name=name, volume=volume)

    def annotate_claim(self, name: str, uid: str, facts: str) -> None:
        claim = self.claims.get(name)
        if claim is not None and claim.uid == uid:
            claim.annotations[labels.RECOVERY_FACTS] = facts

    def explore(self, volume: str, claim_uid: str, now: datetime) -> None:
        name = names.explorer("bank", claim_uid)
        if volume in self.claims and self.claims[volume].uid == claim_uid and name not in self.explorers:
            self.explorers[name] = Explorer(self._uid(), volume, self.network_uid, now)

    def create_node(self, name: str, status: NetworkStatus, now: datetime, image: str, *, is_late: bool) -> None:
        if name in self.pods:
            return
        record = status.node(name)
        assert record is not None, "a node is created only when it is on record"
        self.config_maps.add(name)
        lineage, doubtful, recoveries = list[int](), list[int](), status.service.recovery_count
        if record.command is Command.RECOVER:
            assert status.attempt is not None
            candidate = next(c for c in status.attempt.candidates if c.node == name)
            lineage, doubtful = list(candidate.lineage), list(candidate.doubtful)
            recoveries = status.attempt.base_recovery_count
        role = labels.Role.CANDIDATE if record.command is Command.RECOVER else labels.Role.NODE
        marks = {
            labels.ROLE: role.value,
            labels.VOLUME: record.volume,
            labels.NODE: name,
            labels.GENERATION: str(record.generation),
            labels.COMMAND: record.command.value,
        }
        made = Pod(record, self._uid(), self.network_uid, lineage, doubtful, recoveries, marks, now, is_late=is_late)
        made.image = image
        made.stuck = self.sticks.pop(0) if self.sticks else None if image == IMAGE else PodState.PULLING
        self.pods[name] = made

    def would_take_along(self, name: str) -> bool:
        """Whether a volume would be gone with this pod, be it a node's or one that reads."""
        pod, reader = self.pods.get(name), self.explorers.get(name)
        volume = pod.volume if pod is not None else reader.volume if reader is not None else ""
        claim = self.claims.get(volume)
        if claim is None or not claim.deleting or claim.retained or self.namespace_terminating:
            return False
        return name in self._users(volume)

    def _users(self, volume: str) -> set[str]:
        """Pods with a machine that name a claim, ended or not: they keep it from going."""
        nodes = {pod.name for pod in self.pods.values() if pod.volume == volume and pod.machine is not None}
        return nodes | {name for name, pod in self.explorers.items() if pod.volume == volume and pod.found is not None}

    def delete_pod(self, name: str, uid: str) -> None:
        if name in self.explorers and self.explorers[name].uid == uid:
            del self.explorers[name]
        pod = self.pods.get(name)
        if pod is not None and pod.uid == uid:
            pod.deleting = True
            self._remove_if_done(pod)

    def release_pod(self, name: str, uid: str) -> None:
        pod = self.pods.get(name)
        if pod is not None and pod.uid == uid:
            pod.deleting, pod.finalizer = True, False
            self._remove_if_done(pod)

    def label(self, name: str, uid: str, changes: tuple[tuple[str, str | None], ...]) -> None:
        pod = self.pods.get(name)
        if pod is None or pod.uid != uid:
            return
        for key, value in changes:
            if value is None:
                pod.labels.pop(key, None)
            else:
                pod.labels[key] = value

    def _uid(self) -> str:
        self.uids += 1
        return f"uid-{self.uids}"

    def _remove_if_done(self, pod: Pod) -> None:
        machine = self.machines.get(pod.machine or "")
        gone = machine is None or machine.forgets_pods
        if pod.deleting and not pod.finalizer and (pod.terminal or gone) and self.pods.pop(pod.name, None) is not None:
            self.orphans.append(pod)

    # What happens by itself

    def tick(self, now: datetime) -> None:
        for pod in list(self.pods.values()):
            self._schedule(pod)
        self._end_orphans()
        self._protect_claims()
        for pod in list(self.pods.values()):
            machine = self.machines.get(pod.machine or "")
            self._remove_if_done(pod)  # once its end has been reported for a while
            if machine is not None and machine.given_up and not machine.lingers:
                pod.deleting = True  # pod garbage collection, or eviction by the taint
            if machine is not None and machine.works and machine.exists:
                self._sync(pod, machine, now)
        for explorer in self.explorers.values():
            claim = self.claims.get(explorer.volume)
            machine = self.machines.get(claim.machine or "") if claim is not None else None
            if claim is not None and machine is not None and machine.works and machine.exists and not machine.tainted:
                explorer.found = json.dumps(
                    {
                        "facts": _shown_by(claim),
                        "manifests": {
                            "networks": [claim.network_uid],
                            "volumes": [explorer.volume],
                            "generations": sorted(claim.claimed),
                        },
                        "problems": [],
                    }
                )

    def begin_to_delete_claim(self, name: str, *, retained: bool) -> None:
        """Somebody deletes a claim, which goes when no pod uses it."""
        claim = self.claims[name]
        claim.deleting, claim.retained, claim.idle = True, retained, not self._users(name)

    def _protect_claims(self) -> None:
        """A claim that is being deleted goes when no pod uses it any more, and its volume stays or not."""
        for name, claim in list(self.claims.items()):
            if not claim.deleting or self._users(name):
                continue
            del self.claims[name]
            if claim.machine is not None and claim.retained:
                self.released[claim.volume] = claim
            elif claim.machine is not None and not claim.idle:
                self.destroyed.append(claim.volume)

    def retain(self, volume: str) -> None:
        """A person has a volume stay when its claim goes."""
        for claim in self.claims.values():
            if claim.volume == volume:
                claim.retained = True

    def rebind(self, volume: str) -> None:
        """A person clears a volume's reference to the claim that is gone: the one that waits for it is bound."""
        waiting = next((name for name, claim in self.claims.items() if claim.waits_for == volume), None)
        held = self.released.get(volume)
        if waiting is not None and held is not None:
            claim = self.claims[waiting]
            del self.released[volume]
            held.uid, held.deleting, held.annotations = claim.uid, False, {}
            self.claims[waiting] = held

    def _end_orphans(self) -> None:
        """A kubelet ends what runs of pods that are no more, before it starts others."""
        for pod in list(self.orphans):
            machine = self.machines[pod.machine or ""] if pod.machine is not None else None
            if pod.process is None or not pod.process.alive:
                self.orphans.remove(pod)
            elif machine is not None and machine.works and machine.exists:
                self._end(pod.process)

    def _schedule(self, pod: Pod) -> None:
        claim = self.claims.get(pod.volume)
        if pod.machine is not None or pod.deleting or claim is None or claim.deleting or claim.waits_for:
            return
        held = {
            p.machine
            for p in self.pods.values()
            if p.machine
            and not p.terminal
            and not p.rejected
            and p.labels.get(labels.ROLE) != labels.Role.CANDIDATE.value
        }
        free = [
            m.name
            for m in self.machines.values()
            if m.works
            and m.exists
            and not m.tainted
            and not m.cordoned
            and claim.machine in (None, m.name)
            and (m.name not in held or pod.labels[labels.ROLE] == labels.Role.CANDIDATE.value)
        ]
        if free:
            pod.machine = claim.machine = free[0]

    def _sync(self, pod: Pod, machine: Machine, now: datetime) -> None:
        if pod.rejected is not None:
            self._report_rejected(pod, now)
            return
        if pod.process is None and pod.stage_code is None:
            if pod.stuck is not None:
                pod.never_was = pod.never_was or pod.deleting
                return
            if pod.deleting:
                pod.stage_code = 137
                return
            if pod.volume not in self.claims or pod.name not in self.config_maps:
                return  # its kubelet waits for what it is to mount
            self._start(pod)
        if pod.process is not None and pod.process.alive and pod.deleting:
            self._end(pod.process)
            pod.seen = ContainerView(started_at=now, terminated=Terminated(0, "Completed"))
        elif pod.process is not None and pod.process.alive:
            pod.seen = ContainerView(running=True, started_at=pod.seen.started_at or now)
        elif pod.process is not None and pod.seen.terminated is None:
            pod.seen = ContainerView(started_at=now, terminated=Terminated(137, "Error"))

    def _report_rejected(self, pod: Pod, now: datetime) -> None:
        """What a kubelet does about a pod that it has given up, once it gets to it."""
        if pod.process is None:
            pod.never_was = True
        elif pod.deleting or pod.reports == "now":
            ran = pod.process.alive
            self._end(pod.process)
            if pod.reports != "never":
                pod.seen = ContainerView(terminated=Terminated(137, "Error" if ran else "ContainerStatusUnknown"))

    def _start(self, pod: Pod) -> None:
        """What `stage` does, and what CCF does after it."""
        claim, generation = self.claims[pod.volume], pod.record.generation
        if claim.claimed.get(generation) == pod.name and pod.is_late:
            pod.stage_code = 3  # `stage` refuses a generation that has its manifest
            return
        if generation in claim.claimed:
            if self.forgetful:
                self._refuse(pod, claim, generation)
                return
            raise Violation(f"{pod.name} is to write generation {generation} of {pod.volume}, which is taken")
        if self.forgetful and max(claim.claimed, default=-1) > generation:
            self._refuse(pod, claim, generation)
            return
        claim.claimed[generation], claim.lineages[generation] = pod.name, pod.lineage
        claim.recoveries[generation] = pod.recoveries
        running = [p for p in self._writers(pod.volume) if not _is_late(pod, p)]
        disk = claim.generations.setdefault(generation, Generation(0))
        if pod.record.command is Command.RECOVER:
            if running:
                raise Violation(f"candidate {pod.name} starts on {pod.volume} while {running[0].name} writes to it")
            self._recover(pod, claim, disk)
        else:
            pod.stage_code = 0
            pod.process = (
                self.ccf.start(pod.name, disk)
                if pod.record.command is Command.START
                else self.ccf.join(pod.name, pod.record.join_target or "", pod.record.service_certificate, disk)
            )

    def _refuse(self, pod: Pod, claim: Claim, generation: int) -> None:
        """`stage` has a plan that is older than the volume."""
        later = [number for number in sorted(claim.claimed, reverse=True) if number >= generation]
        found = [
            {
                "generation": number,
                "node": claim.claimed[number],
                "command": "Recover" if claim.lineages.get(number) else "Join",
                "recoveryCount": claim.recoveries.get(number, 0),
            }
            for number in later
        ]
        pod.stage_code, pod.stage_message = 6, json.dumps({"version": 1, "outcome": "Outdated", "claims": found})

    def pods_and_orphans(self) -> tuple[Pod, ...]:
        """Whatever may have a process: pods, and those that were removed while theirs ran."""
        return (*self.pods.values(), *self.orphans)

    def _writers(self, volume: str) -> Iterator[Pod]:
        for pod in self.pods_and_orphans():
            if pod.volume == volume and pod.process is not None and pod.process.alive:
                yield pod

    def _recover(self, pod: Pod, claim: Claim, disk: Generation) -> None:
        if any(number not in claim.generations for number in pod.lineage):
            pod.stage_code = 4
            return
        log = read_lineage(claim.generations[number] for number in pod.lineage)
        if not log:
            pod.stage_code = 4 if log is None else 5
            return
        whole = log if claim.damage is None else log[: claim.damage]
        found = {**_survey(whole, len(log)), **_doubts(claim, pod)}
        pod.stage_code, pod.stage_message = 0, json.dumps({"version": 1, "survey": found})
        if not whole:
            pod.process = self.ccf.recover(pod.name, log[:1], disk)
            self._end(pod.process)
            return
        disk.base = len(whole)
        pod.process = self.ccf.recover(pod.name, whole, disk)
        pod.process.partial = len(whole) < len(log)

    def _end(self, process: Process) -> None:
        process.alive = process.leads = False

    def collect(self, owner_uid: str) -> None:
        """What belonged to a network that is gone goes, as far as no finalizer holds it."""
        self.config_maps.clear()
        self.identity = None
        for pod in list(self.pods.values()):
            if pod.owner_uid == owner_uid:
                self.delete_pod(pod.name, pod.uid)

    # What fate does

    def reject(self, name: str, why: str, *, runs_on: bool, reports: str) -> None:
        """A kubelet does not want a pod any more: it says why, and nothing of its containers."""
        pod = self.pods[name]
        pod.rejected, pod.reports, pod.seen = why, reports, ContainerView()
        if pod.process is not None and not runs_on:
            self._end(pod.process)

    def kill(self, name: str) -> None:
        """The process of this pod dies, be the pod there or collected while it ran."""
        named = [pod.process for pod in self.pods_and_orphans() if pod.name == name]
        assert named, f"nothing of the name {name} was ever there, or all of it is gone"
        for process in named:
            if process is not None:
                self._end(process)

    def power_off(self, name: str, *, unsynced: int = 0) -> None:
        """A power cut: what was written last may not be on the disk."""
        machine = self.machines[name]
        machine.on = False
        for pod in self.pods_and_orphans():
            if pod.machine == name and pod.process is not None and pod.process.alive:
                self._end(pod.process)
                entries = pod.process.disk.entries
                del entries[max(len(entries) - unsynced, 1) :]

    def power_on(self, name: str, *, says: str = "Unknown") -> None:
        """A machine is back; its kubelet gives this reason for the end of what had run there."""
        machine = self.machines[name]
        if machine.on:
            return
        machine.on, machine.boot = True, machine.boot + 1
        self.take_back(name)
        for pod in self.pods.values():
            reported = pod.seen.terminated is not None or pod.rejected is not None
            if pod.machine == name and pod.process is not None and not reported:
                pod.seen = ContainerView(terminated=Terminated(255, says))

    def give_up(self, name: str, *, deleted: bool, lingers: bool) -> None:
        """Somebody says that a machine is gone; whether that is so is another matter."""
        machine = self.machines[name]
        machine.tainted, machine.exists = machine.tainted or not deleted, machine.exists and not deleted
        machine.lingers = lingers

    def take_back(self, name: str) -> None:
        """The taint is removed, or the kubelet registers its Node again, which makes it another."""
        machine = self.machines[name]
        machine.tainted = machine.lingers = False
        if not machine.exists:
            machine.exists, machine.uid = True, self._uid()

    def lose_sight(self, name: str) -> None:
        """Neither the API server nor the operator hears of a machine; what runs there goes on."""
        self.machines[name].cut = True
        self._mute(name, mute=True)

    def hear_again(self, name: str) -> None:
        """What runs on a machine answers the operator again; its kubelet may still be cut off."""
        self._mute(name, mute=False)

    def _mute(self, name: str, *, mute: bool) -> None:
        for pod in self.pods_and_orphans():
            if pod.machine == name and pod.process is not None:
                pod.process.mute = mute

    # What a look shows

    def outline(self) -> list[tuple[object, ...]]:
        """What tells one moment from another, as far as pods and their processes go."""
        pods = [
            (pod.name, pod.uid, pod.machine, pod.deleting, pod.stage_code, pod.seen, sorted(pod.labels.items()))
            for pod in self.pods.values()
        ]
        processes = [
            (it.pod, len(it.log), it.commit, it.view, it.alive, it.leads, it.reading)
            for it in self.ccf.processes.values()
        ]
        explorers = [(name, pod.found) for name, pod in self.explorers.items()]
        return [*pods, *processes, *explorers, *((name, *c.annotations.values()) for name, c in self.claims.items())]

    def pod_views(self) -> dict[str, PodView]:
        nodes = {pod.name: self._view(pod) for pod in self.pods.values()}
        return nodes | {name: _explorer_view(name, pod) for name, pod in self.explorers.items()}

    def _view(self, pod: Pod) -> PodView:
        started = pod.stage_code is not None and (pod.rejected is None or pod.seen.terminated is not None)
        return PodView(
            name=pod.name,
            uid=pod.uid,
            labels=dict(pod.labels),
            finalizers=(labels.POD_FINALIZER,) if pod.finalizer else (),
            deleting=pod.deleting,
            created_at=pod.created_at,
            phase="Failed" if pod.terminal or pod.rejected else ("Running" if pod.seen.running else "Pending"),
            ready=pod.seen.running,
            ip="10.0.0.1" if pod.machine and pod.stuck is not PodState.ATTACHING and not pod.rejected else None,
            machine=pod.machine,
            owner_uid=pod.owner_uid,
            stage=ContainerView(terminated=Terminated(pod.stage_code or 0, message=pod.stage_message))
            if started
            else (ContainerView() if pod.rejected else _stuck_stage(pod)),
            ccf=ContainerView(waiting_reason="PodInitializing") if pod.never_was and not pod.rejected else pod.seen,
            unschedulable=None if pod.machine else "no machine",
            join_target=pod.record.join_target,
            reason=pod.rejected or "",
        )

    def claim_views(self) -> dict[str, ClaimView]:
        return {
            name: ClaimView(
                name,
                claim.uid,
                "Bound" if claim.machine else "Pending",
                claim.waits_for or claim.volume or f"pv-{name}",
                {labels.NETWORK_UID: claim.network_uid},
                dict(claim.annotations),
                deleting=claim.deleting,
            )
            for name, claim in self.claims.items()
        }

    def volume_views(self) -> dict[str, PersistentVolumeView]:
        bound = {
            claim.volume or f"pv-{name}": claim for name, claim in self.claims.items() if claim.machine is not None
        }
        return {
            name: PersistentVolumeView(
                name,
                f"uid-{name}",
                "Retain" if claim.retained else "Delete",
                claim=("default", claim.name or name.removeprefix("pv-")),
                claim_uid=claim.uid,
            )
            for name, claim in (bound | self.released).items()
        }

    def machine_views(self) -> dict[str, MachineView]:
        return {
            m.name: MachineView(m.name, m.uid, m.works, f"boot-{m.name}-{m.boot}", m.tainted)
            for m in self.machines.values()
            if m.exists
        }


def _is_late(pod: Pod, other: Pod) -> bool:
    """Whether a candidate was asked for by an attempt before the other's, and created late: it reads no word of it."""
    return (pod.record.attempt or 0) < (other.record.attempt or 0) and other.record.generation not in pod.lineage


def _stuck_stage(pod: Pod) -> ContainerView:
    """What the kubelet reports of `stage` before that has ended by itself."""
    match pod.stuck if pod.machine is not None else None:
        case PodState.PULLING:
            return ContainerView(waiting_reason="ImagePullBackOff")
        case PodState.CREATING:
            return ContainerView(waiting_reason="CreateContainerConfigError")
        case PodState.STAGING if not pod.never_was:
            return ContainerView(running=True)
        case PodState.STAGED:
            return ContainerView(terminated=Terminated(0))
    return ContainerView()


def _explorer_view(name: str, pod: Explorer) -> PodView:
    done = ContainerView(terminated=Terminated(0, message=pod.found)) if pod.found is not None else ContainerView()
    return PodView(
        name=name,
        uid=pod.uid,
        labels={labels.ROLE: labels.Role.EXPLORER.value, labels.VOLUME: pod.volume},
        finalizers=(),
        deleting=False,
        created_at=pod.created_at,
        phase="Succeeded" if pod.found is not None else "Pending",
        ready=False,
        ip=None,
        machine=None,
        owner_uid=pod.owner_uid,
        stage=ContainerView(),
        ccf=ContainerView(),
        unschedulable=None if pod.found is not None else "no machine",
        explorer=done,
    )


def _shown_by(claim: Claim) -> dict[str, object] | None:
    """The newest ledger on a volume of a service that was open, and whose it is."""
    for number in sorted(claim.generations, reverse=True):
        lineage = [*claim.lineages.get(number, []), number]
        log = read_lineage(claim.generations[n] for n in lineage if n in claim.generations)
        if log and has_opened(log):
            key = service_of(log)
            return {
                "lineage": lineage,
                "nextGeneration": max(claim.generations) + 1,
                "serviceCertificate": f"PEM {key}",
                "serviceKey": key,
                "recoveryCount": recoveries_in(log),
            }
    return None


def _survey(log: Log, written: int) -> dict[str, object]:
    """What a reading of the files finds: `log` is whole, `written` entries are claimed to be there."""
    last = configurations(log)[-4:]
    return {
        "lastSigned": str(end_of(log)) if log else None,
        "committedEnd": 0,
        "sound": len(log) == written,
        "problems": [] if len(log) == written else ["bits"],
        "configurations": [sorted(nodes) for _, nodes in last],
        "configurationSeqnos": [seqno for seqno, _ in last],
        "recoveryCount": recoveries_in(log) if log else None,
        "serviceKey": service_of(log),
        "opened": has_opened(log),
    }


def _doubts(claim: Claim, pod: Pod) -> dict[str, list[str]]:
    """Later services that generations of failed attempts show to have been opened."""
    opened = []
    for number in pod.doubtful:
        ancestors = [*claim.lineages.get(number, []), number]
        if all(n in claim.generations for n in ancestors):
            log = read_lineage(claim.generations[n] for n in ancestors)
            if log and has_opened(log) and recoveries_in(log) > pod.recoveries:
                opened.append(service_of(log) or "")
    return {"doubts": [f"service {key[:8]} was opened" for key in opened], "openedLater": opened}
