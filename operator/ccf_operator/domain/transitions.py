"""The steps of a disaster recovery as one table: from where to where, when, and what a person does about it.

Every change of an attempt's phase, and its end, passes through here: what the table does not hold cannot happen.
"""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.api.status import Attempt, AttemptPhase, AttemptResult


class UnknownTransition(Exception):
    """A step that the table does not hold: a mistake in the operator, which then does nothing rather than that."""


@dataclass(frozen=True)
class Transition:
    """One step. `source` None: there is no attempt yet. `person`: what a person does for it to happen, if anything."""

    source: AttemptPhase | None
    target: AttemptPhase | AttemptResult
    when: str
    person: str = ""


_FENCING, _RECOVERING = AttemptPhase.FENCING, AttemptPhase.RECOVERING
_APPROVAL, _JOINING, _MEMBERS = AttemptPhase.AWAITING_APPROVAL, AttemptPhase.JOINING, AttemptPhase.AWAITING_MEMBERS
_SUCCEEDED, _ABANDONED, _SUPERSEDED = AttemptResult.SUCCEEDED, AttemptResult.ABANDONED, AttemptResult.SUPERSEDED

_QUORUM_BACK = (
    "the old service has a quorum again, recovery is disabled, a person aborts, or its status proves out of date"
)
_NOT_VOTED = (
    "the members have not voted, and the old service has a quorum again or a person aborts, or they have, and a person "
    "chooses the old service, or its status proves out of date"
)
_NEVER_OPENED = (
    "the recovered network that was lost before was never opened, so the last open service counts again, or it was "
    "opened unseen, and is recovered instead"
)
_LOST_AGAIN = "the recovering network has provably lost its quorum, or is where CCF cannot open it any more"

TRANSITIONS = (
    Transition(
        None, _FENCING, "the loss of quorum is proven", "marks a machine that is down for good, or starts a recovery"
    ),
    Transition(_FENCING, _RECOVERING, "every volume is fenced or given up"),
    Transition(_RECOVERING, _APPROVAL, "something may be missing, or nothing was recovered, or mode is Manual"),
    Transition(
        _APPROVAL, _RECOVERING, "a candidate is tried again, or has fallen silent", "brings back what is missing"
    ),
    Transition(_RECOVERING, _JOINING, "the winner is chosen, for nothing committed can be missing"),
    Transition(_APPROVAL, _JOINING, "the winner is chosen", "approves, or brings back what is missing"),
    Transition(
        _JOINING, _MEMBERS, "every other candidate has ended, and every joiner has caught up or is not waited for"
    ),
    Transition(_JOINING, _SUCCEEDED, "the members have opened it before they were asked"),
    Transition(_MEMBERS, _SUCCEEDED, "open on a quorum", "members vote, then submit recovery shares"),
    Transition(_FENCING, _ABANDONED, _QUORUM_BACK),
    Transition(_RECOVERING, _ABANDONED, _QUORUM_BACK),
    Transition(_APPROVAL, _ABANDONED, _QUORUM_BACK),
    Transition(_JOINING, _ABANDONED, _NOT_VOTED),
    Transition(_MEMBERS, _ABANDONED, _NOT_VOTED),
    Transition(_RECOVERING, _SUPERSEDED, _NEVER_OPENED),
    Transition(_APPROVAL, _SUPERSEDED, _NEVER_OPENED, "says so where it cannot be proven"),
    Transition(_JOINING, _SUPERSEDED, _LOST_AGAIN),
    Transition(_MEMBERS, _SUPERSEDED, _LOST_AGAIN),
)

_KNOWN = frozenset((transition.source, transition.target) for transition in TRANSITIONS)


def check(source: AttemptPhase | None, target: AttemptPhase | AttemptResult) -> None:
    """Raise UnknownTransition unless the table holds this step."""
    if (source, target) not in _KNOWN:
        raise UnknownTransition(f"no attempt goes from {source or 'nothing'} to {target}")


def move(attempt: Attempt, to: AttemptPhase) -> None:
    """Take an attempt to a phase; staying in one is no step. Raises UnknownTransition."""
    if attempt.phase is not to:
        check(attempt.phase, to)
        attempt.phase = to
