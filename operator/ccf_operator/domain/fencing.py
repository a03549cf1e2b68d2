"""Fencing: a candidate starts on a volume only when every node that ever used it has provably ended.

Only a node of the old service that has said who leads, and so had its chance to contradict the loss, is stopped. One
that is silent is left alone: silence proves nothing, and its volume is done without.
"""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.spec import seconds
from ccf_operator.api.status import Attempt, Candidate, CandidateResult, CandidateStage, Command, NodeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import DeletePod
from ccf_operator.domain.ends import proof_of_end
from ccf_operator.domain.exploration import explores
from ccf_operator.domain.quorum import Loss
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.suspects import seen_of_pod
from ccf_operator.domain.taken import can_be_read
from ccf_operator.render.labels import VOLUME

FENCED = "Fenced"

STOPPING = timedelta(seconds=60)
"""How long a node that was told to stop is waited for beyond the quorum-loss window; its grace period is 30 s."""

REPORTED_WITHIN = timedelta(seconds=2)
"""How long the report of an end may be under way: a kubelet looks at its containers once a second."""

TRIES = 4
"""Nodes that are started for one candidate, where something else than its ledger ends them."""


def fence(draft: Draft, attempt: Attempt, view: ServiceView, loss: Loss) -> None:
    """Fence each candidate's volume as far as this look allows, and plan the node of each that is fenced.

    `view` and `loss` are of the service being recovered.
    """
    for candidate in attempt.candidates:
        if candidate.result is CandidateResult.EXCLUDED:
            continue
        if candidate.node is None and not _waits(draft, candidate):
            _fence_one(draft, attempt, candidate, view, loss)
    if loss.proven and not draft.seen.namespace_terminating:
        _stop_bystanders(draft, attempt)


def spare(draft: Draft) -> None:
    """Take back what of the fencing Kubernetes was not asked for yet: the loss is not proven any more."""
    for record in draft.alive():
        pod = draft.pod(record)
        if record.attempt is None and record.stop == FENCED and pod is not None and not pod.deleting:
            record.stop = None


def do_without_the_silent(draft: Draft, attempt: Attempt) -> None:
    """Give up volumes whose nodes have not answered and so were not told to stop: no longer wait can be of use.

    To be called when the other candidates show that nothing is missing without them.
    """
    if _waited(draft, attempt) < REPORTED_WITHIN:
        return
    for candidate in attempt.candidates:
        running = [record for record in draft.on_volume(candidate.volume) if record.ended is None]
        if candidate.result is not None or candidate.node is not None or not running:
            continue
        if any(may_yet_testify(draft, record) for record in running):
            continue
        if all(record.stop is None for record in running):
            _give_up(draft, candidate, f"{running[0].name} is silent, and the others hold all that was committed")
        elif all(record.stop is None or _cannot_be_stopped(draft, record) for record in running):
            _give_up(draft, candidate, f"{running[0].name} cannot be ended, and the others hold all that was committed")


def may_yet_testify(draft: Draft, record: NodeRecord) -> bool:
    """Whether a node whose end is not proven is being asked, and may yet contradict a loss: however slow, it is heard.

    One that has had its full time and said nothing is silent, and is waited for by nobody.
    """
    answers = draft.seen.answers.get(record.name)
    return record.ended is None and answers is not None and answers.may_yet_testify


def _waits(draft: Draft, candidate: Candidate) -> bool:
    """Whether another try is not due yet, or none is left."""
    if candidate.retry_at is not None:
        return draft.now < candidate.retry_at
    return candidate.tries >= TRIES


def _fence_one(draft: Draft, attempt: Attempt, candidate: Candidate, view: ServiceView, loss: Loss) -> None:
    if (why := not_its_claim(draft, candidate) or _goes(draft, candidate)) is not None:
        _give_up(draft, candidate, why)
        return
    users = list(draft.on_volume(candidate.volume))
    for record in users:
        if record.ended is not None and record.stop is None:
            record.stop = FENCED
    running = [record for record in users if record.ended is None]
    strangers = _strangers(draft, candidate.volume)
    if not running and not strangers:
        _plan_candidate(draft, attempt, candidate)
        return
    if loss.proven:
        for record in running:
            _stop(draft, attempt, candidate, record, view)
    hopeless = [r for r in running if _is_hopeless(draft, attempt, candidate, r)]
    if strangers and _waited(draft, attempt) > _window(draft) + STOPPING:
        _give_up(draft, candidate, f"pods that are not on record may write to it: {', '.join(strangers)}")
    elif loss.proven and hopeless:
        seen = seen_of_pod(hopeless[0], draft.pod(hopeless[0])) or "its end is not proven"
        _give_up(draft, candidate, f"{hopeless[0].name} may still run: {seen}")


def not_its_claim(draft: Draft, candidate: Candidate) -> str | None:
    """Why a candidate's claim is not the one whose ledger was to be recovered; None: it is."""
    claim = draft.seen.claims.get(candidate.volume)
    if claim is None:
        return "its claim is not there"
    if claim.uid == candidate.claim_uid:
        return None
    volume = draft.status.volume(candidate.volume)
    return (volume.note if volume is not None else None) or "another claim of its name is there"


def _goes(draft: Draft, candidate: Candidate) -> str | None:
    """Why nothing is ended for the sake of a candidate that could not be placed; None: it could."""
    return None if can_be_read(draft, candidate.volume) else "its claim is being deleted, or its namespace is"


def _strangers(draft: Draft, volume: str) -> list[str]:
    """Pods of this volume that the status knows nothing of and whose end is not proven."""
    known = {record.name for record in draft.status.nodes}
    return sorted(
        pod.name
        for pod in draft.seen.pods.values()
        if pod.labels.get(VOLUME) == volume
        and not explores(pod)
        and pod.name not in known
        and proof_of_end(None, pod, draft.seen.machines, draft.now) is None
    )


def _plan_candidate(draft: Draft, attempt: Attempt, candidate: Candidate) -> None:
    volume = draft.status.volume(candidate.volume)
    if volume is None:
        return
    record = draft.plan_node(
        volume, Command.RECOVER, attempt=attempt.number, service_certificate=attempt.base_certificate
    )
    candidate.node, candidate.generation = record.name, record.generation
    candidate.created_at, candidate.retry_at = draft.now, None
    candidate.stage, candidate.read = CandidateStage.NOT_CREATED, None
    candidate.made_of, record.tries = record.made_of, candidate.unstarted
    if candidate.unstarted == 0:  # else the others do not wait for it once more
        candidate.result, candidate.detail = None, None


def _stop(draft: Draft, attempt: Attempt, candidate: Candidate, record: NodeRecord, view: ServiceView) -> None:
    if record.stop is None and (record.attempt is not None or _has_testified(record, view)):
        record.stop, record.fit = FENCED, False
        draft.report("Fencing", f"attempt {attempt.number}: stopping {record.name} to free {candidate.volume}")


def _has_testified(record: NodeRecord, view: ServiceView) -> bool:
    answers = view.members.get(record.name)
    return answers is not None and answers.consensus is not None


def _is_hopeless(draft: Draft, attempt: Attempt, candidate: Candidate, record: NodeRecord) -> bool:
    """Whether a node's end is not waited for any longer; should it come, its volume is fenced after all.

    One of this attempt, in whose place another is to come, was told to stop when that was decided, and not before.
    """
    if _machine_is_down(draft, record):
        return True
    patience = _window(draft) + (STOPPING if record.stop is not None else timedelta())
    waited = _waited(draft, attempt)
    if record.attempt == attempt.number and candidate.retry_at is not None:
        waited = min(waited, draft.now - candidate.retry_at)
    return waited > patience and not _cannot_be_stopped(draft, record)


def _cannot_be_stopped(draft: Draft, record: NodeRecord) -> bool:
    """Whether the API server refuses to end its pod: then it has not been told to stop."""
    return record.stop is not None and draft.refusal(DeletePod, of=record.name) is not None


def _waited(draft: Draft, attempt: Attempt) -> timedelta:
    return draft.now - (attempt.timeline.proven_at or draft.now)


def _window(draft: Draft) -> timedelta:
    return timedelta(seconds=seconds(draft.seen.spec.recovery.quorum_loss_window))


def _machine_is_down(draft: Draft, record: NodeRecord) -> bool:
    if record.machine is None or draft.seen.machines is None:
        return False
    machine = draft.seen.machines.get(record.machine.name)
    return machine is not None and not machine.ready


def _give_up(draft: Draft, candidate: Candidate, why: str) -> None:
    if candidate.result is None:
        draft.report("CandidateResult", f"{candidate.volume}: Unreachable: {why}", warning=True)
    candidate.result, candidate.detail, candidate.stage = CandidateResult.UNREACHABLE, why, CandidateStage.DONE
    candidate.retry_at = None


def _stop_bystanders(draft: Draft, attempt: Attempt) -> None:
    """Joiners of the lost service, on volumes that hold none of its ledger, only keep machines from others."""
    volumes = {candidate.volume for candidate in attempt.candidates}
    for record in draft.alive():
        if record.attempt is None and record.volume not in volumes and draft.answers(record) is not None:
            record.stop = record.stop or FENCED
