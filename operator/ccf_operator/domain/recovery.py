"""One disaster recovery, one look at a time: fence, recover, choose; then join and open (`domain.joining`).

Everything decided is in the attempt before it has an effect, so that an operator started at any moment goes on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ccf_operator.api.spec import RecoveryMode, seconds
from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    Candidate,
    CandidateResult,
    CandidateStage,
    EndEvidence,
    NodeRecord,
    Winner,
)
from ccf_operator.domain import attempts
from ccf_operator.domain.candidates import Deadlines, Judgement, follow, judge, judge_recovered_since
from ccf_operator.domain.choice import Choice, DiskDoubt, choose, recovered
from ccf_operator.domain.correcting import leave_node, take_up_corrections
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import CreateNode, DeletePod, ReleasePod
from ccf_operator.domain.fencing import TRIES, do_without_the_silent, fence, may_yet_testify, not_its_claim, spare
from ccf_operator.domain.joining import DOUBTED, conduct_joining
from ccf_operator.domain.observation import Refusal
from ccf_operator.domain.pod_progress import NOT_STARTED, has_waited_too_long, in_words
from ccf_operator.domain.quorum import Loss
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.service import ServiceView
from ccf_operator.domain.silence import is_told, what_is_silent
from ccf_operator.domain.taken import can_be_read, must_be_kept_first
from ccf_operator.domain.tokens import attempt_token, choice_token
from ccf_operator.domain.transitions import move
from ccf_operator.domain.two_services import committed_beside
from ccf_operator.domain.writers import found_a_writer, take_back

RETRY_AFTER = timedelta(seconds=15)
"""How long the second try of a candidate waits; the third twice as long, and so on."""

REFUSED_FOR = timedelta(seconds=10)
"""How long a candidate's pod must have been refused before it is done without, where the others suffice."""

_FINAL = frozenset(
    {CandidateResult.EMPTY, CandidateResult.DAMAGED, CandidateResult.WRONG_SERVICE, CandidateResult.EXCLUDED}
)
"""Results that are about the ledger, where no other node would find anything else, or a person's."""


def may_begin(draft: Draft, loss: Loss) -> bool:
    """Whether an attempt begins now: a proven loss of a service that was open, and a person or a spec that wants it."""
    status = draft.status
    return (
        loss.proven
        and status.attempt is None
        and status.service.opened_at is not None
        and status.service.certificate is not None
        and not any(may_yet_testify(draft, record) for record in draft.own_nodes())
        and (status.start is not None or _begins_by_itself(draft))
        and must_be_kept_first(draft, _volumes_with_a_ledger(draft)) is None
    )


def _volumes_with_a_ledger(draft: Draft) -> list[str]:
    unsettled = draft.status.unsettled
    return list(unsettled.lineages) if unsettled is not None else [v.name for v in draft.status.volumes if v.lineage]


def _begins_by_itself(draft: Draft) -> bool:
    wanted = draft.seen.spec.recovery.mode is not RecoveryMode.DISABLED or attempts.unfinished_start(draft) is not None
    return draft.status.paused is None and wanted and draft.now >= attempts.next_may_begin_at(draft)


def lift_pause(draft: Draft, view: ServiceView) -> None:
    """A pause is about one loss: with the quorum back it has served its purpose."""
    if draft.status.paused is not None and view.primary is not None:
        draft.status.paused = None
        draft.report("RecoveryResumed", f"the quorum is back ({view.primary} leads): recovery is not paused any more")


def conduct(draft: Draft, attempt: Attempt, view: ServiceView, loss: Loss) -> ServiceView | None:
    """Take the attempt one look further; the recovering network if there is one.

    `view` and `loss` are of the service being recovered, from this very look.
    """
    attempt.token = attempt_token(draft.seen.uid, attempt)
    if not loss.proven and not attempt.given_up:
        spare(draft)
    if attempt.winner is not None:
        return conduct_joining(draft, attempt, attempt.winner, view, loss)
    if view.primary is not None:
        attempts.abandon(draft, attempt, f"the quorum came back: {loss.why}")
    elif draft.seen.spec.recovery.mode is RecoveryMode.DISABLED and attempt.start is None:
        attempts.abandon(draft, attempt, "recovery was disabled")
    else:
        take_up_corrections(draft, attempt)
        fence(draft, attempt, view, loss)
        _gather_results(draft, attempt)
        _go_on(draft, attempt, loss)
        if (chosen := attempt.winner) is not None:
            return conduct_joining(draft, attempt, chosen, view, loss)
    return None


def _go_on(draft: Draft, attempt: Attempt, loss: Loss) -> None:
    if loss.proven and _the_others_suffice(draft, attempt):
        do_without_the_silent(draft, attempt)
        _do_without_the_refused(draft, attempt)
    if any(c.node is None and c.result is None for c in attempt.candidates):
        _say(attempt, AttemptPhase.FENCING)
        return
    attempt.timeline.fenced_at = attempt.timeline.fenced_at or draft.now
    if attempt.phase is AttemptPhase.FENCING:
        move(attempt, AttemptPhase.RECOVERING)
    if any(c.result is None for c in attempt.candidates):
        _say(attempt, AttemptPhase.RECOVERING)
        return
    attempt.timeline.recovered_at = attempt.timeline.recovered_at or draft.now
    if attempt.phase is AttemptPhase.FENCING:
        _say(attempt, AttemptPhase.RECOVERING)
    if loss.proven:
        _choose(draft, attempt)
    else:
        _say(attempt, AttemptPhase.RECOVERING, DOUBTED, f"nothing more is done while {loss.why}")


def _the_others_suffice(draft: Draft, attempt: Attempt) -> bool:
    """Whether volumes that are not fenced, or whose pods are refused, are all that is waited for, and nothing committed
    can be missing without."""
    waiting = [c for c in attempt.candidates if c.result is None]
    started = [c for c in waiting if c.node is not None and c.stage is not CandidateStage.REFUSED]
    if not waiting or started or any(c.volume == attempt.pinned for c in waiting):
        return False
    choice = _judge_choice(draft, attempt)
    return choice.best is not None and not choice.possible_loss


def _do_without_the_refused(draft: Draft, attempt: Attempt) -> None:
    """Give up candidates whose pods the API server has refused for a while, for now: they are tried again, later."""
    for candidate in attempt.candidates:
        record = draft.status.node(candidate.node) if candidate.node is not None else None
        refused = _refusal(draft, record) if record is not None else None
        if candidate.result is not None or record is None or refused is None:
            continue
        if candidate.stage is CandidateStage.REFUSED and draft.now - refused.since >= REFUSED_FOR:
            why = f"its pod is refused ({refused.reason}), and the others hold all that was committed"
            _note_result(draft, attempt, candidate, Judgement(CandidateResult.UNREACHABLE, why))
            record.stop = record.stop or NOT_STARTED
            leave_node(candidate)
            candidate.retry_at = draft.now + RETRY_AFTER


def _judge_choice(draft: Draft, attempt: Attempt) -> Choice:
    choice = choose(attempt, attempt.members_of, lambda node: doubt_about_disk(draft, node))
    if draft.status.adopted is not None:
        choice = replace(choice, possible_loss=(*choice.possible_loss, *draft.status.adopted.may_be_missing))
    if attempt.unsettled is None:
        return choice
    beside = committed_beside(draft.status) if _has_opened(choice) else _openings_shown(attempt, choice)
    return replace(choice, possible_loss=(*choice.possible_loss, *beside))


def _openings_shown(attempt: Attempt, choice: Choice) -> list[str]:
    """Where it is shown that the unsettled network was opened: to be known before a person gives it up."""
    if not choice.possible_loss:
        return []
    return [
        f"{c.volume} shows that the network of attempt {attempt.unsettled} was opened; it goes on to {c.tx_id}"
        for c in recovered(attempt.candidates)
        if c.survey is not None and c.survey.opened
    ]


def _say(attempt: Attempt, phase: AttemptPhase, reason: str = "", message: str = "") -> None:
    move(attempt, phase)
    attempt.reason, attempt.message = reason, message


def _gather_results(draft: Draft, attempt: Attempt) -> None:
    recovery = draft.seen.spec.recovery
    deadlines = Deadlines(
        start=timedelta(seconds=seconds(recovery.start_deadline)),
        progress=timedelta(seconds=seconds(recovery.candidate_deadline)),
    )
    for candidate in attempt.candidates:
        record = draft.status.node(candidate.node) if candidate.node is not None else None
        if record is None or candidate.result in _FINAL:
            continue
        answers = draft.answers(record)
        found: Judgement | None
        if found_a_writer(record):
            _do_without(draft, attempt, candidate, record)
            continue
        if _will_never_be_placed(draft, candidate, record):
            _note_result(draft, attempt, candidate, Judgement(CandidateResult.UNREACHABLE, "its claim goes or is gone"))
            record.stop = record.stop or "Ended"
            leave_node(candidate)
            continue
        if (why := not_its_claim(draft, candidate)) is not None:
            found = Judgement(CandidateResult.UNREACHABLE, why)  # a pod takes whichever claim bears the name by then
        elif candidate.result is CandidateResult.RECOVERED:
            found = judge_recovered_since(candidate, record.ended, answers, deadlines, draft.now)
        else:
            pod = draft.pod(record)
            follow(candidate, record, pod, answers, draft.now, _refusal(draft, record))
            found = judge(candidate, attempt, record.ended, pod, answers, deadlines, draft.now)
        found = _with_silence(draft, record, found)
        if found is not None and (found.again or found.result is not candidate.result):
            _note_result(draft, attempt, candidate, found)
            if found.again:
                _try_again(draft, candidate, record)
        elif has_waited_too_long(record, recovery, draft.now):
            _note_not_started(draft, attempt, candidate, record)


def _with_silence(draft: Draft, record: NodeRecord, found: Judgement | None) -> Judgement | None:
    """A result that says of a node that runs and was not heard where it was asked, and how that failed."""
    if found is None or found.result is not CandidateResult.TIMED_OUT or not is_told(draft, record):
        return found
    return replace(found, detail=f"{found.detail}; it {what_is_silent(record)}")


def _refusal(draft: Draft, record: NodeRecord) -> Refusal | None:
    """Why the pod of a candidate's node cannot be made: the API server refuses it, or to let go of one before it."""
    others = (other.name for other in draft.on_volume(record.volume) if other is not record)
    let_go = (draft.refusal(DeletePod, ReleasePod, of=name) for name in others)
    return draft.refusal(CreateNode, of=record.name) or next((one for one in let_go if one is not None), None)


def _note_result(draft: Draft, attempt: Attempt, candidate: Candidate, found: Judgement) -> None:
    candidate.result, candidate.detail, candidate.stage = found.result, found.detail or None, CandidateStage.DONE
    candidate.tx_id = str(found.tx_id) if found.tx_id is not None else None
    candidate.create_tx_id = str(found.create_tx_id) if found.create_tx_id is not None else None
    candidate.service_certificate, candidate.service_key = found.service_certificate, found.service_key
    _report_result(draft, attempt, candidate)


def _do_without(draft: Draft, attempt: Attempt, candidate: Candidate, record: NodeRecord) -> None:
    """Leave a candidate that has found a writer: its volume is fenced anew once that one's end is proven.

    Where the writer is not one whose end can be doubted, it is tried again, as often as any.
    """
    alive = take_back(draft, record)
    why = alive[0].lives if alive else f"its volume is written to: {_last_words(record)}"
    _note_result(draft, attempt, candidate, Judgement(CandidateResult.UNREACHABLE, why or ""))
    if not alive:
        _try_again(draft, candidate, record)
        return
    record.stop = record.stop or "Ended"
    candidate.retry_at = None
    leave_node(candidate)


def _last_words(record: NodeRecord) -> str:
    return (record.ended.message if record.ended is not None else None) or ""


def _will_never_be_placed(draft: Draft, candidate: Candidate, record: NodeRecord) -> bool:
    """Whether a candidate has no machine yet, and its claim goes or is gone: no pod is placed on such a claim.

    It must not wait either: a pod takes whichever claim bears the name by then.
    """
    pod = draft.pod(record)
    placed = record.machine is not None or (pod is not None and pod.machine is not None)
    return not placed and record.ended is None and not can_be_read(draft, candidate.volume)


def _try_again(draft: Draft, candidate: Candidate, record: NodeRecord) -> None:
    """Let go of a node that something else than its ledger has ended; another follows, later each time."""
    record.stop = record.stop or "Ended"
    candidate.tries += 1
    candidate.retry_at = draft.now + candidate.tries * RETRY_AFTER if candidate.tries < TRIES else None
    leave_node(candidate)


def _note_not_started(draft: Draft, attempt: Attempt, candidate: Candidate, record: NodeRecord) -> None:
    """Give a node up that has not started; the others do not wait for the one that takes its place.

    That one is given twice the time. It does not count as a try: it would say nothing of the ledger.
    """
    found = Judgement(CandidateResult.UNREACHABLE, f"{record.name} did not start: {in_words(record.state)}")
    _note_result(draft, attempt, candidate, found)
    record.stop = record.stop or NOT_STARTED
    candidate.unstarted += 1
    candidate.retry_at = draft.now
    leave_node(candidate)


def _report_result(draft: Draft, attempt: Attempt, candidate: Candidate) -> None:
    assert candidate.result is not None
    what = candidate.tx_id or candidate.detail or ""
    draft.report(
        "CandidateResult",
        f"attempt {attempt.number}: {candidate.volume}: {candidate.result.value} {what}".rstrip(),
        warning=candidate.result is not CandidateResult.RECOVERED,
    )


def doubt_about_disk(draft: Draft, node_id: str) -> DiskDoubt | None:
    """Why it is not known that all that a node's process had written is on its volume; None: it is."""
    if draft.seen.spec.recovery.trust_machine_disks:
        return None
    if draft.status.adopted is not None and node_id in draft.status.adopted.disks_kept:
        return None
    record = draft.by_node_id(node_id)
    if record is None or record.ended is None:
        return DiskDoubt.END_NOT_SEEN
    match record.ended.evidence:
        case EndEvidence.CONTAINER_TERMINATED:
            return None if record.ended.disk_kept else DiskDoubt.MACHINE_RESTARTED
        case EndEvidence.OUT_OF_SERVICE:
            return DiskDoubt.OUT_OF_SERVICE
        case EndEvidence.MACHINE_DELETED:
            return DiskDoubt.MACHINE_DELETED
        case _:
            return DiskDoubt.END_NOT_SEEN


def _choose(draft: Draft, attempt: Attempt) -> None:
    choice = _judge_choice(draft, attempt)
    attempt.possible_loss = list(choice.possible_loss)
    if list(choice.forks) != attempt.forks:
        attempt.forks = list(choice.forks)
        for fork in choice.forks:
            draft.report("Fork", f"attempt {attempt.number}: {fork}", warning=True)
    waiting = [c.volume for c in attempt.candidates if c.retry_at is not None]
    approved = attempt.approval is not None and attempt.approval.token == choice_token(draft.seen.uid, attempt, choice)
    if choice.possible_loss and waiting and not approved:
        _say(attempt, AttemptPhase.RECOVERING, Reason.TRYING_AGAIN, f"{', '.join(waiting)} will be tried again")
    elif attempt.unsettled is None and attempts.was_opened_unseen(draft, attempt):
        attempts.turn_to_doubted(draft, attempt)
    elif attempt.unsettled is not None and not _has_opened(choice):
        _settle(draft, attempt, choice, approved=approved)
    elif choice.best is None:
        _wait(draft, attempt, Reason.NOTHING_RECOVERED, "; ".join(choice.possible_loss))
    elif not approved and (choice.possible_loss or draft.seen.spec.recovery.mode is RecoveryMode.MANUAL):
        _ask(draft, attempt, choice.best, choice)
    else:
        _crown(draft, attempt, choice.best)


def _ask(draft: Draft, attempt: Attempt, best: Candidate, choice: Choice) -> None:
    """Show a person what would be recovered, and exactly what may be missing from it."""
    both = attempt.unsettled is not None and committed_beside(draft.status)
    missing = [*choice.possible_loss, *(_if_disks_are_trusted(attempt) if choice.possible_loss and not both else [])]
    said = [f"ready to recover {best.tx_id} from {best.volume}", *missing]
    if attempt.approval is not None:
        said.append(f"{attempt.approval.decision} has approved something else")
    _wait(draft, attempt, Reason.TWO_SERVICES if both else Reason.APPROVAL_REQUIRED, "; ".join(said))
    attempt.token = choice_token(draft.seen.uid, attempt, choice)


def _if_disks_are_trusted(attempt: Attempt) -> list[str]:
    """What to add to a possible loss that only disks which do not keep all they were given make possible."""
    if choose(attempt, attempt.members_of, lambda _node: None).possible_loss:
        return []
    return [
        "if these disks keep all they were given though their machines go down, set spec.recovery.trustMachineDisks to "
        "true"
    ]


def _has_opened(choice: Choice) -> bool:
    """Whether the best ledger shows that its service was opened.

    Another that does, where the best does not, holds an opening on another branch: if nothing can be missing from the
    best, that was never committed; and a service that was not opened cannot be recovered, for it has no shares.
    """
    return choice.best is not None and choice.best.survey is not None and choice.best.survey.opened


def _settle(draft: Draft, attempt: Attempt, choice: Choice, *, approved: bool) -> None:
    """No ledger of the unsettled network shows that it opened: it did not, if they would be sure to show it.

    Else a person may say so, and with that give up what its clients may have committed.
    """
    if choice.possible_loss and not approved:
        _wait(draft, attempt, Reason.MAY_HAVE_OPENED, "; ".join(choice.possible_loss))
        attempt.token = choice_token(draft.seen.uid, attempt, choice)
    else:
        draft.status.unsettled = None
        given_up = f"is given up, as {attempt.approval.decision} says" if approved and attempt.approval else ""
        attempts.supersede(
            draft, attempt, f"the network of attempt {attempt.unsettled} {given_up or 'had not been opened'}"
        )


def _wait(draft: Draft, attempt: Attempt, reason: str, message: str) -> None:
    if (attempt.phase, attempt.reason) != (AttemptPhase.AWAITING_APPROVAL, reason):
        draft.report(reason, f"attempt {attempt.number}: {message}", warning=True)
    _say(attempt, AttemptPhase.AWAITING_APPROVAL, reason, message)


def _crown(draft: Draft, attempt: Attempt, best: Candidate) -> None:
    record = draft.status.node(best.node or "")
    if record is None or draft.answers(record) is None:
        _say(attempt, AttemptPhase.RECOVERING, Reason.BEST_IS_SILENT, f"waiting for {best.node} to answer once more")
        return
    assert best.node is not None
    assert best.tx_id is not None
    assert best.create_tx_id is not None
    assert best.service_certificate is not None
    assert best.service_key is not None
    if attempt.unsettled is not None:
        attempts.adopt_unsettled(draft)
    attempt.winner = Winner(
        node=best.node,
        volume=best.volume,
        tx_id=best.tx_id,
        create_tx_id=best.create_tx_id,
        recovery_count=attempt.base_recovery_count + 1,
        service_certificate=best.service_certificate,
        public_key=best.service_key,
        chosen_at=draft.now,
        approved_loss=list(attempt.possible_loss),
    )
    _say(attempt, AttemptPhase.JOINING)
    attempt.timeline.chosen_at = draft.now
    draft.report("WinnerChosen", f"attempt {attempt.number}: {best.volume} with {best.tx_id}")
