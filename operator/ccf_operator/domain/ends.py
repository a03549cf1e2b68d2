"""What proves that a node has ended.

A node that ever ran has provably ended if the kubelet reported its container `ccf` terminated, or if a person or the
cloud says that its machine is gone. The phase of its pod, a rejection by its kubelet, absence and silence prove nothing
(`domain.suspects` says what was seen instead). One that was never seen to run has ended, too, if it can never start.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ccf_operator.api.status import Ended, EndEvidence, Machine, NodeRecord
from ccf_operator.domain.corrections import REPLACED
from ccf_operator.domain.observation import MachineView, PodView, Terminated
from ccf_operator.domain.pod_progress import NOT_STARTED

MESSAGE_LIMIT = 500

STAGE_FAILED = "StageFailed"
"""Reason of the end of a node whose init container failed; the exit code and message are those of `stage`."""

NEVER_CREATED = "NeverCreated"
"""Reason of the end of a node that was given up before its pod was made."""

NEVER_BOUND = "NeverBound"
"""Reason of the end of a node whose pod was deleted before it had a machine."""

BY_WORD = frozenset({EndEvidence.OUT_OF_SERVICE, EndEvidence.MACHINE_DELETED})
"""Evidence that is somebody's word about a machine, where a report of the kubelet cannot be had."""

_COULD_NOT_START = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons that runtimes give for a container whose process they could not start, as where there is no such command."""
FINAL_PHASES = frozenset({"Failed", "Succeeded"})
"""Phases that a pod never leaves. Of one whose container is not reported they say no more than who has given it up."""

_CLAIMED = frozenset({3, 6})
"""Exit codes of `stage` for a generation that has its claim, or that newer ones have followed: of a pod that was
started anew, its own from before."""
_STOPPED_WAITING = frozenset({NOT_STARTED, REPLACED})
"""Why nodes are stopped that were seen not to have started, on machines that work."""
_NOT_SEEN_BY_THE_RUNTIME = frozenset({"Unknown", "ContainerStatusUnknown"})
"""Reasons given for a container that was found gone, as after a crash of its machine."""


def has_run(record: NodeRecord) -> bool:
    """Whether a node is known to have run: it has proven its id, or its service names it, or the kubelet has said so.

    An operator that was away has seen neither; see `may_have_run_unseen`.
    """
    return record.node_id is not None or record.started_at is not None


def proof_of_end(
    machine: Machine | None, pod: PodView | None, machines: Mapping[str, MachineView] | None, now: datetime
) -> Ended | None:
    """The proof that the process of a pod of which nothing is on record has ended, or None.

    `machine` is where it is known to have run, `pod` the pod (None: it is not there, which proves nothing); `machines`
    the Kubernetes Nodes that exist, None where they could not be read. Whether it ran is not known: that its kubelet
    rejects it proves nothing.
    """
    return (
        _reported(machine, pod, machines, now)
        or (_staging_failed(pod, now) or _never_bound(pod, now) if pod is not None else None)
        or _machine_is_gone(_where(machine, pod), machines, now)
    )


def proof_of_nodes_end(
    record: NodeRecord,
    pod: PodView | None,
    machines: Mapping[str, MachineView] | None,
    now: datetime,
    watched_since: datetime | None,
) -> Ended | None:
    """The proof that a node on record has ended, or None.

    `pod` is its own pod (None: it is not there, which proves nothing), `machines` as above. `watched_since`: since when
    this operator has looked without a gap, None where that is not known. One that started while nobody looked was never
    seen to run: where there was a gap since it was planned, the proof says so (`unseen`).
    """
    word = _machine_is_gone(_where(record.machine, pod), machines, now)
    ended = _reported(record.machine, pod, machines, now)
    if ended is not None and ended.evidence is EndEvidence.NEVER_STARTED and has_run(record):
        ended.evidence = EndEvidence.CONTAINER_TERMINATED  # the runtime could not start it once more
    if ended is not None or pod is None or has_run(record):
        return ended or word
    ended = _staging_failed(pod, now) or _never_bound(pod, now) or _rejected(pod, now)
    if ended is None:
        return word
    away = watched_since is None or watched_since > record.planned_at
    waited = word is None and record.stop in _STOPPED_WAITING and _is_reported_waiting(pod)
    ended.unseen = away and _may_hide_a_start(ended) and not waited
    return word if ended.unseen and word is not None else ended


def may_have_run_unseen(ended: Ended) -> bool:
    """Whether a node that is on record as never started may have run, and may run still, for nobody looked.

    It counts as one that may live wherever a loss is to be proven, and as one that may have served; what it wrote stays
    on its volume. If it is part of a service, a primary's rows tell its id, and the record is mended.
    """
    return ended.evidence is EndEvidence.NEVER_STARTED and ended.unseen


def may_live(record: NodeRecord) -> bool:
    """Whether a node's end is not proven, or it may have run while nobody looked, and may do so still."""
    return record.ended is None or may_have_run_unseen(record.ended)


def is_refuted(record: NodeRecord) -> bool:
    """Whether a node is on record as never started which has run, as has been learned since."""
    ended = record.ended
    if ended is None or ended.evidence is not EndEvidence.NEVER_STARTED or ended.reason == NEVER_CREATED:
        return False  # one that was never created is there again when its pod turns up
    return has_run(record)


def in_words(ended: Ended) -> str:
    """What proves an end, shortly: the evidence, and what was seen."""
    said = [ended.evidence.value]
    if ended.exit_code is not None:
        said.append(f"exit code {ended.exit_code}")
    elif ended.reason is not None:
        said.append(ended.reason)
    return ", ".join(said)


def _where(machine: Machine | None, pod: PodView | None) -> Machine | None:
    if machine is None and pod is not None and pod.machine is not None:
        return Machine(name=pod.machine)
    return machine


def _reported(
    machine: Machine | None, pod: PodView | None, machines: Mapping[str, MachineView] | None, now: datetime
) -> Ended | None:
    if pod is None or (ended := pod.ccf.terminated) is None:
        return None
    if ended.reason in _COULD_NOT_START:
        return _by_report(EndEvidence.NEVER_STARTED, ended, ended.reason, now)
    kept = ended.reason not in _NOT_SEEN_BY_THE_RUNTIME and _same_boot(machine, machines)
    return _by_report(EndEvidence.CONTAINER_TERMINATED, ended, ended.reason, now, disk_kept=kept)


def _staging_failed(pod: PodView, now: datetime) -> Ended | None:
    staged = pod.stage.terminated
    if staged is None or staged.exit_code == 0:
        return None
    return _by_report(EndEvidence.NEVER_STARTED, staged, STAGE_FAILED, now)


def _by_report(
    evidence: EndEvidence, report: Terminated, reason: str, now: datetime, *, disk_kept: bool = False
) -> Ended:
    return Ended(
        evidence=evidence,
        at=now,
        exit_code=report.exit_code,
        reason=reason or None,
        message=report.message[-MESSAGE_LIMIT:] or None,
        disk_kept=disk_kept,
    )


def _never_bound(pod: PodView, now: datetime) -> Ended | None:
    """A pod that is being deleted is not given a machine any more."""
    if not pod.deleting or pod.machine is not None or _may_be_running(pod):
        return None
    return Ended(evidence=EndEvidence.NEVER_STARTED, at=now, reason=NEVER_BOUND)


def _rejected(pod: PodView, now: datetime) -> Ended | None:
    """A kubelet that was never seen to start a pod, and that has given it up, does not start it any more."""
    if pod.phase not in FINAL_PHASES or _may_be_running(pod):
        return None
    return Ended(
        evidence=EndEvidence.NEVER_STARTED,
        at=now,
        reason=pod.reason or pod.phase,
        message=pod.message[-MESSAGE_LIMIT:] or None,
    )


def _may_be_running(pod: PodView) -> bool:
    return pod.ccf.running or pod.ccf.started_at is not None or pod.stage.running


def _may_hide_a_start(ended: Ended) -> bool:
    """Whether its pod would look the same if it had run: rejected since, or started anew on what it had claimed."""
    if ended.reason == STAGE_FAILED:
        return ended.exit_code in _CLAIMED
    return ended.reason != NEVER_BOUND


def _is_reported_waiting(pod: PodView) -> bool:
    """Whether the kubelet reports of a pod that is over that its node still waits to be started: so it does where it
    ends a pod by itself, and never starts it afterwards. Of one that it rejects it reports no container at all."""
    return pod.deleting and pod.ccf.waiting_reason is not None


def _same_boot(machine: Machine | None, machines: Mapping[str, MachineView] | None) -> bool:
    if machine is None or machine.boot_id is None or machines is None:
        return False
    current = machines.get(machine.name)
    return current is not None and current.uid == machine.uid and current.boot_id == machine.boot_id


def _machine_is_gone(
    machine: Machine | None, machines: Mapping[str, MachineView] | None, now: datetime
) -> Ended | None:
    if machine is None or machines is None:
        return None
    current = machines.get(machine.name)
    if current is None or (machine.uid is not None and current.uid != machine.uid):
        return Ended(evidence=EndEvidence.MACHINE_DELETED, at=now, reason=f"Node {machine.name} is gone")
    if current.out_of_service:
        return Ended(evidence=EndEvidence.OUT_OF_SERVICE, at=now, reason=f"Node {machine.name} is out of service")
    return None
