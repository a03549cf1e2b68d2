"""Members acknowledge the state and become active: `/gov/members/state-digests` (CCF facts §6, §6.3)."""

from __future__ import annotations

import base64

from simulator import shares
from simulator.gov_tables import (
    MEMBER_ACKS,
    MEMBER_ENCRYPTION_KEYS,
    MEMBER_INFO,
    SIGNATURES,
    read_json,
    service_status,
    write_json,
)
from simulator.gov_types import Call, GovError, Response


def state_digest(call: Call) -> Response:
    member = call.path["memberId"]
    ack = read_json(call.tx, MEMBER_ACKS, member.encode())
    if ack is None:
        raise GovError(404, "ResourceNotFound", f"No ACK record exists for member {member}.")
    return Response.of_json(200, {"memberId": member, "stateDigest": ack["state_digest"]})


def update_state_digest(call: Call) -> Response:
    member = call.signer()
    signature = read_json(call.tx, SIGNATURES)
    if signature is None:
        raise GovError(500, "InternalError", "Service has no signatures to ack yet - try again soon.")
    ack = read_json(call.tx, MEMBER_ACKS, member.encode()) or {}
    digest = signature["root"]
    write_json(call.tx, MEMBER_ACKS, {**ack, "state_digest": digest}, member.encode())
    return Response.of_json(200, {"memberId": member, "stateDigest": digest})


def acknowledge(call: Call) -> Response:
    tx, member = call.tx, call.signer()
    row = member.encode()
    ack = read_json(tx, MEMBER_ACKS, row)
    if ack is None:
        raise GovError(403, "AuthorizationFailed", f"No ACK record exists for member {member}.")
    digest = call.json().get("stateDigest")
    if not isinstance(digest, str):
        reason = 'Signed request body is not a JSON object containing required string field "stateDigest"'
        raise GovError(400, "InvalidInput", reason)
    if digest != ack["state_digest"]:
        reason = f"Submitted state digest is not valid.\nExpected\n {ack['state_digest']}\nReceived\n {digest}"
        raise GovError(400, "StateDigestMismatch", reason)
    info = read_json(tx, MEMBER_INFO, row)
    if info is None:
        reason = f"Error activating member: Member {member} cannot be activated as they do not exist"
        raise GovError(500, "InternalError", reason)
    write_json(tx, MEMBER_ACKS, {**ack, "cose_sign1_req": base64.b64encode(call.signed.envelope).decode()}, row)
    newly_active = info["status"] != "Active"
    write_json(tx, MEMBER_INFO, {**info, "status": "Active"}, row)
    recovers = tx.get(MEMBER_ENCRYPTION_KEYS, row) is not None
    if newly_active and recovers and service_status(tx) == "Open":
        try:
            shares.shuffle_recovery_shares(tx, call.hooks.ledger_secrets(tx))
        except RuntimeError as error:
            raise GovError(500, "InternalError", f"Error issuing new recovery shares: {error}") from error
    return Response(204)
