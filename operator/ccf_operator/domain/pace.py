"""When to look again, where no event comes first: the sooner, the sooner something may have changed that makes none."""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.status import AttemptPhase, NodeRecord, Phase
from ccf_operator.domain.draft import Draft

PATIENT, STEADY, WAITING, BUSY, EAGER = 30.0, 5.0, 2.0, 0.5, 0.1
"""Seconds between looks: where a network has long been unable to start, where nothing is going on, where people or
doubts are waited for, where work is under way, and where a node that has just started may be ready any moment."""

JUST_STARTED = timedelta(seconds=10)
"""How long a node's first words are waited for eagerly; one that needs longer has much to read, and makes no haste."""


SIGNED = timedelta(seconds=10)
"""How long the effect of what the operator's member has signed is looked for."""


def wake_after(draft: Draft) -> float:
    """Seconds until the next look."""
    status = draft.status
    if any(_may_be_ready_soon(draft, record) for record in draft.alive()):
        return EAGER
    own = status.operator_member
    if own is not None and own.last_signed is not None and draft.now - own.last_signed.at < SIGNED:
        return BUSY
    if _only_waits(draft):
        return _patience(draft)
    attempt = status.attempt
    if attempt is not None:
        waits = attempt.phase in (AttemptPhase.AWAITING_APPROVAL, AttemptPhase.AWAITING_MEMBERS)
        return WAITING if waits and attempt.timeline.accepted_at is None else BUSY
    if status.phase is Phase.CREATING or status.start is not None:
        return BUSY
    if status.phase is Phase.RUNNING and status.quorum.unseen_since is None and not status.next_step:
        return STEADY
    return WAITING


def _only_waits(draft: Draft) -> bool:
    """Whether the network cannot start before a person has done something, which is noticed when it happens."""
    status, seen = draft.status, draft.seen
    if status.service.public_key is not None or status.attempt is not None or any(draft.alive()):
        return False
    decidable = status.found is not None and status.found.token is not None
    return bool(seen.inputs.problems or seen.name_taken or decidable)


def _patience(draft: Draft) -> float:
    """The longer it has been so, the more."""
    since = draft.status.phase_since or draft.now
    return min(PATIENT, max(WAITING, (draft.now - since).total_seconds() / 10))


def _may_be_ready_soon(draft: Draft, record: NodeRecord) -> bool:
    pod = draft.pod(record)
    if record.stop is not None or record.joined_at is not None or pod is None or not pod.ccf.running:
        return False
    attempt = draft.status.attempt
    results = {c.node: c.result for c in attempt.candidates} if attempt is not None else {}
    started = pod.ccf.started_at or draft.now
    return results.get(record.name) is None and draft.now - started < JUST_STARTED
