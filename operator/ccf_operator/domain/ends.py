"""What proves that a node has ended.

A node has provably ended if the kubelet reported its container `ccf` terminated; if that container can never start; or
if a person or the cloud says that its machine is gone. The phase of a pod whose process ran, absence and silence prove
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ccf_operator.api.status import Ended, EndEvidence, Machine
from ccf_operator.domain.observation import MachineView, PodView, Terminated

MESSAGE_LIMIT = 500

STAGE_FAILED = "StageFailed"
"""Reason of the end of a node whose init container failed; the exit code and message are those of `stage`."""

BY_WORD = frozenset({EndEvidence.OUT_OF_SERVICE, EndEvidence.MACHINE_DELETED})
"""Evidence that is somebody's word about a machine, where a report of the kubelet cannot be had."""

_FINAL_PHASES = frozenset({"Failed", "Succeeded"})
_COULD_NOT_START = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons that runtimes give for a container whose process they could not start, as where there is no such command."""
_NOT_SEEN_BY_THE_RUNTIME = frozenset({"Unknown", "ContainerStatusUnknown"})
"""Reasons given for a container that was found gone, as after a crash of its machine."""


def proof_of_end(
    machine: Machine | None, pod: PodView | None, machines: Mapping[str, MachineView] | None, now: datetime
) -> Ended | None:
    """The proof that a node has ended, or None.

    `machine` is where it is on record to have run, `pod` its own pod (None: it is not there, which proves nothing);
    `machines` the Kubernetes Nodes that exist, None where they could not be read.
    """
    if pod is not None:
        if (ended := pod.ccf.terminated) is not None:
            if ended.reason in _COULD_NOT_START:
                return _by_report(EndEvidence.NEVER_STARTED, ended, ended.reason, now)
            kept = ended.reason not in _NOT_SEEN_BY_THE_RUNTIME and _same_boot(machine, machines)
            return _by_report(EndEvidence.CONTAINER_TERMINATED, ended, ended.reason, now, disk_kept=kept)
        if (staged := pod.stage.terminated) is not None and staged.exit_code != 0:
            return _by_report(EndEvidence.NEVER_STARTED, staged, STAGE_FAILED, now)
        if _never_starts(pod):
            return Ended(evidence=EndEvidence.NEVER_STARTED, at=now)
        if machine is None and pod.machine is not None:
            machine = Machine(name=pod.machine)
    return _machine_is_gone(machine, machines, now)


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


def _never_starts(pod: PodView) -> bool:
    """Whether nothing of this pod ever ran CCF, and nothing ever will.

    A pod that is being deleted is not given a machine any more. The kubelet makes a phase final only when no container
    of the pod can be running, and reports no termination of one that was never started.
    """
    if pod.ccf.running or pod.ccf.started_at is not None or pod.stage.running:
        return False
    return (pod.deleting and pod.machine is None) or pod.phase in _FINAL_PHASES


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
