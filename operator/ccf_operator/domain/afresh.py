"""Setting aside what a status that is out of date says of the service, its nodes and what was under way.

What people have decided, the past, and the numbers that were given away stay.
"""

from __future__ import annotations

from ccf_operator.api.decision import DecisionState
from ccf_operator.api.status import QuorumStatus, ServiceStatus
from ccf_operator.domain import attempts
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.interventions import forget_start


def start_afresh(draft: Draft, why: str) -> None:
    """Forget nodes, volumes, the service and all that is under way; `why` is told of what ends by it."""
    status = draft.status
    if status.attempt is not None:
        attempts.abandon(draft, status.attempt, why)
    if status.start is not None:
        forget_start(draft, status.start, DecisionState.REFUSED, f"not done: {why}")
    status.nodes, status.volumes = [], []
    status.service, status.configuration, status.high_water_mark = ServiceStatus(), None, None
    status.quorum = QuorumStatus()
    status.unsettled = status.doubted = None
    status.paused, status.join_failures, status.adopted = None, None, None
    status.outdated = None
