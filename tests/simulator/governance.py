"""The `/gov` frontend of a node: members' signed messages and what they read (CCF facts §6, api-version 2024-07-01)."""

from __future__ import annotations

from simulator.gov_types import NodeHooks, Request, Response
from simulator.kv import Tx


def is_write(request: Request) -> bool:
    """True if only the primary can answer (the node forwards or redirects it): every POST."""
    return request.method == "POST"


def handle(tx: Tx, request: Request, hooks: NodeHooks) -> Response:
    """Answer one request under /gov/.

    Never raises for anything a client sent. The caller applies `tx` if `response.keep_writes` (and it has writes),
    throws it away otherwise, and adds `x-ms-ccf-transaction-id`. FrontendNotOpen, forwarding, redirection and
    session consistency are the caller's business.
    """
    raise NotImplementedError


def transition_service_to_open(tx: Tx, hooks: NodeHooks, previous: str | None, following: str) -> None:
    """What ccf.node.transitionServiceToOpen does (CCF facts §8.2); raises RuntimeError with CCF's reason."""
    raise NotImplementedError


def complete_recovery(tx: Tx, hooks: NodeHooks) -> None:
    """The private ledger is recovered (called by the node, on the primary): issues shares of the new ledger secret,
    clears those submitted, sets the service Open and asks for a snapshot. `hooks.ledger_secrets` must hold the
    recovered secrets by now."""
    raise NotImplementedError
