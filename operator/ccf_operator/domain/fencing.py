"""Fencing: a candidate starts on a volume only when every node that ever used it has provably ended.

Only a node of the old service that answered, and so had its chance to contradict the loss, is stopped. One that is
silent is left alone: silence proves nothing, and its volume is done without.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ccf_operator.api.spec import seconds
from ccf_operator.api.status import Attempt, Candidate, CandidateResult, Command, NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.quorum import Loss
from ccf_operator.render.labels import VOLUME

FENCED = "Fenced"


def fence(draft: Draft, attempt: Attempt, loss: Loss) -> None:
    """Fence each candidate's volume as far as this look allows, and plan the node of each that is fenced."""
    for candidate in attempt.candidates:
        if candidate.node is not None:
            continue
        claim = draft.seen.claims.get(candidate.volume)
        if claim is None or claim.uid != candidate.claim_uid:
            _give_up(draft, candidate, "its claim is not there any more")
            continue
        for record in draft.on_volume(candidate.volume):
            if record.ended is not None and record.stop is None:
                record.stop = FENCED
        running = [record for record in draft.on_volume(candidate.volume) if record.ended is None]
        if strangers := _unknown_pods(draft, candidate.volume):
            candidate.detail = f"pods that are not on record hold it: {', '.join(strangers)}"
        elif not running:
            _plan_candidate(draft, attempt, candidate)
        elif loss.proven:
            for record in running:
                _stop(draft, attempt, candidate, record)
    if loss.proven:
        _stop_bystanders(draft, attempt)


def _unknown_pods(draft: Draft, volume: str) -> list[str]:
    """Pods of this volume that the status knows nothing of and whose end is not seen."""
    known = {record.name for record in draft.status.nodes}
    return sorted(
        pod.name
        for pod in draft.seen.pods.values()
        if pod.labels.get(VOLUME) == volume and pod.name not in known and pod.ccf.terminated is None
    )


def _plan_candidate(draft: Draft, attempt: Attempt, candidate: Candidate) -> None:
    volume = draft.status.volume(candidate.volume)
    assert volume is not None
    record = draft.plan_node(
        volume, Command.RECOVER, attempt=attempt.number, service_certificate=attempt.base_certificate
    )
    candidate.node, candidate.generation = record.name, record.generation
    candidate.created_at = draft.now
    candidate.stage = "Unscheduled"
    candidate.result, candidate.detail = None, None


def _stop(draft: Draft, attempt: Attempt, candidate: Candidate, record: NodeRecord) -> None:
    made_by_an_attempt = record.attempt is not None
    if record.stop is None and (made_by_an_attempt or draft.answers(record) is not None):
        record.stop, record.fit = FENCED, False
        draft.report("Fencing", f"attempt {attempt.number}: stopping {record.name} to free {candidate.volume}")
    elif _waited(attempt, draft.now) > _patience(draft) or _machine_is_down(draft, record):
        _give_up(draft, candidate, f"{record.name} may still run: it is silent and its end is not proven")


def _stop_bystanders(draft: Draft, attempt: Attempt) -> None:
    """Joiners of the lost service, on volumes that hold none of its ledger, only keep machines from others."""
    volumes = {candidate.volume for candidate in attempt.candidates}
    for record in draft.alive():
        if record.attempt is None and record.volume not in volumes and draft.answers(record) is not None:
            record.stop = record.stop or FENCED


def _waited(attempt: Attempt, now: datetime) -> timedelta:
    return now - (attempt.timeline.proven_at or now)


def _patience(draft: Draft) -> timedelta:
    return timedelta(seconds=seconds(draft.seen.spec.recovery.quorum_loss_window))


def _machine_is_down(draft: Draft, record: NodeRecord) -> bool:
    if record.machine is None or draft.seen.machines is None:
        return False
    machine = draft.seen.machines.get(record.machine.name)
    return machine is not None and not machine.ready


def _give_up(draft: Draft, candidate: Candidate, why: str) -> None:
    if candidate.result is None:
        draft.report("CandidateResult", f"{candidate.volume}: Unreachable: {why}", warning=True)
    candidate.result, candidate.detail, candidate.stage = CandidateResult.UNREACHABLE, why, "Done"
