"""From an HTTP request on an interface to its answer: routing, forwarding, sessions (CCF facts §1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from simulator import app, gov_types, governance, node_api
from simulator.config import Interface
from simulator.http1 import Request, Response
from simulator.kv import Tx, TxID


class Host(node_api.NodeView, gov_types.NodeHooks, Protocol):
    """The node that serves."""

    def execute(self, tx: Tx) -> TxID:
        """Append the transaction's writes to the ledger."""
        ...

    def discard(self, tx: Tx) -> None:
        """Forget what hooks noted for a transaction that is thrown away."""
        ...

    def at_capacity(self) -> bool:
        """Too much is uncommitted for another write."""
        ...

    async def forward(self, request: Request, interface: Interface) -> Response: ...


class Frontend:
    """Answers the requests of one connection."""

    def __init__(self, node: Host, interface: Interface) -> None:
        self._node = node
        self._interface = interface
        self._view: int | None = None  # the session is bound to it from its first request on

    async def answer(self, request: Request) -> Response:
        return await _answer(self._node, self._interface, request, self._check_session)

    def _check_session(self) -> Response | None:
        consensus = self._node.consensus
        if consensus is None:
            return None
        if self._view is not None and self._view != consensus.view:
            message = (
                f"Potential loss of session consistency on this session started in view {self._view}. "
                f"The current view is {consensus.view}."
            )
            return Response.error(500, "SessionConsistencyLost", message, close=True)
        self._view = consensus.view
        return None


async def answer_forwarded(node: Host, interface: Interface, request: Request) -> Response:
    """Answer a request that a backup has forwarded to this node."""
    if not node.can_write():
        return _unknown_primary()
    return await _answer(node, interface, request, lambda: None)


async def _answer(
    node: Host, interface: Interface, request: Request, check_session: Callable[[], Response | None]
) -> Response:
    path = request.path
    accepted = interface.accepted_endpoints
    if accepted is not None and not any(re.fullmatch(one, path) for one in accepted):
        return Response.error(503, "InterfaceNotAcceptingEndpoint", "Request for this endpoint is not accepted here.")
    refused = _closed(node, path) or check_session()
    if refused is not None:
        return refused
    if path.startswith("/node/"):
        if node_api.is_write(request) and not node.can_write():
            return await _elsewhere(node, interface, request)
        return _node(node, interface, request)
    tx = node.store.begin()
    asked = gov_types.Request(request.method, path, request.query, request.headers, request.body)
    if path.startswith("/gov/"):
        writes, handle = governance.is_write(asked), governance.handle
    elif path.startswith("/app/"):
        writes, handle = app.is_write(tx, asked), app.handle
    else:
        return Response.error(404, "ResourceNotFound", f"Unknown path: {path}.")
    if writes and not node.can_write():
        return await _elsewhere(node, interface, request)
    if writes and node.at_capacity():
        return Response.error(503, "TooManyPendingTransactions", "Too many transactions pending commit on the service.")
    answered = handle(tx, asked, node)
    response = Response(answered.status, answered.body, answered.headers)
    return _finish(node, tx, response, keep=answered.keep_writes)


def _node(node: Host, interface: Interface, request: Request) -> Response:
    call = node_api.Call(node, interface, request, node.store.begin())
    response = node_api.handle(call)
    return _finish(node, call.tx, response, keep=True) if call.keep_writes else response


def _finish(node: Host, tx: Tx, response: Response, *, keep: bool) -> Response:
    if not keep:
        node.discard(tx)
        return response
    if not tx.writes:
        return node_api.with_txid(response, node.store)
    if not node.can_write():
        node.discard(tx)
        return _unknown_primary()
    return response.with_header("x-ms-ccf-transaction-id", str(node.execute(tx)))


def _closed(node: Host, path: str) -> Response | None:
    open_ = {"/gov/": node.member_frontend_open, "/app/": node.user_frontend_open}
    for prefix, is_open in open_.items():
        if path.startswith(prefix) and not is_open:
            return Response.error(404, "FrontendNotOpen", "Frontend is not open.")
    return None


async def _elsewhere(node: Host, interface: Interface, request: Request) -> Response:
    primary = None if node.consensus is None else node.consensus.primary_id
    if interface.redirects_to_primary:
        address = None if primary is None else node_api.interface_of(node.store.begin(), primary, interface.name)
        if address is None:
            return Response.error(503, "PrimaryNotFound", "Request should be redirected to unknown primary.")
        return Response(307, b"", {"location": f"https://{address}{request.target}"})
    if primary is None or primary == node.node_id:
        return _unknown_primary()
    return await node.forward(request, interface)


def _unknown_primary() -> Response:
    return Response.error(503, "InternalError", "RPC could not be forwarded to unknown primary.")
