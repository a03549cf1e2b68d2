"""Recovery shares out and in: `/gov/recovery` (CCF facts §6, §8.2)."""

from __future__ import annotations

import base64

from simulator import shares
from simulator.gov_tables import LAST_RECOVERY_TYPE, recovery_threshold, service_status, write_json
from simulator.gov_types import Call, GovError, Response


def encrypted_share(call: Call) -> Response:
    member = call.identifier("memberId", "member ID")
    try:
        share = shares.encrypted_share(call.tx, member)
    except RuntimeError as error:
        raise GovError(500, "InternalError", str(error)) from error
    if share is None:
        raise GovError(404, "ResourceNotFound", f"Recovery share not found for member {member}.")
    return Response.of_json(200, {"memberId": member, "encryptedShare": base64.b64encode(share).decode()})


def submit_share(call: Call) -> Response:
    """At the threshold the node begins the private recovery; if the shares do not fit, all of them are forgotten."""
    tx, hooks = call.tx, call.hooks
    if service_status(tx) != "WaitingForRecoveryShares":
        reason = "Service is not waiting for recovery shares."
        raise GovError(403, "ServiceNotWaitingForRecoveryShares", reason)
    if hooks.startup_state() == "ReadingPrivateLedger":
        raise GovError(403, "NodeAlreadyRecovering", "Node is already recovering private ledger.")
    call.identifier("memberId", "member ID")
    member = call.signer()
    try:
        share = base64.b64decode(call.json()["share"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise GovError(500, "InternalError", f"Failed to parse JSON: {error!r}") from error
    count = shares.submit_share(tx, member, share, hooks.ledger_secrets(tx))
    threshold = recovery_threshold(tx)
    full = shares.is_full_key(share)
    message = (
        "Full recovery key successfully submitted"
        if full
        else f"{count}/{threshold} recovery shares successfully submitted"
    )
    if full or count >= threshold:
        try:
            restored = shares.restore_ledger_secrets(tx, hooks.ledger_secrets(tx), hooks.encrypted_ledger_secrets())
            hooks.initiate_private_recovery(tx, restored)
        except RuntimeError as error:
            hooks.log(f"Failed to initiate private recovery: {error}")
            shares.clear_submitted_shares(tx)
            body = {"error": {"code": "InternalError", "message": "Failed to initiate private recovery."}}
            return Response.of_json(500, body, keep_writes=True)
        write_json(tx, LAST_RECOVERY_TYPE, "RECOVERY_SHARES")
        message += "\nEnd of recovery procedure initiated"
    return Response.of_json(
        200,
        {"message": message, "submittedCount": count, "recoveryThreshold": threshold, "fullKeySubmitted": full},
    )
