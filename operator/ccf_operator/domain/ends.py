"""What proves that a node has ended.

A node has provably ended if the kubelet reported its container `ccf` terminated; if it can never start, because the
container before it failed or the pod was deleted before it was given a machine; or if a person or the cloud says that
its machine is gone. Phase, absence and silence prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ccf_operator.api.status import Ended, EndEvidence, Machine, NodeRecord
from ccf_operator.domain.observation import MachineView, PodView

MESSAGE_LIMIT = 500


def proof_of_end(
    record: NodeRecord, pod: PodView | None, machines: Mapping[str, MachineView] | None, now: datetime
) -> Ended | None:
    """The proof that the node of this record has ended, or None.

    `pod` is the node's own pod (None: it is not there, which proves nothing); `machines` the Kubernetes Nodes that
    exist, None where they could not be read.
    """
    if pod is not None:
        if pod.ccf.terminated is not None:
            ended = pod.ccf.terminated
            return Ended(
                evidence=EndEvidence.CONTAINER_TERMINATED,
                at=now,
                exit_code=ended.exit_code,
                reason=ended.reason or None,
                message=ended.message[-MESSAGE_LIMIT:] or None,
                disk_kept=_same_boot(record.machine, machines),
            )
        if pod.stage.terminated is not None and pod.stage.terminated.exit_code != 0:
            failed = pod.stage.terminated
            return Ended(
                evidence=EndEvidence.NEVER_STARTED,
                at=now,
                exit_code=failed.exit_code,
                reason="StageFailed",
                message=failed.message[-MESSAGE_LIMIT:] or None,
            )
        if pod.deleting and pod.machine is None:
            return Ended(evidence=EndEvidence.NEVER_STARTED, at=now, reason="NeverScheduled")
    return _machine_is_gone(record.machine, machines, now)


def _same_boot(machine: Machine | None, machines: Mapping[str, MachineView] | None) -> bool:
    if machine is None or machine.boot_id is None or machines is None:
        return False
    current = machines.get(machine.name)
    return current is not None and current.uid == machine.uid and current.boot_id == machine.boot_id


def _machine_is_gone(
    machine: Machine | None, machines: Mapping[str, MachineView] | None, now: datetime
) -> Ended | None:
    if machine is None or machine.uid is None or machines is None:
        return None
    current = machines.get(machine.name)
    if current is None or current.uid != machine.uid:
        return Ended(evidence=EndEvidence.MACHINE_DELETED, at=now, reason=f"Node {machine.name} is gone")
    if current.out_of_service:
        return Ended(evidence=EndEvidence.OUT_OF_SERVICE, at=now, reason=f"Node {machine.name} is out of service")
    return None
