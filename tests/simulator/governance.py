"""The `/gov` frontend of a node: members' signed messages and what they read (CCF facts §6, api-version 2024-07-01)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator import cose, gov_members, gov_proposals, gov_recovery, gov_service
from simulator.gov_tables import MEMBER_CERTS, MEMBER_INFO, read_json
from simulator.gov_types import Call, GovError, NodeHooks, Request, Response
from simulator.kv import Tx
from simulator.service import complete_recovery, transition_service_to_open

__all__ = ["complete_recovery", "handle", "is_write", "transition_service_to_open"]

API_VERSIONS = ("2023-06-01-preview", "2024-07-01")


@dataclass(frozen=True)
class _Signed:
    """Which signed message an endpoint takes, and whether its member must be Active."""

    message_type: str
    policy: str

    @property
    def active_only(self) -> bool:
        return self.policy == "active_member_cose_sign1"


@dataclass(frozen=True)
class _Endpoint:
    method: str
    pattern: re.Pattern[str]
    answer: Callable[[Call], Response]
    signed: _Signed | None = None


def _get(path: str, answer: Callable[[Call], Response]) -> _Endpoint:
    return _Endpoint("GET", _pattern(path), answer)


def _post(path: str, answer: Callable[[Call], Response], message_type: str, policy: str) -> _Endpoint:
    return _Endpoint("POST", _pattern(path), answer, _Signed(message_type, policy))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/:]+)", re.escape(path)))


_ANY, _ACTIVE = "member_cose_sign1", "active_member_cose_sign1"

_ENDPOINTS = (
    _post("/members/proposals:create", gov_proposals.create, "proposal", _ACTIVE),
    _post("/members/proposals/{proposalId}:withdraw", gov_proposals.withdraw, "withdrawal", _ACTIVE),
    _get("/members/proposals", gov_proposals.list_all),
    _get("/members/proposals/{proposalId}", gov_proposals.get),
    _get("/members/proposals/{proposalId}/actions", gov_proposals.actions),
    _get("/members/proposals/{proposalId}/ballots/{memberId}", gov_proposals.ballot),
    _post("/members/proposals/{proposalId}/ballots/{memberId}:submit", gov_proposals.submit_ballot, "ballot", _ACTIVE),
    _get("/members/state-digests/{memberId}", gov_members.state_digest),
    _post("/members/state-digests/{memberId}:update", gov_members.update_state_digest, "state_digest", _ANY),
    _post("/members/state-digests/{memberId}:ack", gov_members.acknowledge, "ack", _ANY),
    _get("/recovery/encrypted-shares/{memberId}", gov_recovery.encrypted_share),
    _post("/recovery/members/{memberId}:recover", gov_recovery.submit_share, "recovery_share", _ACTIVE),
    _get("/service/info", gov_service.info),
    _get("/service/constitution", gov_service.get_constitution),
    _get("/service/members", gov_service.members),
    _get("/service/members/{memberId}", gov_service.member),
    _get("/service/users", gov_service.users),
    _get("/service/users/{userId}", gov_service.user),
    _get("/service/nodes", gov_service.nodes),
    _get("/service/nodes/{nodeId}", gov_service.node),
    _get("/service/join-policy", gov_service.join_policy),
    _get("/service/jwk", gov_service.jwk),
    _get("/service/javascript-app", gov_service.javascript_app),
    _get("/service/javascript-modules", gov_service.javascript_modules),
    _get("/service/javascript-modules/{moduleName}", gov_service.javascript_module),
    _get("/service/transactions/commit", gov_service.commit),
    _get("/service/transactions/{transactionId}", gov_service.transaction),
)


def is_write(request: Request) -> bool:
    """True if only the primary can answer (the node forwards or redirects it): every POST."""
    return request.method == "POST"


def handle(tx: Tx, request: Request, hooks: NodeHooks) -> Response:
    """Answer one request under /gov/.

    Never raises for anything a client sent. The caller applies `tx` if `response.keep_writes` (and it has writes)
    and adds `x-ms-ccf-transaction-id` then; otherwise it throws `tx` away, and CCF adds no such header.
    FrontendNotOpen, forwarding, redirection and session consistency are the caller's business.
    """
    try:
        return _handle(tx, request, hooks)
    except GovError as error:
        return error.response()


def _handle(tx: Tx, request: Request, hooks: NodeHooks) -> Response:
    path = request.path.removeprefix("/gov")
    matches = [(e, found) for e in _ENDPOINTS if (found := e.pattern.fullmatch(path)) is not None]
    if not matches:
        raise GovError(404, "ResourceNotFound", f"Unknown path: {path}.")
    endpoint = next(((e, found) for e, found in matches if e.method == request.method), None)
    if endpoint is None:
        allowed = ", ".join(sorted(e.method for e, _ in matches))
        raise GovError(405, "UnsupportedHttpVerb", f"Allowed methods for '{path}' are: {allowed}.")
    chosen, found = endpoint
    message = None if chosen.signed is None else _authenticate(tx, request, chosen.signed)
    _check_api_version(request.parameters)
    return chosen.answer(Call(tx, request, hooks, found.groupdict(), message))


def _check_api_version(parameters: Mapping[str, str]) -> None:
    supported = f"The supported api-versions are: {', '.join(API_VERSIONS)}"
    version = parameters.get("api-version")
    if version is None:
        message = f"The api-version query parameter (?api-version=) is required for this request. {supported}"
        raise GovError(400, "MissingApiVersionParameter", message)
    if version not in API_VERSIONS:
        raise GovError(400, "UnsupportedApiVersionValue", f"Unsupported api-version '{version}'. {supported}")


def _authenticate(tx: Tx, request: Request, signed: _Signed) -> cose.Message:
    """The request's message, if a member signed it and it is of the right type."""
    content_type = request.headers.get("content-type")
    if content_type is None:
        raise _unauthorised("Missing content-type header", signed)
    if content_type != "application/cose":
        raise _unauthorised("Content type is not set to application/cose", signed)
    try:
        message = cose.decode(request.body)
    except cose.Malformed as error:
        raise GovError(500, "InternalError", str(error)) from error
    certificate = tx.get(MEMBER_CERTS, message.kid.encode())
    if certificate is None:
        raise _unauthorised("Signer is not a known member", signed)
    if not cose.verified(message, certificate.decode()):
        raise _unauthorised("Failed to validate COSE Sign1", signed)
    expected = f"expected ccf.gov.msg.type to be {signed.message_type}"
    if message.type is None:
        raise _unauthorised(f"Missing ccf.gov.msg.type, {expected}", signed)
    if message.type != signed.message_type:
        raise _unauthorised(f"Found ccf.gov.msg.type set to {message.type}, {expected}", signed)
    info = read_json(tx, MEMBER_INFO, message.kid.encode()) or {}
    if signed.active_only and info.get("status") != "Active":
        raise _unauthorised("Signer is not an ACTIVE member", signed)
    return message


def _unauthorised(reason: str, signed: _Signed) -> GovError:
    detail = {"auth_policy": signed.policy, "code": "InvalidAuthenticationInfo", "message": reason}
    return GovError(401, "InvalidAuthenticationInfo", "Invalid authentication credentials.", detail)
