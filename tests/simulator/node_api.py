"""The `/node` frontend: what a node says about itself and its service (CCF facts §1)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

from simulator import joining, nodes_table, quote, receipts
from simulator.config import Config, Interface
from simulator.gov_tables import (
    ENDORSED_CERTIFICATES,
    NODES,
    PREVIOUS_SERVICE_IDENTITY,
    SERVICE_CONFIG,
    SERVICE_INFO,
    read_json,
)
from simulator.http1 import Request, Response
from simulator.kv import Store, Tx, TxID
from simulator.ledger import LedgerDirectory

VERSION = {"ccf_version": "ccf-7.0.0-dev5", "quickjs_version": "2024-01-13", "unsafe": False}


class ConsensusView(Protocol):
    """What the answers need of consensus."""

    @property
    def view(self) -> int: ...

    @property
    def primary_id(self) -> str | None: ...

    @property
    def is_primary(self) -> bool: ...

    @property
    def committed(self) -> TxID: ...

    def configuration(self) -> Mapping[str, str]:
        """The latest one: node id -> node-to-node address."""
        ...

    def view_history(self) -> Sequence[TxID]:
        """First transaction of every view."""
        ...

    def details(self) -> Mapping[str, Any]:
        """As in `/node/consensus`, under "details"."""
        ...


class NodeView(joining.Host, Protocol):
    """What the answers need of the node."""

    node_id: str
    config: Config

    @property
    def store(self) -> Store: ...

    @property
    def ledger(self) -> LedgerDirectory: ...

    state: str
    startup_seqno: int
    stop_notice: bool
    self_signed: str
    recovery_progress: tuple[int, int] | None  # target and last recovered seqno
    member_frontend_open: bool
    user_frontend_open: bool
    applicant: nodes_table.Applicant

    @property
    def consensus(self) -> ConsensusView | None: ...

    def transaction_status(self, view: int, seqno: int) -> str: ...

    def metrics(self) -> Mapping[str, Any]: ...


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.response = Response.error(status, code, message)


class Call:
    """One request under `/node` on its way to an answer."""

    def __init__(self, node: NodeView, interface: Interface, request: Request, tx: Tx) -> None:
        self.node, self.interface, self.request, self.tx = node, interface, request, tx
        self.parameters: dict[str, str] = dict(parse_qsl(request.query, keep_blank_values=True))
        self.path_parameters: dict[str, str] = {}
        self.keep_writes = False

    def consensus(self) -> ConsensusView:
        if self.node.consensus is None:
            raise Refused(404, "ResourceNotFound", "No configured consensus")
        return self.node.consensus

    def answer(self, body: Any) -> Response:
        """A JSON answer from the store, which names the transaction it was read at."""
        return with_txid(Response.json(body), self.node.store)


def with_txid(response: Response, store: Store) -> Response:
    return response.with_header("x-ms-ccf-transaction-id", str(store.current)) if store.current.seqno else response


def _state(call: Call) -> Response:
    node = call.node
    body: dict[str, Any] = {
        "last_signed_seqno": node.store.last_signed.seqno,
        "node_id": node.node_id,
        "startup_seqno": node.startup_seqno,
        "state": node.state,
        "stop_notice": node.stop_notice,
    }
    if node.recovery_progress is not None:
        body["recovery_target_seqno"], body["last_recovered_seqno"] = node.recovery_progress
    return call.answer(body)


def _network(call: Call) -> Response:
    info = read_json(call.tx, SERVICE_INFO)
    if info is None:
        raise Refused(404, "ResourceNotFound", "Service state not available.")
    consensus = call.node.consensus
    return call.answer(
        {
            "current_service_create_txid": info.get("current_service_create_txid"),
            "current_view": None if consensus is None else consensus.view,
            "primary_id": None if consensus is None else consensus.primary_id,
            "recovery_count": info.get("recovery_count", 0),
            "service_certificate": info["cert"],
            "service_data": info.get("service_data"),
            "service_status": info["status"],
        }
    )


def _nodes(call: Call) -> Response:
    status = call.parameters.get("status")
    if status is not None and status not in ("Pending", "Trusted", "Retired"):
        raise Refused(400, "InvalidQueryParameterValue", f"Query parameter '{status}' is not a valid node status")
    host, port = call.parameters.get("host"), call.parameters.get("port")
    found = []
    for node_id, row in nodes_table.rows(call.tx).items():
        published = [one["published_address"].rpartition(":") for one in row["rpc_interfaces"].values()]
        if status is not None and row["status"] != status:
            continue
        if host is not None and not any(one[0] == host for one in published):
            continue
        if port is not None and not any(one[2] == port for one in published):
            continue
        found.append(_shown(call, node_id, row))
    return call.answer({"nodes": found})


def _one_node(call: Call) -> Response:
    return call.answer(_known(call, call.path_parameters["node_id"]))


def _self(call: Call) -> Response:
    row = nodes_table.row(call.tx, call.node.node_id)
    if row is not None:
        return call.answer(_shown(call, call.node.node_id, row))
    mine = call.node.applicant.row("Pending")
    return call.answer(nodes_table.shown(call.node.node_id, mine, primary=False, last_written=0))


def _primary_node(call: Call) -> Response:
    primary = call.consensus().primary_id
    if primary is None:
        raise Refused(500, "InternalError", "Primary unknown")
    return call.answer(_known(call, primary))


def _known(call: Call, node_id: str) -> dict[str, Any]:
    row = nodes_table.row(call.tx, node_id)
    if row is None:
        raise Refused(404, "ResourceNotFound", "Node not found")
    return _shown(call, node_id, row)


def _shown(call: Call, node_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    consensus = call.node.consensus
    primary = consensus is not None and consensus.primary_id == node_id
    written = call.tx.version_of(NODES, node_id.encode()) or 0
    return nodes_table.shown(node_id, row, primary=primary, last_written=written)


def _removable(call: Call) -> Response:
    committed = call.node.store.begin(committed=True)
    gone = {node_id: row for node_id, row in nodes_table.rows(committed).items() if row.get("retired_committed")}
    consensus = call.node.consensus
    primary = None if consensus is None else consensus.primary_id
    shown = [
        nodes_table.shown(
            node_id,
            row,
            primary=node_id == primary,
            last_written=committed.version_of(NODES, node_id.encode()) or 0,
        )
        for node_id, row in gone.items()
        if nodes_table.row(call.tx, node_id) is not None
    ]
    return call.answer({"nodes": shown})


def _delete_node(call: Call) -> Response:
    node_id = call.path_parameters["node_id"]
    row = nodes_table.row(call.tx, node_id)
    if row is None:
        raise Refused(404, "ResourceNotFound", "No such node")
    committed = nodes_table.row(call.node.store.begin(committed=True), node_id)
    if row["status"] != "Retired" or committed is None or not committed.get("retired_committed"):
        raise Refused(400, "NodeNotRetiredCommitted", "Node is not completely retired")
    call.tx.remove(NODES, node_id.encode())
    call.tx.remove(ENDORSED_CERTIFICATES, node_id.encode())
    call.keep_writes = True
    return Response.json(True)


def _is_primary(call: Call) -> Response:
    if call.node.consensus is not None and call.node.consensus.is_primary:
        return Response(200)
    raise Refused(404, "ResourceNotFound", "Node is not primary")


def _head_primary(call: Call) -> Response:
    if call.node.consensus is not None and call.node.consensus.is_primary:
        return Response(200)
    return redirect_to_primary(call, "/node/primary")


def redirect_to_primary(call: Call, target: str) -> Response:
    """308 to the primary's interface of the same name (CCF facts §1)."""
    primary = None if call.node.consensus is None else call.node.consensus.primary_id
    if primary is None:
        raise Refused(500, "InternalError", "Primary unknown")
    address = interface_of(call.tx, primary, call.interface.name)
    if address is None:
        raise Refused(500, "InternalError", f"Interface {call.interface.name} not present on target node")
    return Response(308, b"", {"location": f"https://{address}{target}"})


def interface_of(tx: Tx, node_id: str, name: str) -> str | None:
    """Published address of a node's interface."""
    row = nodes_table.row(tx, node_id) or {"rpc_interfaces": {}}
    found = row["rpc_interfaces"].get(name)
    return None if found is None else str(found["published_address"])


def _backup(call: Call) -> Response:
    if call.node.consensus is None or not call.node.consensus.is_primary:
        return Response(200)
    raise Refused(404, "ResourceNotFound", "Node is not backup")


def _consensus(call: Call) -> Response:
    return Response.json({"details": call.consensus().details()})


def _config(call: Call) -> Response:
    latest = call.consensus().configuration()
    return Response.json({node_id: {"address": address} for node_id, address in latest.items()})


def _commit(call: Call) -> Response:
    consensus = call.node.consensus
    if consensus is None:
        raise Refused(500, "InternalError", "Error code: Uninitialised")
    body: dict[str, Any] = {"transaction_id": str(consensus.committed)}
    since = call.parameters.get("view_history_since")
    if since is not None or call.parameters.get("view_history") == "true":
        first = 1 if since is None else int(since)
        body["view_history"] = [
            str(one) for one in consensus.view_history() if one.view >= first and one.seqno <= consensus.committed.seqno
        ]
    return Response.json(body)


def _tx(call: Call) -> Response:
    txid = _asked_transaction(call)
    return Response.json({"transaction_id": str(txid), "status": call.node.transaction_status(txid.view, txid.seqno)})


def _asked_transaction(call: Call) -> TxID:
    text = call.parameters.get("transaction_id", "")
    try:
        return TxID.parse(text)
    except ValueError:
        message = f"The value '{text}' passed as 'transaction_id' could not be converted to a valid Transaction ID."
        raise Refused(400, "InvalidQueryParameterValue", message) from None


def _version(call: Call) -> Response:
    return Response.json(VERSION)


def _ready_app(call: Call) -> Response:
    node = call.node
    ready = node.state == "PartOfNetwork" and node.user_frontend_open and not node.stop_notice
    return Response(204 if ready else 503)


def _ready_gov(call: Call) -> Response:
    node = call.node
    fit = node.state in ("PartOfNetwork", "PartOfPublicNetwork", "ReadingPrivateLedger")
    return Response(204 if fit and node.member_frontend_open and not node.stop_notice else 503)


def _metrics(call: Call) -> Response:
    return Response.json({"sessions": call.node.metrics()})


def _memory(call: Call) -> Response:
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[1]) * 4096
    return Response.json(
        {"max_total_heap_size": 2**63, "current_allocated_heap_size": used, "peak_allocated_heap_size": used}
    )


def _service_configuration(call: Call) -> Response:
    configuration = read_json(call.tx, SERVICE_CONFIG)
    return with_txid(Response(204), call.node.store) if configuration is None else call.answer(configuration)


def _previous_identity(call: Call) -> Response:
    previous = read_json(call.tx, PREVIOUS_SERVICE_IDENTITY)
    if previous is None:
        raise Refused(404, "ResourceNotFound", "This service is not a recovery of a previous service.")
    return call.answer({"previous_service_identity": previous})


def _self_signed(call: Call) -> Response:
    return Response.json({"self_signed_certificate": call.node.self_signed})


def _quote(node_id: str, info: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "endorsements": info.get("endorsements", ""),
        "format": info["format"],
        "mrenclave": "",
        "node_id": node_id,
        "raw": info["quote"],
        "measurement": quote.claims(info)["measurement"],
    }


def _quotes(call: Call) -> Response:
    rows = nodes_table.rows(call.tx)
    return call.answer({"quotes": [_quote(node_id, row["quote_info"]) for node_id, row in rows.items()]})


def _own_quote(call: Call) -> Response:
    return call.answer(_quote(call.node.node_id, call.node.applicant.quote_info))


def _snapshot(call: Call) -> Response:
    if call.node.consensus is None:
        raise Refused(500, "InternalError", "Primary unknown")
    if not call.node.consensus.is_primary and call.node.consensus.primary_id is not None:
        return redirect_to_primary(call, call.request.target)
    since = call.parameters.get("since", "0")
    raise Refused(404, "ResourceNotFound", f"This node has no committed snapshots since {since}")


def _receipt(call: Call) -> Response:
    txid = _asked_transaction(call)
    status = call.node.transaction_status(txid.view, txid.seqno)
    if status == "Invalid":
        raise Refused(404, "TransactionInvalid", f"Transaction {txid} is invalid.")
    if status != "Committed":
        raise Refused(404, "TransactionPendingOrUnknown", f"Transaction {txid} is not available.")
    found = receipts.receipt(call.node.store, call.node.ledger, txid.seqno)
    if found is not None:
        return Response.json(found)
    message = f"Historical transaction {txid} is not currently available."
    return Response.error(202, "TransactionNotReplicated", message).with_header("retry-after", "3")


def _js_metrics(call: Call) -> Response:
    return Response.json(
        {
            "bytecode_size": 0,
            "bytecode_used": False,
            "max_execution_time": 1000,
            "max_heap_size": 100 * 1024 * 1024,
            "max_stack_size": 1024 * 1024,
        }
    )


def _index_strategies(call: Call) -> Response:
    return Response.json([])


def _jwt_metrics(call: Call) -> Response:
    return Response.json({"attempts": 0, "failures": 0, "successes": 0})


def _join(call: Call) -> Response:
    try:
        outcome = joining.accept(call.tx, call.node, json.loads(call.request.body))
    except joining.NotPrimary:
        return redirect_to_primary(call, "/node/join")
    except joining.JoinRefused as refusal:
        raise Refused(refusal.status, refusal.code, refusal.message) from refusal
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(400, "InvalidInput", f"Error during deserialisation: {error}") from error
    call.keep_writes = outcome.changed
    return Response.json(outcome.body)


def _api(call: Call) -> Response:
    paths = sorted(path for (method, path) in _ENDPOINTS if method == "GET" and path != "/node/snapshot")
    return Response.json({"paths": paths})


Endpoint = Callable[[Call], Response]

_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/node/api"): _api,
    ("GET", "/node/attestations"): _quotes,
    ("GET", "/node/attestations/self"): _own_quote,
    ("GET", "/node/backup"): _backup,
    ("GET", "/node/commit"): _commit,
    ("GET", "/node/config"): _config,
    ("GET", "/node/consensus"): _consensus,
    ("GET", "/node/index/strategies"): _index_strategies,
    ("GET", "/node/js_metrics"): _js_metrics,
    ("GET", "/node/jwt_keys/refresh/metrics"): _jwt_metrics,
    ("GET", "/node/memory"): _memory,
    ("GET", "/node/metrics"): _metrics,
    ("GET", "/node/network"): _network,
    ("GET", "/node/network/nodes"): _nodes,
    ("GET", "/node/network/nodes/primary"): _primary_node,
    ("GET", "/node/network/nodes/self"): _self,
    ("GET", "/node/network/nodes/{node_id}"): _one_node,
    ("DELETE", "/node/network/nodes/{node_id}"): _delete_node,
    ("GET", "/node/network/removable_nodes"): _removable,
    ("GET", "/node/primary"): _is_primary,
    ("HEAD", "/node/primary"): _head_primary,
    ("GET", "/node/quotes"): _quotes,
    ("GET", "/node/quotes/self"): _own_quote,
    ("GET", "/node/ready/app"): _ready_app,
    ("GET", "/node/ready/gov"): _ready_gov,
    ("GET", "/node/receipt"): _receipt,
    ("GET", "/node/self_signed_certificate"): _self_signed,
    ("GET", "/node/service/configuration"): _service_configuration,
    ("GET", "/node/service/previous_identity"): _previous_identity,
    ("GET", "/node/snapshot"): _snapshot,
    ("HEAD", "/node/snapshot"): _snapshot,
    ("GET", "/node/state"): _state,
    ("GET", "/node/tx"): _tx,
    ("GET", "/node/version"): _version,
    ("POST", "/node/join"): _join,
}


def is_write(request: Request) -> bool:
    """True if only the primary can answer; joins find the primary by themselves."""
    return request.method == "DELETE"


def handle(call: Call) -> Response:
    """Answer a request under `/node`; its transaction is to be applied if `call.keep_writes`."""
    endpoint = _find(call)
    try:
        return endpoint(call)
    except Refused as refusal:
        return refusal.response


def _find(call: Call) -> Endpoint:
    method, path = call.request.method, call.request.path
    fitting: dict[str, Endpoint] = {}  # by method; a literal path comes before one with a parameter
    for (verb, known), endpoint in sorted(_ENDPOINTS.items(), key=lambda one: "{" in one[0][1]):
        match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", known), path)
        if match is not None and verb not in fitting:
            fitting[verb] = endpoint
            if verb == method:
                call.path_parameters = match.groupdict()
    if method in fitting:
        return fitting[method]
    allowed = ", ".join(sorted(fitting))
    refusal = (
        Refused(405, "UnsupportedHttpVerb", f"Allowed methods for '{path}' are: {allowed}.")
        if fitting
        else Refused(404, "ResourceNotFound", f"Unknown path: {path.removeprefix('/node')}.")
    )

    def refuse(_: Call) -> Response:
        raise refusal

    return refuse
