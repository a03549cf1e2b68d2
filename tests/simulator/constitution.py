"""Evaluates a constitution: ballots, validate, resolve, apply (CCF facts §6.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from simulator import service, shares
from simulator.gov_tables import service_status
from simulator.gov_types import NodeHooks
from simulator.javascript import Access, Script, ScriptError
from simulator.kv import Tx

_PARAMETERS = {"validate": (1, 1), "resolve": (3, 4), "apply": (2, 2)}


def validate(tx: Tx, source: str, proposal: str, log: Callable[[str], None]) -> Any:
    """What the constitution's `validate(proposal)` returned. Raises ScriptError."""
    return _read_only(tx, source, log).call("validate", proposal)


def vote(tx: Tx, ballot: str, proposal: str, proposer: str, log: Callable[[str], None]) -> bool:
    """A ballot's vote: exactly `true` is yes. Raises ScriptError."""
    script = Script(tx, Access.GOVERNANCE_READ, log)
    script.load(ballot)
    return script.call("vote", proposal, proposer) is True


def resolve(
    tx: Tx,
    source: str,
    proposal: str,
    proposer: str,
    votes: Mapping[str, bool],
    proposal_id: str,
    log: Callable[[str], None],
) -> str:
    """The proposal's state by `resolve`, as the constitution words it ("" if it is no string). Raises ScriptError."""
    ballots = [{"member_id": member, "vote": votes[member]} for member in sorted(votes)]
    state = _read_only(tx, source, log).call("resolve", proposal, proposer, ballots, proposal_id)
    return state if isinstance(state, str) else ""


def apply(tx: Tx, source: str, proposal: str, proposal_id: str, hooks: NodeHooks) -> None:
    """Run the constitution's `apply` on `tx`. Raises ScriptError."""

    def transition(previous: str | None, following: str) -> None:
        try:
            service.transition_service_to_open(tx, hooks, previous, following)
        except RuntimeError as error:
            raise RuntimeError(f"Unable to open service: {error}") from error

    def rekey() -> None:
        if service_status(tx) != "Open":
            raise RuntimeError("Could not rekey ledger")
        secret = os.urandom(shares.LEDGER_SECRET_BYTES)
        shares.issue_recovery_shares(tx, hooks.ledger_secrets(tx), new_secret=secret)
        hooks.share_new_ledger_secret(tx, secret)

    script = Script(tx, Access.GOVERNANCE_WRITE, hooks.log)
    script.enable("governance", {"validateConstitution": lambda text: _check_constitution(tx, text, hooks.log)})
    script.enable(
        "apply",
        {
            "transitionServiceToOpen": transition,
            "triggerLedgerRekey": rekey,
            "triggerRecoverySharesRefresh": lambda: shares.shuffle_recovery_shares(tx, hooks.ledger_secrets(tx)),
            "triggerLedgerChunk": lambda: hooks.trigger_ledger_chunk(tx),
            "triggerSnapshot": lambda: hooks.trigger_snapshot(tx),
            "getLatestLedgerSecretSeqno": lambda: max(hooks.ledger_secrets(tx)),
            "generateEndorsedCertificate": hooks.generate_endorsed_certificate,
            "generateNetworkCertificate": hooks.generate_network_certificate,
        },
    )
    script.load(source)
    script.call("apply", proposal, proposal_id)


def _read_only(tx: Tx, source: str, log: Callable[[str], None]) -> Script:
    script = Script(tx, Access.GOVERNANCE_READ, log)
    script.enable("governance", {"validateConstitution": lambda text: _check_constitution(tx, text, log)})
    script.load(source)
    return script


def _check_constitution(tx: Tx, source: object, log: Callable[[str], None]) -> bool:
    """ccf.gov.validateConstitution: true, or TypeError with what is wrong."""
    if not isinstance(source, str) or not source:
        raise TypeError("constitution is not a string" if not isinstance(source, str) else "constitution is empty")
    script = Script(tx, Access.GOVERNANCE_READ, log)
    try:
        script.load(source)
    except ScriptError as error:
        raise TypeError(f"proposed constitution does not evaluate: {error.reason}") from error
    for function, (fewest, most) in _PARAMETERS.items():
        arity = script.arity(function)
        if arity is None:
            raise TypeError(f"proposed constitution does not export a function named {function}")
        if not fewest <= arity <= most:
            raise TypeError(
                f"proposed constitution exports function {function} with {arity} args, expected {fewest} to {most}"
            )
    return True
