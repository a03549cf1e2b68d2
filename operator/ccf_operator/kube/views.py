"""From the API server's JSON to the views that decisions are made on.

Pure. A field that is missing gives an empty view, never an error: what the kubelet has not reported is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from ccf_operator.api.decision import CCFRecoveryDecisionSpec
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.observation import (
    ClaimView,
    ContainerView,
    DecisionView,
    EventView,
    MachineView,
    PersistentVolumeView,
    PodView,
    Terminated,
)
from ccf_operator.kube.ownership import controller_of, owner_uid
from ccf_operator.render import labels

OUT_OF_SERVICE_TAINT = "node.kubernetes.io/out-of-service"
STAGE = "stage"
CCF = "ccf"
EXPLORER = "explorer"

_EPOCH = datetime.fromtimestamp(0, UTC)


def moment(text: str | None) -> datetime | None:
    """A Kubernetes time (RFC 3339, UTC), or None where there is none or it does not parse."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def container_view(statuses: list[Mapping[str, Any]] | None, name: str) -> ContainerView:
    """The current state of one container; empty if the kubelet has not reported it.

    `lastState` is left out: it belongs to an earlier run of a container that has been started again.
    """
    status = next((s for s in statuses or [] if s.get("name") == name), None)
    if status is None:
        return ContainerView()
    state = status.get("state") or {}
    if (ended := state.get("terminated")) is not None:
        return ContainerView(
            started_at=moment(ended.get("startedAt")),
            terminated=Terminated(
                exit_code=int(ended.get("exitCode", 0)),
                reason=ended.get("reason") or "",
                message=ended.get("message") or "",
                finished_at=moment(ended.get("finishedAt")),
            ),
        )
    if (running := state.get("running")) is not None:
        return ContainerView(running=True, started_at=moment(running.get("startedAt")))
    waiting = state.get("waiting") or {}
    return ContainerView(waiting_reason=waiting.get("reason"), waiting_message=waiting.get("message"))


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((c for c in status.get("conditions") or [] if c.get("type") == kind), {})


def _address(status: Mapping[str, Any]) -> str | None:
    """Where a pod is reached: by IPv4 where it has that, for CCF listens on nothing else (CCF facts §13)."""
    every = [one.get("ip") for one in status.get("podIPs") or []] or [status.get("podIP")]
    known = [str(one) for one in every if one]
    return next((one for one in known if ":" not in one), known[0] if known else None)


def pod_view(raw: Mapping[str, Any]) -> PodView:
    """A pod. Of containers that others have put into it nothing is taken for a sign of life or of an end."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    scheduled = _condition(status, "PodScheduled")
    unschedulable = None
    if scheduled.get("status") == "False" and not spec.get("nodeName"):
        unschedulable = scheduled.get("message") or scheduled.get("reason") or "Unschedulable"
    return PodView(
        name=metadata["name"],
        uid=metadata["uid"],
        labels=dict(metadata.get("labels") or {}),
        finalizers=tuple(metadata.get("finalizers") or ()),
        deleting=metadata.get("deletionTimestamp") is not None,
        created_at=moment(metadata.get("creationTimestamp")) or _EPOCH,
        phase=status.get("phase") or "Pending",
        ready=_condition(status, "Ready").get("status") == "True",
        ip=_address(status),
        machine=spec.get("nodeName") or None,
        owner_uid=owner_uid(raw),
        stage=container_view(status.get("initContainerStatuses"), STAGE),
        ccf=container_view(status.get("containerStatuses"), CCF),
        unschedulable=unschedulable,
        explorer=container_view(status.get("containerStatuses"), EXPLORER),
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        others=_others(status),
        made_of=(metadata.get("annotations") or {}).get(labels.MADE_OF),
        join_target=(metadata.get("annotations") or {}).get(labels.JOIN_TARGET),
        images={
            str(one.get("name")): str(one.get("image") or "")
            for one in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        },
        has_controller=controller_of(raw) is not None,
    )


def _others(status: Mapping[str, Any]) -> dict[str, ContainerView]:
    reported = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    names = {str(one.get("name")) for one in reported} - {STAGE, CCF, EXPLORER}
    return {name: container_view(reported, name) for name in sorted(names)}


def identity_view(raw: Mapping[str, Any]) -> IdentityView:
    """The ConfigMap that clients mount; what does not read in it counts as never written."""
    data = raw.get("data") or {}
    count = str(data.get("recovery_count") or "")
    return IdentityView(
        fingerprint=data.get("fingerprint") or None,
        recovery_count=int(count) if count.isascii() and count.isdigit() else 0,
        create_tx_id=data.get("create_txid") or None,
    )


def persistent_volume_view(raw: Mapping[str, Any]) -> PersistentVolumeView:
    """A PersistentVolume."""
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    reference = spec.get("claimRef") or {}
    named = reference.get("namespace"), reference.get("name")
    return PersistentVolumeView(
        name=metadata["name"],
        uid=metadata["uid"],
        reclaim_policy=spec.get("persistentVolumeReclaimPolicy") or "",
        deleting=metadata.get("deletionTimestamp") is not None,
        claim=(str(named[0]), str(named[1])) if all(named) else None,
        claim_uid=reference.get("uid") or None,
        storage_class=spec.get("storageClassName") or "",
        capacity=(spec.get("capacity") or {}).get("storage") or "",
        access_modes=tuple(spec.get("accessModes") or ()),
    )


def claim_view(raw: Mapping[str, Any], volume: PersistentVolumeView | None = None) -> ClaimView:
    """A PersistentVolumeClaim; its PersistentVolume, where it could be read, gives the reclaim policy."""
    metadata = raw["metadata"]
    return ClaimView(
        name=metadata["name"],
        uid=metadata["uid"],
        phase=(raw.get("status") or {}).get("phase") or "Pending",
        volume_name=(raw.get("spec") or {}).get("volumeName") or None,
        labels=dict(metadata.get("labels") or {}),
        annotations=dict(metadata.get("annotations") or {}),
        deleting=metadata.get("deletionTimestamp") is not None,
        reclaim_policy=volume.reclaim_policy or None if volume is not None else None,
        version=metadata.get("resourceVersion"),
    )


def decision_view(raw: Mapping[str, Any]) -> DecisionView | None:
    """A CCFRecoveryDecision; None for one whose spec this operator does not understand."""
    metadata = raw["metadata"]
    try:
        spec = CCFRecoveryDecisionSpec.model_validate(raw.get("spec") or {})
    except ValidationError:
        return None
    fields, status = metadata.get("managedFields") or [], raw.get("status") or {}
    return DecisionView(
        name=metadata["name"],
        uid=metadata["uid"],
        created_at=moment(metadata.get("creationTimestamp")) or _EPOCH,
        spec=spec,
        manager=next((field.get("manager") for field in fields if not field.get("subresource")), None),
        state=status.get("state") or None,
        message=str(status.get("message") or ""),
    )


def event_view(raw: Mapping[str, Any]) -> EventView | None:
    """An Event (`events.k8s.io/v1`); None for one that bears no time.

    Kubelets and controllers write the older form, whose times are deprecated fields here; the scheduler writes series.
    """
    created = moment((raw.get("metadata") or {}).get("creationTimestamp"))
    first = moment(raw.get("deprecatedFirstTimestamp")) or moment(raw.get("eventTime")) or created
    last = moment((raw.get("series") or {}).get("lastObservedTime")) or moment(raw.get("deprecatedLastTimestamp"))
    if first is None:
        return None
    return EventView(
        reason=str(raw.get("reason") or ""),
        message=str(raw.get("note") or "").removeprefix("(combined from similar events): "),
        first_at=first,
        last_at=max(first, last or first),
    )


def machine_view(raw: Mapping[str, Any]) -> MachineView:
    """A Kubernetes Node."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    return MachineView(
        name=metadata["name"],
        uid=metadata["uid"],
        ready=_condition(status, "Ready").get("status") == "True",
        boot_id=(status.get("nodeInfo") or {}).get("bootID") or None,
        out_of_service=any(taint.get("key") == OUT_OF_SERVICE_TAINT for taint in spec.get("taints") or []),
        cordoned=bool(spec.get("unschedulable")),
        deleting=metadata.get("deletionTimestamp") is not None,
    )
