"""What the actions of a proposal would do, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ccf_operator.ccf.actions import certificate_seconds
from ccf_operator.ccf.identity import BadCertificate, key_fingerprint, shorten
from ccf_operator.ccf.messages import Action, member_id
from ccf_operator.wording import counted

OPENING = "transition_service_to_open"

_PLAIN: dict[str, str] = {
    "trigger_ledger_rekey": "encrypt the ledger with a new secret from now on; every recovery member gets a new share",
    "trigger_recovery_shares_refresh": "give every recovery member a new share of the same secret",
    "trigger_snapshot": "make a snapshot",
    "trigger_ledger_chunk": "begin a new ledger file",
    "remove_js_app": "remove the application",
}


_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError)
"""What arguments that no constitution would take can raise: they are whatever a member has signed."""


def explain(action: Action, names: Mapping[str, str]) -> str:
    """One action in a sentence, whatever it is. `names`: of nodes and members, by id."""
    name, args = str(action.get("name")), action.get("args") or {}
    if name in _PLAIN:
        return _PLAIN[name]
    try:
        words = _WORDS[name](args, names) if name in _WORDS else None
    except _UNREADABLE:
        words = None
    return words or f"{name} {_in_short(args)}"


_LONG = 300


def _in_short(args: object) -> str:
    try:
        text = shorten(json.dumps(args))
        return text if len(text) <= _LONG else f"{text[:_LONG]}… and {len(text) - _LONG} characters more"
    except _UNREADABLE:
        return "with arguments that cannot be shown"


def explain_all(actions: Iterable[Action], names: Mapping[str, str]) -> list[str]:
    """Every action in a sentence."""
    return [explain(action, names) for action in actions]


def _opening(args: Mapping[str, Any], names: Mapping[str, str]) -> str:
    following, previous = key_in(args["next_service_identity"]), key_in(args.get("previous_service_identity"))
    came = f", which goes on from the service with key {previous[:8]}…" if previous else ""
    return f"open the service with key {(following or 'unreadable')[:8]}…{came}"


def _node(args: Mapping[str, Any], names: Mapping[str, str]) -> str:
    return _named(str(args["node_id"]), names)


def _named(identity: str, names: Mapping[str, str]) -> str:
    return f"{names[identity]} ({identity[:8]}…)" if identity in names else f"{identity[:8]}…, which nobody here knows"


def _member(args: Mapping[str, Any], names: Mapping[str, str]) -> str:
    identity = str(args["member_id"]) if "member_id" in args else member_id(str(args["cert"]))
    return _named(identity, names) if identity in names else f"{identity[:8]}…"


def _validity(args: Mapping[str, Any]) -> str:
    days, begins = args.get("validity_period_days"), certificate_seconds(args["valid_from"])
    start = args["valid_from"] if begins is None else f"{datetime.fromtimestamp(begins, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"from {start}" + (f" for {counted(days, 'day')}" if days is not None else "")


_WORDS: dict[str, Callable[[Mapping[str, Any], Mapping[str, str]], str]] = {
    OPENING: _opening,
    "transition_node_to_trusted": lambda a, n: (
        f"trust node {_node(a, n)}: it becomes part of the service, with a certificate valid {_validity(a)}"
    ),
    "remove_node": lambda a, n: f"remove node {_node(a, n)} from the service, for good",
    "set_node_certificate_validity": lambda a, n: f"renew the certificate of node {_node(a, n)}, valid {_validity(a)}",
    "set_all_nodes_certificate_validity": lambda a, n: f"renew the certificates of all nodes, valid {_validity(a)}",
    "set_service_certificate_validity": lambda a, n: f"renew the service's certificate, valid {_validity(a)}",
    "set_recovery_threshold": lambda a, n: f"let {int(a['recovery_threshold'])} recovery shares suffice from now on",
    "set_member": lambda a, n: (
        f"add member {_member(a, n)} (or put it back to Accepted)"
        + (", with a recovery share" if a.get("encryption_pub_key") else "")
    ),
    "remove_member": lambda a, n: f"remove member {_member(a, n)}",
    "set_constitution": lambda a, n: (
        f"replace the whole constitution ({len(a['constitution'])} characters of JavaScript)"
    ),
    "set_js_app": lambda a, n: (
        f"install an application of {counted(len(a['bundle']['modules']), 'module')} and "
        f"{counted(len(a['bundle']['metadata']['endpoints']), 'endpoint')}, in place of the present one"
    ),
}


def key_in(pem: object) -> str | None:
    """Fingerprint of the public key of the certificate that an action names; None if it is none."""
    try:
        return key_fingerprint(pem) if isinstance(pem, str) else None
    except BadCertificate:
        return None
