"""Whether a proposal opens the service that the operator offers, and lets in no nodes but the operator's."""

from __future__ import annotations

from collections.abc import Container, Iterable

from ccf_operator.ccf.action_words import OPENING, key_in
from ccf_operator.ccf.identity import shorten
from ccf_operator.ccf.messages import Action
from ccf_operator.cli.service import Expected

TRUST = "transition_node_to_trusted"


def proposal_problem(actions: Iterable[Action], expected: Expected, nodes: Container[str]) -> str:
    """Why nobody should vote for these actions; empty if nothing speaks against it. `nodes`: ids of the operator's."""
    listed = list(actions)
    return opening_problem(listed, expected) or _stranger(listed, nodes)


def _stranger(actions: Iterable[Action], nodes: Container[str]) -> str:
    for action in actions:
        args = action.get("args") or {}
        if action.get("name") == TRUST and args.get("node_id") not in nodes:
            return f"it would let in a node that the operator does not know: {shorten(str(args.get('node_id')))}"
    return ""


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
