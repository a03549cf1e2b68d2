"""Whether a proposal to open a service opens the one that the operator offers."""

from __future__ import annotations

from collections.abc import Iterable

from ccf_operator.ccf.action_words import OPENING, key_in
from ccf_operator.ccf.messages import Action
from ccf_operator.cli.service import Expected


def opening_problem(actions: Iterable[Action], expected: Expected) -> str:
    """Why an opening among the actions is not one of the service that the operator offers; empty if there is nothing
    wrong with it, or there is none."""
    for action in actions:
        if action.get("name") != OPENING:
            continue
        args = action.get("args") or {}
        if key_in(args.get("next_service_identity")) != expected.key:
            return "it would open another service than the one the operator offers: a fork"
        previous = args.get("previous_service_identity")
        if expected.recovered_from is not None and key_in(previous) != expected.recovered_from:
            return "it names another service than the known one as the one that was recovered"
    return ""
