"""What a person's decision does to the attempt in progress: approve, exclude, pin, abort, and resume afterwards."""

from __future__ import annotations

from ccf_operator.api.decision import Action, DecisionState
from ccf_operator.api.status import (
    Approval,
    Attempt,
    AttemptPhase,
    Candidate,
    CandidateResult,
    CandidateStage,
    Paused,
    Start,
    Winner,
)
from ccf_operator.domain import attempts, writers
from ccf_operator.domain.choice import best_of
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.joining import may_have_been_accepted
from ccf_operator.domain.observation import DecisionView
from ccf_operator.domain.tokens import attempt_token, names_attempt, pause_token
from ccf_operator.domain.two_services import may_choose

EXCLUDED = "Excluded"


class Refused(Exception):
    """Why a decision cannot be applied, as a sentence for its author."""


def approve(draft: Draft, decision: DecisionView) -> str:
    """Note the approval of what the status shows now; the choice is made on the strength of it."""
    attempt = _attempt(draft, decision)
    if attempt.winner is not None and may_choose(attempt, decision.spec.token):
        return _give_up_the_old(draft, attempt, attempt.winner, decision)
    _before_the_choice(attempt)
    if attempt.phase is not AttemptPhase.AWAITING_APPROVAL:
        raise Refused(f"attempt {attempt.number} does not wait for approval (it is {attempt.phase.value})")
    if attempt.token == attempt_token(draft.seen.uid, attempt):
        raise Refused(f"there is nothing to approve: {attempt.message}")
    if decision.spec.token != attempt.token:
        raise Refused(f"what may be missing is no longer what this token stands for; it is now {attempt.token}")
    best = best_of(attempt)
    attempt.approval = _approval(draft, attempt, decision, best)
    accepted = f", accepting: {'; '.join(attempt.possible_loss)}" if attempt.possible_loss else ""
    return f"attempt {attempt.number} goes on{accepted}"


def _approval(draft: Draft, attempt: Attempt, decision: DecisionView, best: Candidate | Winner | None) -> Approval:
    return Approval(
        decision=decision.name,
        uid=decision.uid,
        token=attempt.token,
        at=draft.now,
        reason=decision.spec.reason or "",
        volume=best.volume if best is not None else None,
        tx_id=best.tx_id if best is not None else None,
        possible_loss=list(attempt.possible_loss),
    )


def _give_up_the_old(draft: Draft, attempt: Attempt, winner: Winner, decision: DecisionView) -> str:
    attempt.approval = _approval(draft, attempt, decision, winner)
    attempt.given_up = list(attempt.possible_loss)
    return f"the recovered service goes on; the other is ended, giving up: {'; '.join(attempt.given_up)}"


def exclude(draft: Draft, decision: DecisionView) -> str:
    """Leave a volume out of the attempt; what was started on it is stopped."""
    attempt = _attempt(draft, decision)
    _before_the_choice(attempt)
    candidate = _candidate(attempt, decision)
    if candidate.result is CandidateResult.EXCLUDED:
        return f"{candidate.volume} is excluded already"
    attempt.excluded.append(candidate.volume)
    attempt.pinned = attempt.pinned if attempt.pinned != candidate.volume else None
    record = draft.status.node(candidate.node) if candidate.node is not None else None
    if record is not None and record.stop is None:
        record.stop = EXCLUDED
    candidate.result, candidate.detail = CandidateResult.EXCLUDED, f"left out by {decision.name}"
    candidate.stage, candidate.retry_at = CandidateStage.DONE, None
    return f"{candidate.volume} takes no part in attempt {attempt.number}"


def pin(draft: Draft, decision: DecisionView) -> str:
    """Have a volume's ledger chosen, if it recovers and what may be missing from it is nothing or approved."""
    attempt = _attempt(draft, decision)
    _before_the_choice(attempt)
    candidate = _candidate(attempt, decision)
    if candidate.result is CandidateResult.EXCLUDED:
        raise Refused(f"{candidate.volume} is excluded from attempt {attempt.number}; abort it and resume to undo that")
    attempt.pinned = candidate.volume
    return f"attempt {attempt.number} chooses {candidate.volume} or nothing"


def abort(draft: Draft, decision: DecisionView) -> str:
    """End the attempt, have all that it made removed, and let no other begin before a person resumes."""
    if draft.status.start is not None:
        return _call_off(draft, draft.status.start, decision)
    attempt = _attempt(draft, decision)
    if attempt.winner is None and may_choose(attempt, decision.spec.token):
        return _give_up_the_recovered(draft, attempt, decision)
    why = f"ended by {decision.name}" + (f": {decision.spec.reason}" if decision.spec.reason else "")
    if attempt.winner is not None and not may_choose(attempt, decision.spec.token):
        if may_have_been_accepted(draft, attempt, attempt.winner):
            raise Refused(
                f"the members may have accepted the service that attempt {attempt.number} has recovered: "
                "ending it now could destroy a service that is open"
            )
        if attempt.phase is AttemptPhase.AWAITING_MEMBERS and attempt.network is not None:
            attempts.leave_unsettled(draft, attempt, attempt.winner, attempt.network)
        else:
            attempts.leave_doubtful(draft, attempt, attempt.winner)
    attempts.abandon(draft, attempt, why)
    writers.forget(draft)
    draft.status.paused = Paused(
        token=pause_token(draft.seen.uid, attempt.number),
        attempt=attempt.number,
        decision=decision.name,
        at=draft.now,
        reason=decision.spec.reason or "",
    )
    return f"attempt {attempt.number} has ended; no other begins before a Resume"


def _give_up_the_recovered(draft: Draft, attempt: Attempt, decision: DecisionView) -> str:
    draft.status.unsettled = None
    what = f"what the network of attempt {attempt.unsettled} has committed is given up"
    attempts.supersede(draft, attempt, f"{what}, as {decision.name} says")
    return f"{what}; the service before it is recovered"


def _call_off(draft: Draft, start: Start, decision: DecisionView) -> str:
    if decision.spec.token != start.token:
        raise Refused(f"this token does not stand for the recovery that {start.decision} has started: {start.token}")
    if start.ending_since is not None:
        raise Refused(
            "the nodes are being ended, which Kubernetes cannot take back: "
            f"attempt {start.attempt} begins once their ends are proven, and can be aborted then"
        )
    forget_start(draft, start, DecisionState.APPLIED, f"called off by {decision.name}; no node was ended")
    return f"the recovery that {start.decision} has started is called off; no node was ended"


def forget_start(draft: Draft, start: Start, state: DecisionState, message: str) -> None:
    """Begin nothing of what a person has started; the answer to their decision says so from now on."""
    draft.status.start = None
    mine = (r for r in draft.status.decisions if (r.name, r.action) == (start.decision, Action.START))
    if (record := next(mine, None)) is not None:
        record.state, record.message, record.at = state, message, draft.now


def resume(draft: Draft, decision: DecisionView) -> str:
    """Let attempts begin again."""
    paused = draft.status.paused
    if paused is None:
        raise Refused("recovery is not paused")
    if decision.spec.token != paused.token:
        raise Refused(f"this token does not stand for the pause after attempt {paused.attempt}; that is {paused.token}")
    draft.status.paused = None
    return "recovery goes on"


def _attempt(draft: Draft, decision: DecisionView) -> Attempt:
    attempt = draft.status.attempt
    if attempt is None:
        raise Refused("no attempt is in progress")
    if not names_attempt(decision.spec.token, attempt, draft.seen.uid):
        raise Refused(f"this token does not stand for attempt {attempt.number}; that is {attempt.token}")
    return attempt


def _before_the_choice(attempt: Attempt) -> None:
    if attempt.winner is not None:
        raise Refused(f"attempt {attempt.number} has chosen {attempt.winner.volume} already")


def _candidate(attempt: Attempt, decision: DecisionView) -> Candidate:
    found = next((c for c in attempt.candidates if c.volume == decision.spec.volume), None)
    if found is None:
        there = ", ".join(c.volume for c in attempt.candidates)
        raise Refused(f"{decision.spec.volume} is no candidate of attempt {attempt.number}; there are: {there}")
    return found
