"""Which pods are not let go, for what they hold would go with them.

A claim that is being deleted goes when no pod on a machine names it any more, ended or not, and a volume whose reclaim
policy is not Retain goes with its claim. The operator lets the last pod go only where the ledger stays; but whoever
deletes the namespace has said that all in it may go.
"""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.domain.observation import ClaimView, Observation, PersistentVolumeView, PodView
from ccf_operator.render import names
from ccf_operator.render.labels import VOLUME

TOLD = timedelta(seconds=5)
"""How long ago the reclaim policy must have become Retain: the controller that deletes volumes goes by what it has
heard of them, and may hear later than others."""

RETAIN = "Retain"
"""The reclaim policy of a PersistentVolume that stays when its claim goes."""


def holds(seen: Observation, pod: PodView) -> ClaimView | None:
    """The claim whose ledger would be gone if this pod were let go; None: there is none."""
    if seen.namespace_terminating:
        return None
    claim = _claim_of(seen, pod)
    if claim is None or not claim.deleting or claim.volume_name is None:
        return None
    return None if _will_stay(seen, claim) else claim


def _will_stay(seen: Observation, claim: ClaimView) -> bool:
    if not outlives_its_claim(seen.persistent_volumes.get(claim.volume_name or "")):
        return False
    record = seen.status.volume(claim.name)
    if record is None or record.uid != claim.uid:
        return True
    return record.retained_since is not None and seen.now - record.retained_since >= TOLD


def hinders(seen: Observation, pod: PodView) -> bool:
    """Whether a pod keeps a claim from going whose volume stays: the claim can only be made anew once it has gone."""
    claim = _claim_of(seen, pod)
    return claim is not None and claim.deleting and holds(seen, pod) is None


def outlives_its_claim(volume: PersistentVolumeView | None) -> bool:
    """Whether a PersistentVolume is known to stay when its claim goes."""
    return volume is not None and volume.reclaim_policy == RETAIN and not volume.deleting


def held_back(seen: Observation) -> dict[str, ClaimView]:
    """Pods of this network that are there only for what they hold, by name."""
    ours = [pod for pod in seen.pods.values() if pod.owner_uid == seen.uid]
    return {pod.name: claim for pod in ours if (claim := holds(seen, pod)) is not None}


def _claim_of(seen: Observation, pod: PodView) -> ClaimView | None:
    claim = seen.claims.get(pod.labels.get(VOLUME, ""))
    if claim is not None:
        return claim
    return next((one for one in seen.claims.values() if names.explorer(seen.name, one.uid) == pod.name), None)
