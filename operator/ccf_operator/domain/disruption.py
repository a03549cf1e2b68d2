"""Which pods a drained machine may take away: what the disruption budgets are to say."""

from __future__ import annotations

from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import ApplyRecoveryBudget, ApplyTrustedBudget, RemoveRecoveryBudget
from ccf_operator.domain.nodes import current_configuration
from ccf_operator.domain.quorum import majority


def want_budgets(draft: Draft) -> None:
    """Ask for the budgets that hold now, and for the end of the one that does not hold any more."""
    least = least_available(draft)
    if least is not None:
        draft.do(ApplyTrustedBudget(min_available=least))
    draft.do(ApplyRecoveryBudget() if draft.status.attempt is not None else RemoveRecoveryBudget())


def least_available(draft: Draft) -> int | None:
    """How many of the trusted nodes under the budget must stay, or None while no configuration is known.

    A majority, but never all of them: a budget that allows nothing while all is well holds up every drain of a machine
    and every upgrade of the cluster. The winner of a recovery counts, but is under a budget of its own.
    """
    configuration = current_configuration(draft)
    if configuration is None:
        return None
    size = len(configuration.nodes)
    attempt = draft.status.attempt
    winner = draft.status.node(attempt.winner.node) if attempt is not None and attempt.winner is not None else None
    elsewhere = int(winner is not None and winner.node_id in configuration.nodes)
    return max(0, min(majority(size), size - 1) - elsewhere)
