"""Claims that went and come again: made anew for the volume they had, and used once that shows whose it is.

A claim of the right name proves nothing. It takes the place of the one on record only if it is bound to the very same
PersistentVolume and a reading of that finds the generations of this network's volume, which are counted on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ccf_operator.api.status import VolumeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import ExploreVolume, ReclaimVolume
from ccf_operator.domain.observation import ClaimView
from ccf_operator.domain.releasing import outlives_its_claim
from ccf_operator.domain.taken import volume_on_record
from ccf_operator.render import names


def keep_claims(draft: Draft) -> None:
    """Write down which PersistentVolumes the claims have, and let claims that were put back stand for the old ones."""
    for volume in draft.status.volumes:
        claim = draft.claim(volume.name)
        if claim is not None:
            _note_volume(draft, volume, claim)
        stays = claim is not None and claim.deleting and outlives_its_claim(volume_on_record(draft, volume))
        volume.retained_since = (volume.retained_since or draft.now) if stays else None
    for volume, claim in _put_back(draft):
        volume.note = _why_not(draft, volume, claim)
        if volume.note is None:
            _accept(draft, volume, claim)


def want_claims(draft: Draft) -> None:
    """Ask for the claims that are gone and whose volumes are there, and for a reading of those that were put back."""
    if draft.seen.namespace_terminating:
        return
    for volume in draft.status.volumes:
        found = volume_on_record(draft, volume)
        if volume.uid is None or volume.name in draft.seen.claims or found is None or found.deleting:
            continue
        if not volume.lineage and not volume.doubtful:
            continue  # no ledger is missed
        if found.claim not in (None, (draft.seen.namespace, volume.name)):
            continue
        draft.do(
            ReclaimVolume(
                volume=volume.name,
                persistent_volume=found.name,
                storage_class=found.storage_class,
                size=found.capacity,
                access_modes=found.access_modes,
            )
        )
    for volume, claim in _put_back(draft):
        if _is_to_be_read(draft, volume, claim) and _explorer(draft, claim) not in draft.seen.pods:
            draft.do(ExploreVolume(volume=claim.name, claim_uid=claim.uid))


def readers(draft: Draft) -> set[str]:
    """Names of the pods that read claims which were put back."""
    return {_explorer(draft, claim) for _, claim in _put_back(draft)}


def _note_volume(draft: Draft, volume: VolumeRecord, claim: ClaimView) -> None:
    found = draft.seen.persistent_volumes.get(claim.volume_name or "")
    if claim.phase == "Bound" and claim.volume_name is not None and found is not None:
        volume.persistent_volume, volume.persistent_volume_uid = found.name, found.uid


def _put_back(draft: Draft) -> Iterator[tuple[VolumeRecord, ClaimView]]:
    """Volumes on record with the claims that bear their names and are not the ones on record."""
    for volume in draft.status.volumes:
        claim = draft.seen.claims.get(volume.name)
        if claim is not None and volume.uid is not None and claim.uid != volume.uid:
            yield volume, claim


def _is_to_be_read(draft: Draft, volume: VolumeRecord, claim: ClaimView) -> bool:
    return _why_not_read(draft, volume, claim) is None


def _why_not_read(draft: Draft, volume: VolumeRecord, claim: ClaimView) -> str | None:
    if claim.deleting:
        return "a claim that was put back is being deleted, too"
    known = volume.persistent_volume
    if known is None:
        return "another claim of its name is there, and it is not known which volume the first had"
    if claim.volume_name not in (None, known):
        return f"another claim of its name is there, on {claim.volume_name} instead of {known}: it is not used"
    if claim.phase != "Bound":
        return f"its new claim waits for {known}"
    if volume_on_record(draft, volume) is None:
        return f"another claim of its name is there, on a volume of the name {known} that is not the one it was"
    if alive := [record.name for record in draft.on_volume(volume.name) if record.ended is None]:
        return f"another claim of its name is there; it is read when {', '.join(alive)} has provably ended"
    return None


def _why_not(draft: Draft, volume: VolumeRecord, claim: ClaimView) -> str | None:
    """Why a claim that was put back does not stand for the one on record; None: it does."""
    if (why := _why_not_read(draft, volume, claim)) is not None:
        return why
    pod = draft.seen.pods.get(_explorer(draft, claim))
    ended = pod.explorer.terminated if pod is not None and pod.owner_uid == draft.seen.uid else None
    if ended is None:
        return "the claim that was put back is being read"
    shown = _shown(ended.message)
    ours = {draft.seen.uid, *(draft.status.adopted.network_uids if draft.status.adopted is not None else ())}
    if shown is None or not shown.get("networks") or not set(shown["networks"]) <= ours:
        return "the volume of the claim that was put back shows nothing of this network: it is not used"
    if shown.get("volumes") != [volume.name]:
        return f"the volume of the claim that was put back is that of {', '.join(shown.get('volumes') or ['nobody'])}"
    there = set(shown.get("generations") or ())
    if absent := sorted(set(volume.lineage) - there):
        return f"the volume of the claim that was put back lacks generation {', '.join(map(str, absent))}"
    if beyond := sorted(number for number in there if number >= volume.next_generation):
        return f"the volume of the claim that was put back has generation {beyond[0]}, which was never planned"
    return None


def _shown(message: str) -> dict[str, Any] | None:
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    shown = said.get("manifests") if isinstance(said, dict) else None
    return shown if isinstance(shown, dict) else None


def _accept(draft: Draft, volume: VolumeRecord, claim: ClaimView) -> None:
    attempt = draft.status.attempt
    for candidate in attempt.candidates if attempt is not None else ():
        if candidate.volume == volume.name and candidate.claim_uid == volume.uid:
            candidate.claim_uid = claim.uid
    volume.uid = claim.uid
    draft.report("ClaimAccepted", f"{volume.name} has its claim again: the volume shows that it is the one")


def _explorer(draft: Draft, claim: ClaimView) -> str:
    return names.explorer(draft.seen.name, claim.uid)
