"""Proposals and ballots: `/gov/members/proposals` (CCF facts §6, §6.3, §0.15-0.17)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from simulator import constitution
from simulator.cose import Message
from simulator.gov_tables import (
    COSE_HISTORY,
    COSE_RECENT_PROPOSALS,
    PROPOSALS,
    PROPOSALS_INFO,
    SERVICE_CONFIG,
    json_items,
    read_json,
    write_json,
)
from simulator.gov_tables import constitution as constitution_of
from simulator.gov_types import Call, GovError, NodeHooks, Response
from simulator.javascript import ScriptError
from simulator.kv import Tx

DEFAULT_WINDOW = 100
LATEST_CREATED_AT = 9_999_999_999


def create(call: Call) -> Response:
    tx, message = call.tx, call.signed
    digest = hashlib.sha256(message.signature).digest()
    proposal_id = hashlib.sha256(call.hooks.state_root(tx) + digest).hexdigest()
    source = _constitution(tx, "proposals")
    proposal = message.payload.decode("utf-8", "replace")
    _validate(tx, source, proposal, call.hooks)
    if tx.get(PROPOSALS, proposal_id.encode()) is not None:
        raise GovError(500, "InternalError", "Proposal ID collision.")
    tx.put(PROPOSALS, proposal_id.encode(), message.payload)
    info: dict[str, Any] = {"proposer_id": message.kid, "state": "Open", "ballots": {}}
    write_json(tx, PROPOSALS_INFO, info, proposal_id.encode())
    _record(tx, message)
    _check_replay(tx, message, digest, proposal_id)
    return Response.of_json(200, _described(proposal_id, _resolve(tx, call.hooks, proposal_id, proposal, info, source)))


def withdraw(call: Call) -> Response:
    tx, message = call.tx, call.signed
    proposal_id = _signed_proposal(call)
    info = read_json(tx, PROPOSALS_INFO, proposal_id.encode())
    if info is None:
        return Response(204)
    if message.kid != info["proposer_id"]:
        reason = f"Proposal {proposal_id} can only be withdrawn by proposer {info['proposer_id']}, not caller "
        raise GovError(403, "AuthorizationFailed", f"{reason}{message.kid}.")
    if info["state"] not in ("Open", "Withdrawn"):
        reason = f"Proposal {proposal_id} is currently in state {info['state']} and cannot be withdrawn."
        raise GovError(400, "ProposalNotOpen", reason)
    if info["state"] == "Open":
        info = {**info, "state": "Withdrawn"}
        write_json(tx, PROPOSALS_INFO, info, proposal_id.encode())
        _remove_other_resolved(tx, proposal_id)
        _record(tx, message)
    return Response.of_json(200, _described(proposal_id, info))


def submit_ballot(call: Call) -> Response:
    tx, message = call.tx, call.signed
    proposal_id = _signed_proposal(call)
    member = call.identifier("memberId", "member ID")
    if member != message.kid:
        raise GovError(400, "InvalidResourceName", "Authenticated member id does not match URL")
    info = _info(tx, proposal_id)
    if info["state"] != "Open":
        reason = f"Proposal {proposal_id} is currently in state {info['state']} - only Open proposals can receive votes"
        raise GovError(400, "ProposalNotOpen", reason)
    raw = tx.get(PROPOSALS, proposal_id.encode())
    if raw is None:
        raise _unknown(proposal_id)
    text = call.json().get("ballot")
    if not isinstance(text, str):
        reason = 'Signed request body is not a JSON object containing required string field "ballot"'
        raise GovError(400, "InvalidInput", reason)
    source = _constitution(tx, "ballots")
    if member in info["ballots"]:
        if info["ballots"][member] == text:
            return Response.of_json(200, _described(proposal_id, info))
        raise GovError(400, "VoteAlreadyExists", f"Different ballot already submitted by {member} for {proposal_id}.")
    info = {**info, "ballots": {**info["ballots"], member: text}}
    _record(tx, message)
    proposal = raw.decode("utf-8", "replace")
    return Response.of_json(200, _described(proposal_id, _resolve(tx, call.hooks, proposal_id, proposal, info, source)))


def get(call: Call) -> Response:
    proposal_id = call.identifier("proposalId", "proposal ID")
    return Response.of_json(200, _described(proposal_id, _info(call.tx, proposal_id)))


def list_all(call: Call) -> Response:
    rows = json_items(call.tx, PROPOSALS_INFO)
    return Response.of_json(200, {"value": [_described(proposal_id, info) for proposal_id, info in rows]})


def actions(call: Call) -> Response:
    proposal_id = call.identifier("proposalId", "proposal ID")
    raw = call.tx.get(PROPOSALS, proposal_id.encode())
    if raw is None:
        raise _unknown(proposal_id)
    return Response(200, raw, {"content-type": "application/json"})


def ballot(call: Call) -> Response:
    proposal_id = call.identifier("proposalId", "proposal ID")
    member = call.identifier("memberId", "member ID")
    info = read_json(call.tx, PROPOSALS_INFO, proposal_id.encode())
    if info is None:
        raise GovError(404, "ProposalNotFound", f"Proposal {proposal_id} does not exist.")
    if member not in info["ballots"]:
        raise GovError(404, "VoteNotFound", f"Member {member} has not voted for proposal {proposal_id}.")
    return Response(200, info["ballots"][member].encode(), {"content-type": "text/javascript"})


def _resolve(
    tx: Tx, hooks: NodeHooks, proposal_id: str, proposal: str, info: dict[str, Any], source: str
) -> dict[str, Any]:
    """Count the ballots again, decide, and apply what is accepted. Raises GovError (500) if that fails."""
    proposer = info["proposer_id"]
    votes: dict[str, bool] = {}
    failures: dict[str, dict[str, str]] = {}
    for member, text in sorted(info["ballots"].items()):
        try:
            votes[member] = constitution.vote(tx, text, proposal, proposer, hooks.log)
        except ScriptError as error:
            failures[member] = {"reason": error.reason, "trace": error.trace}
    try:
        state = constitution.resolve(tx, source, proposal, proposer, votes, proposal_id, hooks.log)
    except ScriptError as error:
        raise _failed("resolve", error) from error
    if state not in ("Open", "Accepted", "Rejected"):
        raise GovError(500, "InternalError", f'resolve() returned invalid status value: "{state}"\nTrace: <no trace>')
    info = {**info, "state": state}
    write_json(tx, PROPOSALS_INFO, info, proposal_id.encode())
    if state == "Open":
        return info
    _remove_other_resolved(tx, proposal_id)
    info = {**info, "final_votes": votes, "vote_failures": failures}
    write_json(tx, PROPOSALS_INFO, info, proposal_id.encode())
    if state == "Accepted":
        try:
            constitution.apply(tx, source, proposal, proposal_id, hooks)
        except ScriptError as error:
            raise _failed("apply", error) from error
    return info


def _validate(tx: Tx, source: str, proposal: str, hooks: NodeHooks) -> None:
    try:
        result = constitution.validate(tx, source, proposal, hooks.log)
    except ScriptError as error:
        message = f"Failed to execute validation: {error.reason} {error.trace}"
        raise GovError(500, "InternalError", message) from error
    if not isinstance(result, dict):
        raise GovError(500, "InternalError", "Validation failed to return an object")
    if result.get("valid") is not True:
        description = result.get("description")
        reason = description if isinstance(description, str) else ""
        raise GovError(400, "ProposalFailedToValidate", f"Proposal failed to validate: {reason}")


def _check_replay(tx: Tx, message: Message, digest: bytes, proposal_id: str) -> None:
    """Refuse a message that was there before, or one older than the median of the recent ones; remember it."""
    created_at = message.created_at
    if created_at > LATEST_CREATED_AT:
        raise GovError(400, "InvalidCreatedAt", "Header parameter created_at value is too large")
    stamp = f"{created_at:010d}"
    key = f"{stamp}:{digest.hex()}"
    known = [row.decode() for row, _ in sorted(tx.items(COSE_RECENT_PROPOSALS))]
    if key in known:
        before = read_json(tx, COSE_RECENT_PROPOSALS, key.encode())
        raise GovError(400, "ProposalReplay", f"Proposal submission replay, already exists as proposal {before}")
    if known:
        oldest = known[len(known) // 2].split(":")[0]
        if stamp < oldest:
            reason = f"Proposal created too long ago, created_at must be greater than {oldest}"
            raise GovError(400, "ProposalCreatedTooLongAgo", reason)
    window = (read_json(tx, SERVICE_CONFIG) or {}).get("recent_cose_proposals_window_size", DEFAULT_WINDOW)
    write_json(tx, COSE_RECENT_PROPOSALS, proposal_id, key.encode())
    for row in known[: max(0, len(known) - (window - 1))]:
        tx.remove(COSE_RECENT_PROPOSALS, row.encode())


def _remove_other_resolved(tx: Tx, proposal_id: str) -> None:
    for other, info in list(json_items(tx, PROPOSALS_INFO)):
        if other != proposal_id and info["state"] != "Open":
            tx.remove(PROPOSALS_INFO, other.encode())
            if tx.get(PROPOSALS, other.encode()) is not None:
                tx.remove(PROPOSALS, other.encode())


def _record(tx: Tx, message: Message) -> None:
    write_json(tx, COSE_HISTORY, base64.b64encode(message.envelope).decode(), message.kid.encode())


def _signed_proposal(call: Call) -> str:
    proposal_id = call.identifier("proposalId", "proposal ID")
    if call.signed.proposal_id != proposal_id:
        raise GovError(400, "InvalidResourceName", "Authenticated proposal id does not match URL")
    return proposal_id


def _info(tx: Tx, proposal_id: str) -> dict[str, Any]:
    info = read_json(tx, PROPOSALS_INFO, proposal_id.encode())
    if info is None:
        raise _unknown(proposal_id)
    return dict(info)


def _unknown(proposal_id: str) -> GovError:
    return GovError(404, "ProposalNotFound", f"Could not find proposal {proposal_id}.")


def _failed(step: str, error: ScriptError) -> GovError:
    return GovError(500, "InternalError", f"Failed to {step}(): {error.reason}\nTrace: {error.trace or '<no trace>'}")


def _constitution(tx: Tx, what: str) -> str:
    source = constitution_of(tx)
    if source is None:
        raise GovError(500, "InternalError", f"No constitution is set - {what} cannot be evaluated")
    return source


def _described(proposal_id: str, info: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "proposalId": proposal_id,
        "proposerId": info["proposer_id"],
        "proposalState": info["state"],
        "ballotCount": len(info["ballots"]),
    }
    for field, name in (("final_votes", "finalVotes"), ("vote_failures", "voteFailures"), ("failure", "failure")):
        if field in info:
            shown[name] = info[field]
    return shown
