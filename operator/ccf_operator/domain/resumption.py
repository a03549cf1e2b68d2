"""A network whose status is gone, or is older than what runs: taken up again from what its nodes and claims say.

Only where nothing is in doubt: its own pods show one service, open on a quorum, and no claim or pod hints at a later
one. Anything else is shown to a person, like the volumes of an earlier network (`domain.adoption`).
"""

from __future__ import annotations

from collections.abc import Iterable

from ccf_operator.api.status import Command, HighWaterMark, NodeRecord, VolumeRecord
from ccf_operator.api.volume_facts import VolumeFacts
from ccf_operator.ccf.answers import NetworkAnswer, NodeAnswers
from ccf_operator.domain.adoption import found_claims, has_begun, keep_known_mark, resume_counters
from ccf_operator.domain.afresh import start_afresh
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.exploration import GAP, explores, facts_on
from ccf_operator.domain.observation import ClaimView, PodView
from ccf_operator.domain.outdated import evidence_in_words, is_newer_than, is_transaction_id, read_claims
from ccf_operator.domain.service import ServiceView, view_service
from ccf_operator.domain.txid import TxID
from ccf_operator.render.labels import COMMAND, GENERATION, NETWORK_UID, ROLE, VOLUME, Role


def records_of(pods: Iterable[PodView], owner_uid: str) -> list[NodeRecord]:
    """The nodes that pods of a network tell of; pods whose labels do not say what they are tell of none."""
    return [
        NodeRecord(
            name=pod.name,
            volume=pod.labels[VOLUME],
            generation=int(pod.labels[GENERATION]),
            command=Command(pod.labels[COMMAND]),
            planned_at=pod.created_at,
            pod_uid=pod.uid,
            made_of=pod.made_of,
        )
        for pod in pods
        if pod.owner_uid == owner_uid and not explores(pod) and {VOLUME, GENERATION, COMMAND} <= set(pod.labels)
    ]


def runs_without_status(draft: Draft) -> bool:
    """Whether pods of this very network are there, though its status knows of none."""
    own = (pod for pod in draft.seen.pods.values() if pod.owner_uid == draft.seen.uid and not explores(pod))
    return not has_begun(draft) and any(pod.ccf.running for pod in own)


def take_up(draft: Draft) -> None:
    """Write down again what is known of a network that runs, if it shows that beyond doubt.

    So it is where the status is gone, in whole or in part, and where it is older than what runs.
    """
    gone = not has_begun(draft)
    if not (gone or draft.status.outdated is not None) or draft.seen.name_taken or not found_claims(draft):
        return
    records = _records(draft)
    view = _open_service(draft, records)
    if view is None or view.leader is None or view.leader.network is None or _says_more(view.leader):
        return
    claims = _own_claims(draft, records)
    facts = {claim.name: known for claim in claims if (known := facts_on(claim)) is not None}
    if not _fits(view, facts.values()) or is_newer_than(draft, view.leader.network.recovery_count, view.key):
        return
    volumes = [_volume(draft, claim, facts.get(claim.name), records, view) for claim in claims]
    if not _have_lineages(volumes, records, view):
        return
    _write(draft, view, view.leader.network, volumes, records, facts, gone=gone)


def _says_more(leader: NodeAnswers) -> bool:
    """Whether the certificate of the service before is on its way: clients go on being told of it."""
    recovered = leader.network is not None and leader.network.recovery_count > 0
    return recovered and leader.previous_identity is None and leader.awaited


def _records(draft: Draft) -> list[NodeRecord]:
    """The nodes that pods tell of, with what the status knows of these very pods.

    Those that `stage` has refused to start never were, and what they were told is out of date.
    """
    pods = [p for p in draft.seen.pods.values() if not read_claims(p.stage.terminated)]
    return [_known(draft, record) for record in records_of(pods, draft.seen.uid)]


def _known(draft: Draft, found: NodeRecord) -> NodeRecord:
    known = draft.status.node(found.name)
    if known is None or known.pod_uid != found.pod_uid:
        return found
    pod = draft.seen.pods[found.name]
    stop = known.stop if pod.deleting else None
    return known.model_copy(update={"attempt": None, "fit": False, "released": False, "note": None, "stop": stop})


def _open_service(draft: Draft, records: list[NodeRecord]) -> ServiceView | None:
    """The one service that the pods show, if it is open on a quorum and no candidate may be of another."""
    said = {record.name: draft.answers(record) for record in records}
    keys = {answers.network.service_key for answers in said.values() if answers is not None and answers.network}
    unlabelled = sum(p.owner_uid == draft.seen.uid and not explores(p) for p in draft.seen.pods.values()) - len(records)
    if len(keys) != 1 or unlabelled:
        return None
    view = view_service(draft, next(iter(keys)), records)
    candidates = (r for r in records if draft.seen.pods[r.name].labels.get(ROLE) != Role.NODE.value)
    return view if view.is_open() and all(record.name in view.members for record in candidates) else None


def _own_claims(draft: Draft, records: list[NodeRecord]) -> list[ClaimView]:
    """Claims made for this network, or used by its nodes; a network that runs has been told to leave others alone."""
    used = {record.volume for record in records} | {volume.name for volume in draft.status.volumes}
    return [
        claim
        for claim in found_claims(draft)
        if claim.labels.get(NETWORK_UID) == draft.seen.uid
        or claim.name in used
        or ((known := facts_on(claim)) is not None and known.network_uid == draft.seen.uid)
    ]


def _fits(view: ServiceView, facts: Iterable[VolumeFacts]) -> bool:
    """Whether all that the claims say is of this service, or of one that it has come from."""
    leader = view.leader
    if leader is None or leader.network is None:
        return False
    count = leader.network.recovery_count
    keys = {count: view.key, count - 1: leader.previous_identity_key}
    return all(
        known.recovery_count <= count and keys.get(known.recovery_count, known.service_key) == known.service_key
        for known in facts
    )


def _volume(
    draft: Draft, claim: ClaimView, facts: VolumeFacts | None, records: list[NodeRecord], view: ServiceView
) -> VolumeRecord:
    """What is known of a volume; a generation that may have been given away is never given again."""
    written = [record.generation for record in records if record.volume == claim.name]
    known = draft.status.volume(claim.name)
    lineage = _lineage(claim, facts, records, view)
    if known is not None and known.service == view.key and known.lineage[-1:] > lineage[-1:]:
        lineage = list(known.lineage)
    beyond = [facts.next_generation or 0] if facts is not None else []
    given = known.next_generation if known is not None else 0
    return VolumeRecord(
        name=claim.name,
        uid=claim.uid,
        lineage=lineage,
        service=view.key if lineage else None,
        next_generation=max(given, max([*written, *lineage, *beyond], default=0) + GAP),
        machine=known.machine if known is not None else None,
        set_aside=known.set_aside if known is not None else None,
    )


def _lineage(claim: ClaimView, facts: VolumeFacts | None, records: list[NodeRecord], view: ServiceView) -> list[int]:
    """The generations that hold the service's ledger: as the claim says, or what its winner has added to that.

    The generations of joiners are whole copies, and found as ever (`service.keep_lineages`).
    """
    if facts is None:
        return []
    if facts.service_key == view.key:
        return list(facts.lineage)
    winner = [r for r in records if r.volume == claim.name and r.command is Command.RECOVER and r.name in view.members]
    leader = view.leader
    follows = leader is not None and leader.previous_identity_key == facts.service_key
    return [*facts.lineage, winner[0].generation] if winner and follows else []


def _have_lineages(volumes: list[VolumeRecord], records: list[NodeRecord], view: ServiceView) -> bool:
    """Whether the ledger of each node that has recovered is known with its ancestors: it is not whole without."""
    known = {volume.name for volume in volumes if volume.lineage}
    return all(
        record.volume in known
        for record in records
        if record.command is Command.RECOVER and record.name in view.members
    )


def _write(
    draft: Draft,
    view: ServiceView,
    network: NetworkAnswer,
    volumes: list[VolumeRecord],
    records: list[NodeRecord],
    facts: dict[str, VolumeFacts],
    *,
    gone: bool,
) -> None:
    status = draft.status
    found = evidence_in_words(status.outdated.evidence) if status.outdated is not None else ""
    left = [
        record.model_copy(update={"attempt": None})
        for record in status.nodes
        if _still_matters(draft, record, records, facts, view)
    ]
    marks = [status.high_water_mark] if status.high_water_mark is not None else []
    loss = status.service.approved_loss if status.service.public_key == view.key else None
    if gone:
        strangers = found_claims(draft)
        status.disowned += [claim.uid for claim in strangers if claim.name not in {v.name for v in volumes}]
    resume_counters(draft)
    start_afresh(draft, "the status was out of date, and its nodes serve by themselves")
    service = status.service
    service.public_key, service.certificate, service.opened_at = view.key, network.service_certificate, draft.now
    service.previous_certificate = view.leader.previous_identity if view.leader is not None else None
    service.approved_loss = loss
    status.recoveries = network.recovery_count
    status.volumes, status.nodes = volumes, [*records, *left]
    for record in records:
        known = facts.get(record.volume)
        if record.node_id is None and known is not None and known.lineage[-1] == record.generation:
            record.node_id = known.node_id
        if record.command is Command.JOIN and record.name not in view.members:
            record.join_target = draft.seen.pods[record.name].join_target or view.primary
    keep_known_mark(draft, view.key, facts.values())
    _keep_greatest(draft, view.key, marks)
    status.counters.next_attempt = max(status.counters.next_attempt, network.recovery_count + GAP)
    what = "the status was gone" if gone else f"the status was out of date ({found})"
    draft.report(
        "StatusResumed",
        f"{what}; {view.primary} leads the open service, and the network is taken up again from what its "
        "nodes and their claims say",
        warning=True,
    )


def _still_matters(
    draft: Draft, old: NodeRecord, records: list[NodeRecord], facts: dict[str, VolumeFacts], view: ServiceView
) -> bool:
    """Whether a node that has no pod stays on record: it is part of the service, or its end was never seen.

    Where a later node was given its volume, its end had been proven by then.
    """
    if any(record.name == old.name for record in records) or old.pod_uid is None:
        return False
    if old.ended is not None:
        return any(old.node_id in config.nodes for config in view.configs)
    later = [record.generation for record in records if record.volume == old.volume]
    known = facts.get(old.volume)
    if known is not None and known.network_uid == draft.seen.uid:
        later += [known.lineage[-1], (known.next_generation or 0) - 1]
    return max(later, default=-1) <= old.generation


def _keep_greatest(draft: Draft, key: str, marks: list[HighWaterMark]) -> None:
    """Of what was seen committed of the service with this key, the greatest counts."""
    current = draft.status.high_water_mark
    known = [mark for mark in marks if mark.service == key and is_transaction_id(mark.tx_id)]
    for mark in known:
        if current is None or TxID.parse(mark.tx_id) > TxID.parse(current.tx_id):
            draft.status.high_water_mark = current = mark
