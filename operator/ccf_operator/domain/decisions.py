"""What people decide about recoveries: heard once, judged against what the status shows, recorded, answered.

A decision is written into the status, with all that it changes, before it has any effect and before it is answered:
whatever is interrupted, it is never applied twice nor forgotten. Where nothing comes of it after all, it is answered
anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ccf_operator.api.decision import Action, DecisionState
from ccf_operator.api.status import DecisionRecord
from ccf_operator.domain.adoption import adopt, disown
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AnswerDecision
from ccf_operator.domain.interventions import Refused, abort, approve, exclude, pin, resume
from ccf_operator.domain.observation import DecisionView
from ccf_operator.domain.outdated import evidence_in_words
from ccf_operator.domain.starting import start

KEPT = 20
"""Answered decisions kept in the status; the objects themselves stay as long as people want."""

_JUDGES: Mapping[Action, Callable[[Draft, DecisionView], str]] = {
    Action.APPROVE: approve,
    Action.ABORT: abort,
    Action.RESUME: resume,
    Action.EXCLUDE: exclude,
    Action.PIN: pin,
    Action.ADOPT: adopt,
    Action.DISOWN: disown,
    Action.START: start,
}


def hear(draft: Draft) -> None:
    """Apply or refuse every decision that is not on record yet, the oldest first, and answer what is not answered so.

    One that is answered and not on record was decided on long ago, or in an earlier life of the network.
    """
    known = {record.uid: record for record in draft.status.decisions}
    for decision in draft.seen.decisions:
        record = known.get(decision.uid)
        if record is None:
            if decision.state is not None:
                continue
            record = _judge(draft, decision)
            draft.status.decisions.insert(0, record)
        if not _is_told(decision, record):
            draft.do(AnswerDecision(record.name, record.uid, record.state, record.message, record.at))
    _forget(draft)


def _is_told(decision: DecisionView, record: DecisionRecord) -> bool:
    return (decision.state, decision.message) == (record.state.value, record.message)


def _judge(draft: Draft, decision: DecisionView) -> DecisionRecord:
    try:
        _refuse_what_is_decided_from_an_old_status(draft, decision)
        state, message = DecisionState.APPLIED, _JUDGES[decision.spec.action](draft, decision)
    except Refused as refused:
        state, message = DecisionState.REFUSED, str(refused)
    warning = state is DecisionState.REFUSED
    draft.report(f"Decision{state.value}", f"{decision.name} ({decision.spec.action}): {message}", warning=warning)
    return DecisionRecord(
        name=decision.name,
        uid=decision.uid,
        action=decision.spec.action.value,
        volume=decision.spec.volume,
        manager=decision.manager,
        reason=decision.spec.reason or "",
        state=state,
        message=message,
        at=draft.now,
    )


def _refuse_what_is_decided_from_an_old_status(draft: Draft, decision: DecisionView) -> None:
    outdated = draft.status.outdated
    if outdated is not None and decision.spec.action not in (Action.ADOPT, Action.DISOWN):
        raise Refused(f"the status is out of date ({evidence_in_words(outdated.evidence)}); no node was touched")


def _forget(draft: Draft) -> None:
    """Drop old records, but never one whose decision still waits for its answer: it would be judged again."""
    there = {decision.uid: decision for decision in draft.seen.decisions}
    draft.status.decisions = [
        record
        for number, record in enumerate(draft.status.decisions)
        if number < KEPT or ((decision := there.get(record.uid)) is not None and not _is_told(decision, record))
    ]
