"""The service's way to Open: at its start, and after a recovery (CCF facts §2, §8.2)."""

from __future__ import annotations

from simulator import shares
from simulator.gov_tables import (
    PREVIOUS_SERVICE_IDENTITY,
    SERVICE_INFO,
    active_recovery_members,
    read_json,
    recovery_threshold,
    write_json,
)
from simulator.gov_types import NodeHooks
from simulator.kv import Tx


def transition_service_to_open(tx: Tx, hooks: NodeHooks, previous: str | None, following: str) -> None:
    """What ccf.node.transitionServiceToOpen does. `previous` and `following` are service certificates (PEM).

    A new service opens at once; a recovering one begins to wait for recovery shares; an open or waiting one is left
    as it is. Raises RuntimeError with CCF's reason if the identities are not the service's."""
    info = read_json(tx, SERVICE_INFO)
    if info is None:
        raise RuntimeError("Service information cannot be found in current state")
    if info["status"] in ("WaitingForRecoveryShares", "Open"):
        return
    if info["status"] == "Recovering":
        recorded = read_json(tx, PREVIOUS_SERVICE_IDENTITY)
        if recorded is None or previous is None:
            raise RuntimeError(
                "Recovery with service certificates requires both, a previous service identity written to the KV "
                "during recovery genesis and a transition_service_to_open proposal that contains previous and next "
                "service certificates"
            )
        if recorded.strip() != previous.strip():
            raise RuntimeError(
                f"Previous service identity does not match.\nActual:\n{recorded}\nIn proposal:\n{previous}"
            )
    if info["cert"].strip() != following.strip():
        raise RuntimeError(
            "Service identity mismatch: the node to be opened is associated with the identity\n"
            f"{info['cert']}\nIn proposal:\n{following}"
        )
    state = hooks.startup_state()
    if state == "PartOfPublicNetwork":
        shares.clear_submitted_shares(tx)
        write_json(tx, SERVICE_INFO, {**info, "status": "WaitingForRecoveryShares"})
    elif state == "PartOfNetwork":
        try:
            shares.issue_recovery_shares(tx, hooks.ledger_secrets(tx))
        except RuntimeError as error:
            raise RuntimeError(f"Failed to issue recovery shares: {error}") from error
        _open(tx)
        hooks.trigger_snapshot(tx)
    else:
        raise RuntimeError(f"Node in state {state} cannot open service")


def complete_recovery(tx: Tx, hooks: NodeHooks) -> None:
    """The private ledger is recovered (called by the node, on the primary): clears the submitted shares, issues
    shares of the new ledger secret, sets the service Open and asks for a snapshot.

    `hooks.ledger_secrets` must hold the recovered secrets by now. Raises RuntimeError if the service cannot open."""
    shares.clear_submitted_shares(tx)
    shares.issue_recovery_shares(tx, hooks.ledger_secrets(tx))
    _open(tx)
    hooks.trigger_snapshot(tx)


def _open(tx: Tx) -> None:
    able = len(active_recovery_members(tx, "Participant")) + len(active_recovery_members(tx, "Owner"))
    threshold = recovery_threshold(tx)
    if able < threshold:
        raise RuntimeError(
            f"Cannot open network as number of active recovery members ({able}) is less than recovery threshold "
            f"({threshold})"
        )
    info = read_json(tx, SERVICE_INFO)
    if info is None or info["status"] not in ("Opening", "WaitingForRecoveryShares"):
        raise RuntimeError("Could not open current service: status is not Opening or WaitingForRecoveryShares")
    write_json(tx, SERVICE_INFO, {**info, "status": "Open"})
