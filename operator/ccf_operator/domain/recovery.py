"""One disaster recovery, one look at a time: fence, recover, choose; then join and open (`domain.joining`).

Everything decided is in the attempt before it has an effect, so that an operator started at any moment goes on.
"""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.spec import RecoveryMode, seconds
from ccf_operator.api.status import Attempt, AttemptPhase, Candidate, CandidateResult, EndEvidence, Winner
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain import attempts
from ccf_operator.domain.candidates import Deadlines, follow, judge
from ccf_operator.domain.choice import Choice, choose
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.fencing import fence
from ccf_operator.domain.joining import conduct_joining
from ccf_operator.domain.quorum import Loss
from ccf_operator.domain.service import ServiceView


def may_begin(draft: Draft, loss: Loss) -> bool:
    """Whether an attempt begins now: a proven loss of a service that was open, and a spec that wants recovery."""
    status = draft.status
    return (
        loss.proven
        and status.attempt is None
        and status.service.opened_at is not None
        and status.service.certificate is not None
        and draft.seen.spec.recovery.mode is not RecoveryMode.DISABLED
    )


def conduct(draft: Draft, attempt: Attempt, view: ServiceView, loss: Loss) -> ServiceView | None:
    """Take the attempt one look further; the recovering network if there is one.

    `view` and `loss` are of the service being recovered, from this very look.
    """
    if attempt.winner is not None:
        return conduct_joining(draft, attempt, attempt.winner)
    if view.primary is not None:
        attempts.abandon(draft, attempt, f"the quorum came back: {loss.why}")
        return None
    fence(draft, attempt, loss)
    if all(c.node is not None or c.result is not None for c in attempt.candidates):
        attempt.timeline.fenced_at = attempt.timeline.fenced_at or draft.now
        if attempt.phase is AttemptPhase.FENCING:
            attempt.phase = AttemptPhase.RECOVERING
    _gather_results(draft, attempt)
    if draft.status.attempt is not attempt:
        return None
    if any(c.result is None for c in attempt.candidates):
        if attempt.phase is AttemptPhase.AWAITING_APPROVAL:
            attempt.phase, attempt.reason, attempt.message = AttemptPhase.RECOVERING, "", ""
    else:
        attempt.timeline.recovered_at = attempt.timeline.recovered_at or draft.now
        _choose(draft, attempt)
    return None


def _gather_results(draft: Draft, attempt: Attempt) -> None:
    recovery = draft.seen.spec.recovery
    deadlines = Deadlines(
        start=timedelta(seconds=seconds(recovery.start_deadline)),
        progress=timedelta(seconds=seconds(recovery.candidate_deadline)),
    )
    for candidate in attempt.candidates:
        record = draft.status.node(candidate.node) if candidate.node is not None else None
        if record is None:
            continue
        if candidate.result is CandidateResult.RECOVERED and record.ended is not None:
            attempts.supersede(draft, attempt, f"{record.name} ended after it had recovered {candidate.tx_id}")
            return
        if candidate.result is not None:
            continue
        pod = draft.pod(record)
        answers: NodeAnswers | None = draft.answers(record)
        follow(candidate, pod, answers, draft.now)
        found = judge(candidate, attempt, pod, answers, deadlines, draft.now)
        if found is None and record.ended is not None and pod is None:
            candidate.result, candidate.detail = CandidateResult.UNREACHABLE, "its machine is gone"
        elif found is not None:
            candidate.result, candidate.detail = found.result, found.detail or None
            candidate.tx_id = str(found.tx_id) if found.tx_id is not None else None
            candidate.create_tx_id = str(found.create_tx_id) if found.create_tx_id is not None else None
            candidate.service_certificate = found.service_certificate
        if candidate.result is not None:
            candidate.stage = "Done"
            _report_result(draft, attempt, candidate)


def _report_result(draft: Draft, attempt: Attempt, candidate: Candidate) -> None:
    assert candidate.result is not None
    what = candidate.tx_id or candidate.detail or ""
    draft.report(
        "CandidateResult",
        f"attempt {attempt.number}: {candidate.volume}: {candidate.result.value} {what}".rstrip(),
        warning=candidate.result is not CandidateResult.RECOVERED,
    )


def disk_is_proof(draft: Draft, node_id: str) -> bool:
    """Whether all that a node's process had written is known to be on its volume."""
    if draft.seen.spec.recovery.trust_machine_disks:
        return True
    record = draft.by_node_id(node_id)
    if record is None or record.ended is None:
        return False
    return record.ended.evidence is EndEvidence.CONTAINER_TERMINATED and record.ended.disk_kept


def _choose(draft: Draft, attempt: Attempt) -> None:
    choice = choose(attempt, attempt.members_of, lambda node: disk_is_proof(draft, node))
    attempt.possible_loss = [*choice.possible_loss, *choice.forks]
    if choice.best is None:
        _wait(draft, attempt, "NothingRecovered", "no candidate recovered a ledger of this service")
    elif choice.possible_loss:
        _wait(draft, attempt, "ApprovalRequired", "; ".join(choice.possible_loss))
    elif draft.seen.spec.recovery.mode is RecoveryMode.MANUAL:
        _wait(draft, attempt, "ApprovalRequired", f"ready to recover {choice.best.tx_id} from {choice.best.volume}")
    else:
        _crown(draft, attempt, choice)


def _wait(draft: Draft, attempt: Attempt, reason: str, message: str) -> None:
    if attempt.phase is not AttemptPhase.AWAITING_APPROVAL:
        draft.report(reason, f"attempt {attempt.number}: {message}", warning=True)
    attempt.phase, attempt.reason, attempt.message = AttemptPhase.AWAITING_APPROVAL, reason, message


def _crown(draft: Draft, attempt: Attempt, choice: Choice) -> None:
    best = choice.best
    assert best is not None
    assert best.node is not None
    assert best.tx_id is not None
    assert best.create_tx_id is not None
    assert best.service_certificate is not None
    answers = draft.seen.answers.get(best.node)
    if answers is None or answers.network is None:
        return
    attempt.winner = Winner(
        node=best.node,
        volume=best.volume,
        tx_id=best.tx_id,
        create_tx_id=best.create_tx_id,
        recovery_count=attempt.base_recovery_count + 1,
        service_certificate=best.service_certificate,
        public_key=answers.network.service_key,
        chosen_at=draft.now,
    )
    attempt.phase, attempt.reason, attempt.message = AttemptPhase.JOINING, "", ""
    attempt.timeline.chosen_at = draft.now
    draft.report("WinnerChosen", f"attempt {attempt.number}: {best.volume} with {best.tx_id}")
