"""What anyone may read of the service: `/gov/service` (CCF facts §6)."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

from simulator.gov_tables import (
    ENDORSED_CERTIFICATES,
    ENDPOINTS,
    MEMBER_CERTS,
    MEMBER_ENCRYPTION_KEYS,
    MEMBER_INFO,
    MODULES,
    NODES,
    SERVICE_CONFIG,
    SERVICE_INFO,
    constitution,
    json_items,
    read_json,
)
from simulator.gov_types import Call, GovError, Response
from simulator.kv import Tx, TxID

_JAVASCRIPT = {"content-type": "text/javascript"}
_DEFAULTS = {
    "maximumNodeCertificateValidityDays": ("maximum_node_certificate_validity_days", 365),
    "maximumServiceCertificateValidityDays": ("maximum_service_certificate_validity_days", 365),
    "recentCoseProposalsWindowSize": ("recent_cose_proposals_window_size", 100),
}


def info(call: Call) -> Response:
    service = read_json(call.tx, SERVICE_INFO)
    if service is None:
        raise GovError(404, "ResourceNotFound", "Service info not yet available")
    body: dict[str, Any] = {
        "status": service["status"],
        "certificate": service["cert"],
        "recoveryCount": service.get("recovery_count", 0),
        "serviceData": service.get("service_data"),
    }
    if service.get("current_service_create_txid") is not None:
        body["creationTransactionId"] = service["current_service_create_txid"]
    previous = service.get("previous_service_identity_version")
    if previous is not None:
        body["previousServiceCreationTransactionId"] = f"{call.hooks.view_at(previous) or 0}.{previous}"
    config = read_json(call.tx, SERVICE_CONFIG)
    if config is not None:
        body["configuration"] = {
            "recoveryThreshold": config["recovery_threshold"],
            **{name: config.get(field, default) for name, (field, default) in _DEFAULTS.items()},
        }
    return Response.of_json(200, body)


def get_constitution(call: Call) -> Response:
    source = constitution(call.tx)
    if source is None:
        raise GovError(404, "ResourceNotFound", "Constitution not found")
    return Response(200, source.encode(), _JAVASCRIPT)


def members(call: Call) -> Response:
    rows = json_items(call.tx, MEMBER_INFO)
    return Response.of_json(200, {"value": [_member(call.tx, member_id, row) for member_id, row in rows]})


def member(call: Call) -> Response:
    member_id = call.identifier("memberId", "member ID")
    row = read_json(call.tx, MEMBER_INFO, member_id.encode())
    if row is None:
        raise GovError(404, "ResourceNotFound", f"Member {member_id} does not exist.")
    return Response.of_json(200, _member(call.tx, member_id, row))


def users(call: Call) -> Response:
    rows = sorted(call.tx.items("public:ccf.gov.users.certs"))
    return Response.of_json(200, {"value": [_user(call.tx, key.decode(), cert) for key, cert in rows]})


def user(call: Call) -> Response:
    user_id = call.identifier("userId", "user ID")
    certificate = call.tx.get("public:ccf.gov.users.certs", user_id.encode())
    if certificate is None:
        raise GovError(404, "ResourceNotFound", f"User {user_id} does not exist.")
    return Response.of_json(200, _user(call.tx, user_id, certificate))


def nodes(call: Call) -> Response:
    rows = json_items(call.tx, NODES)
    return Response.of_json(200, {"value": [_node(call.tx, node_id, row) for node_id, row in rows]})


def node(call: Call) -> Response:
    node_id = call.identifier("nodeId", "node ID")
    row = read_json(call.tx, NODES, node_id.encode())
    if row is None:
        raise GovError(404, "ResourceNotFound", f"Node {node_id} does not exist.")
    return Response.of_json(200, _node(call.tx, node_id, row))


def join_policy(call: Call) -> Response:
    tx = call.tx

    def allowed(table: str) -> list[str]:
        return [key for key, status in json_items(tx, table) if status == "AllowedToJoin"]

    def values(table: str) -> dict[str, Any]:
        return dict(json_items(tx, table))

    return Response.of_json(
        200,
        {
            "sgx": {"measurements": allowed("public:ccf.gov.nodes.code_ids")},
            "virtual": {
                "measurements": allowed("public:ccf.gov.nodes.virtual.measurements"),
                "hostData": [key.decode() for key, _ in sorted(tx.items("public:ccf.gov.nodes.virtual.host_data"))],
            },
            "snp": {
                "measurements": allowed("public:ccf.gov.nodes.snp.measurements"),
                "hostData": values("public:ccf.gov.nodes.snp.host_data"),
                "uvmEndorsements": values("public:ccf.gov.nodes.snp.uvm_endorsements"),
                "tcbVersions": values("public:ccf.gov.nodes.snp.tcb_versions"),
            },
        },
    )


def jwk(call: Call) -> Response:
    issuers = {
        issuer: {
            "autoRefresh": row.get("auto_refresh", False),
            **({"caCertBundleName": row["ca_cert_bundle_name"]} if row.get("ca_cert_bundle_name") else {}),
        }
        for issuer, row in json_items(call.tx, "public:ccf.gov.jwt.issuers")
    }
    bundles = dict(json_items(call.tx, "public:ccf.gov.tls.ca_cert_bundles"))
    return Response.of_json(200, {"issuers": issuers, "keys": {}, "caCertBundles": bundles})


def javascript_app(call: Call) -> Response:
    endpoints: dict[str, dict[str, Any]] = {}
    for key, row in json_items(call.tx, ENDPOINTS):
        verb, _, path = key.partition(" ")
        shown = row
        if call.request.parameters.get("case") != "original":
            shown = {
                "jsModule": row.get("js_module", ""),
                "jsFunction": row.get("js_function", ""),
                "forwardingRequired": row.get("forwarding_required", "always"),
                "redirectionStrategy": row.get("redirection_strategy", "none"),
                "authnPolicies": row.get("authn_policies", []),
                "mode": row.get("mode", "readwrite"),
                "openApi": row.get("openapi", {}),
            }
        endpoints.setdefault(path, {})[verb] = shown
    return Response.of_json(200, {"endpoints": endpoints})


def javascript_modules(call: Call) -> Response:
    names = [key.decode() for key, _ in sorted(call.tx.items(MODULES))]
    return Response.of_json(200, {"value": [{"moduleName": name} for name in names]})


def javascript_module(call: Call) -> Response:
    name = unquote(call.path["moduleName"])
    source = call.tx.get(MODULES, name.encode())
    if source is None:
        raise GovError(404, "ResourceNotFound", f"Module {name} does not exist.")
    return Response(200, source, _JAVASCRIPT)


def commit(call: Call) -> Response:
    view, seqno = call.hooks.committed()
    status = call.hooks.transaction_status(view, seqno)
    return Response.of_json(200, {"status": status, "transactionId": f"{view}.{seqno}"})


def transaction(call: Call) -> Response:
    text = call.path["transactionId"]
    try:
        wanted = TxID.parse(text)
    except ValueError:
        reason = f"The value '{text}' passed as parameter 'transactionId' could not be converted to a valid "
        raise GovError(400, "InvalidQueryParameterValue", f"{reason}Transaction ID.") from None
    status = call.hooks.transaction_status(wanted.view, wanted.seqno)
    return Response.of_json(200, {"status": status, "transactionId": str(wanted)})


def _member(tx: Tx, member_id: str, row: dict[str, Any]) -> dict[str, Any]:
    key = tx.get(MEMBER_ENCRYPTION_KEYS, member_id.encode())
    certificate = tx.get(MEMBER_CERTS, member_id.encode())
    shown = {
        "memberId": member_id,
        "status": row["status"],
        "memberData": row.get("member_data"),
        "recoveryRole": row.get("recovery_role") or ("NonParticipant" if key is None else "Participant"),
    }
    if certificate is not None:
        shown["certificate"] = certificate.decode()
    if key is not None:
        shown["publicEncryptionKey"] = key.decode()
    return shown


def _user(tx: Tx, user_id: str, certificate: bytes) -> dict[str, Any]:
    data = read_json(tx, "public:ccf.gov.users.info", user_id.encode())
    return {"userId": user_id, "certificate": certificate.decode(), "userData": data}


def _node(tx: Tx, node_id: str, row: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "nodeId": node_id,
        "status": row["status"],
        "nodeData": row.get("node_data"),
        "retiredCommitted": row.get("retired_committed", False),
        "quoteInfo": _quote(row.get("quote_info") or {}),
        "rpcInterfaces": {
            name: {
                "publishedAddress": interface["published_address"],
                **({"protocol": interface["app_protocol"]} if interface.get("app_protocol") else {}),
            }
            for name, interface in (row.get("rpc_interfaces") or {}).items()
        },
    }
    certificate = tx.get(ENDORSED_CERTIFICATES, node_id.encode())
    if certificate is not None:
        shown["certificate"] = certificate.decode()
    return shown


def _quote(quote_info: dict[str, Any]) -> dict[str, Any]:
    shown = {"format": quote_info.get("format")}
    if shown["format"] == "Insecure_Virtual":
        shown["rawQuote"] = quote_info["quote"]
        details = json.loads(base64.b64decode(quote_info["quote"]))
        shown["details"] = {
            "measurement": details["measurement"],
            "reportData": details["report_data"],
            "hostData": details["host_data"],
        }
    return shown
