"""Nodes that never started, and that the spec would make otherwise by now.

A node's name stands for one way of making it: its ConfigMap and its pod are made from the spec of the look that planned
it, or not at all. One whose process never ran is replaced as soon as that is corrected, under another name.
"""

from __future__ import annotations

from ccf_operator.api.status import NodeRecord, PodState
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.made_of import made_of, storage_of
from ccf_operator.domain.pod_progress import may_have_started

_CCF = "ccf"

REPLACED = "Replaced"
"""Why a node is stopped that is made anew from a corrected spec."""


def is_outdated(draft: Draft, record: NodeRecord) -> bool:
    """Whether a node has not started, and what it is made of has been corrected since it was planned."""
    if record.ended is not None or record.stop is not None or may_have_started(record, draft.pod(record)):
        return False
    return _is_of_another_spec(draft, record) or _is_of_another_stage(draft, record)


def _is_of_another_spec(draft: Draft, record: NodeRecord) -> bool:
    spec, pod = draft.seen.spec, draft.pod(record)
    if record.made_of is None:  # planned by an operator that did not note it
        if pod is None:
            return record.name in draft.seen.config_maps
        return pod.images.get(_CCF, spec.image) != spec.image
    return record.made_of != made_of(spec) or _wants_another_claim(draft, record)


def _wants_another_claim(draft: Draft, record: NodeRecord) -> bool:
    volume = draft.status.volume(record.volume)
    return (
        volume is not None
        and is_unbound(draft, volume.name)
        and volume.storage not in (None, storage_of(draft.seen.spec))
    )


def is_unbound(draft: Draft, volume: str) -> bool:
    """Whether nothing can have been written to a volume: its claim is still to be made, or was never bound."""
    claim, known = draft.seen.claims.get(volume), draft.status.volume(volume)
    if claim is None:
        return known is not None and known.uid is None
    return claim.phase == "Pending" and claim.volume_name is None


def _is_of_another_stage(draft: Draft, record: NodeRecord) -> bool:
    """Whether the image of `stage` keeps it from starting, and the operator is given another by now."""
    if record.state not in (PodState.PULLING, PodState.CREATING) or not draft.seen.stage_image:
        return False
    pod = draft.pod(record)
    has_staged = pod is not None and pod.stage.terminated is not None
    return not has_staged and record.stage_image not in (None, draft.seen.stage_image)
