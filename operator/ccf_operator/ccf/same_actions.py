"""Whether two proposals mean the same. CCF gives each signed proposal an id of its own, so nothing else can tell.

When the certificate of a node that is trusted begins makes no other proposal: whoever proposes tomorrow what was
proposed today means the same. For how long it is valid does, and so does either where a proposal is about certificates.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ccf_operator.ccf.messages import Action

_BESIDES = {"transition_node_to_trusted": frozenset({"valid_from"})}
"""Arguments that do not tell one proposal from another, by action."""

_INCOMPARABLE = (TypeError, ValueError, RecursionError)


def canonical(action: Action) -> str:
    """A text that two actions share if they mean the same. What members propose may be anything: it never raises."""
    name, args = action.get("name"), action.get("args") or {}
    besides = _BESIDES.get(str(name), frozenset())
    if isinstance(args, dict):
        args = {key: _stripped(value) for key, value in args.items() if key not in besides}
    try:
        return json.dumps([name, args], sort_keys=True)
    except _INCOMPARABLE:
        return f"{name} with arguments like no other's"


def same(some: Iterable[Action], others: Iterable[Action]) -> bool:
    """Whether two proposals have the same actions, in whatever order."""
    return {canonical(action) for action in some} == {canonical(action) for action in others}


def _stripped(value: object) -> object:
    """Files end in a line break that messages may lack."""
    return value.strip() if isinstance(value, str) else value
