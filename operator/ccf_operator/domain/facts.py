"""What each volume's claim should say of its ledger, so that the network can be recovered from its volumes alone.

Written while the service is well and once more when the network is deleted; never while an attempt is in progress, for
what an attempt makes is no base of anything before it has succeeded. But what a claim says is not the last word any
more then: the members may open the service that the attempt makes.
"""

from __future__ import annotations

from ccf_operator.api.status import EndEvidence, NodeRecord, VolumeRecord
from ccf_operator.api.volume_facts import VolumeFacts, read_facts, write_facts
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AnnotateVolume
from ccf_operator.render.labels import RECOVERY_FACTS


def want_facts(draft: Draft) -> None:
    """Have the claims say what is known now; the high-water mark alone, which grows all the time, is no reason to."""
    for volume in draft.status.volumes:
        known = _known(draft, volume)
        wanted = facts_of(draft, volume) if draft.status.attempt is None else _no_more_final(known)
        if wanted is not None and (known is None or _without_mark(wanted) != _without_mark(known)):
            _write(draft, volume, wanted)


def _no_more_final(known: VolumeFacts | None) -> VolumeFacts | None:
    return known.model_copy(update={"final": False}) if known is not None else None


def want_last_facts(draft: Draft) -> None:
    """Have the claims say all that is known at the end of the network object's life.

    That is the last word unless a recovered network may have been opened that is not on record as the service.
    """
    status = draft.status
    settled = status.attempt is None and status.unsettled is None and status.doubted is None
    settled = settled and status.outdated is None
    for volume in draft.status.volumes:
        wanted, known = facts_of(draft, volume), _known(draft, volume)
        if wanted is None:
            continue
        wanted.final = settled
        if known is None or write_facts(wanted) != write_facts(known):
            _write(draft, volume, wanted)


def facts_of(draft: Draft, volume: VolumeRecord) -> VolumeFacts | None:
    """What is known of a volume that holds the ledger of the last open service; None for any other."""
    status = draft.status
    service, mark = status.service, status.high_water_mark
    if service.opened_at is None or service.certificate is None or not volume.lineage:
        return None
    if volume.service != service.public_key:
        return None
    known = _known(draft, volume)
    if known is not None and (known.lineage, known.service_key) != (volume.lineage, volume.service):
        known = None
    writer = _writer(draft, volume)
    current = status.configuration
    return VolumeFacts(
        network_uid=draft.seen.uid,
        lineage=list(volume.lineage),
        next_generation=volume.next_generation,
        next_node=status.counters.next_node,
        next_volume=status.counters.next_volume,
        service_certificate=service.certificate,
        service_key=service.public_key,
        recovery_count=service.recovery_count,
        node_id=writer.node_id if writer is not None else known.node_id if known is not None else None,
        disk_kept=_disk_kept(writer) if writer is not None else known is not None and known.disk_kept,
        configuration=current if current is not None and current.service == service.public_key else None,
        high_water_mark=mark.tx_id if mark is not None and mark.service == service.public_key else None,
    )


def _writer(draft: Draft, volume: VolumeRecord) -> NodeRecord | None:
    return next((r for r in draft.on_volume(volume.name) if r.generation == volume.lineage[-1]), None)


def _disk_kept(record: NodeRecord) -> bool:
    ended = record.ended
    return ended is not None and ended.evidence is EndEvidence.CONTAINER_TERMINATED and ended.disk_kept


def _known(draft: Draft, volume: VolumeRecord) -> VolumeFacts | None:
    claim = draft.claim(volume.name)
    return read_facts(claim.annotations.get(RECOVERY_FACTS)) if claim is not None else None


def _without_mark(facts: VolumeFacts) -> str:
    return write_facts(facts.model_copy(update={"high_water_mark": None}))


def _write(draft: Draft, volume: VolumeRecord, facts: VolumeFacts) -> None:
    claim, known = draft.claim(volume.name), _known(draft, volume)
    if claim is not None and not (known is not None and _is_older(draft, facts, known)):
        draft.do(AnnotateVolume(volume=volume.name, uid=claim.uid, facts=write_facts(facts)))


def _is_older(draft: Draft, facts: VolumeFacts, known: VolumeFacts) -> bool:
    """Whether the claim tells of something later: what is older never takes its place.

    Unless a person has decided what it is to be, in the knowledge of it.
    """
    if draft.status.adopted is not None or known.network_uid != facts.network_uid:
        return False
    if known.recovery_count != facts.recovery_count:
        return known.recovery_count > facts.recovery_count
    if known.service_key != facts.service_key:
        return False
    return known.lineage[-1] > facts.lineage[-1] or (known.next_generation or 0) > (facts.next_generation or 0)
