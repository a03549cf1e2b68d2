"""The members' messages to CCF's `/gov` API, and a client that sends them (CCF facts §6, api-version 2024-07-01).

This serves whoever holds a member's key: the members' own tools, tests, the demo, and an operator that was given one.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ccf_operator.ccf import messages
from ccf_operator.ccf.actions import (
    add_virtual_host_data,
    certificate_time,
    remove_member,
    remove_node,
    set_all_nodes_certificate_validity,
    set_js_app,
    set_member,
    set_member_data,
    set_node_certificate_validity,
    set_recovery_threshold,
    set_service_certificate_validity,
    since_yesterday,
    transition_node_to_trusted,
    transition_service_to_open,
    trigger_ledger_chunk,
    trigger_ledger_rekey,
    trigger_recovery_shares_refresh,
    trigger_snapshot,
)
from ccf_operator.ccf.cose import sign1
from ccf_operator.ccf.messages import API_VERSION, NO, YES, Action, Message, Request

__all__ = [
    "API_VERSION",
    "NO",
    "YES",
    "Action",
    "Message",
    "Request",
    "add_virtual_host_data",
    "certificate_time",
    "remove_member",
    "remove_node",
    "set_all_nodes_certificate_validity",
    "set_js_app",
    "set_member",
    "set_member_data",
    "set_node_certificate_validity",
    "set_recovery_threshold",
    "set_service_certificate_validity",
    "since_yesterday",
    "transition_node_to_trusted",
    "transition_service_to_open",
    "trigger_ledger_chunk",
    "trigger_ledger_rekey",
    "trigger_recovery_shares_refresh",
    "trigger_snapshot",
]


@dataclass(frozen=True)
class Member:
    """A consortium member with its private keys (PEM). Its text form shows none of them."""

    certificate_pem: str = field(repr=False)
    key_pem: str = field(repr=False)
    encryption_key_pem: str | None = field(default=None, repr=False)

    @cached_property
    def member_id(self) -> str:
        """Lower-hex SHA-256 of the certificate's DER. ValueError if the certificate does not parse."""
        return messages.member_id(self.certificate_pem)

    def sign(self, request: Request) -> Message:
        """The signed message. Raises ValueError if the key is none that CCF takes."""
        key = load_pem_private_key(self.key_pem.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"the signing key of member {self.member_id} is not an elliptic curve key")
        return Message(request.path, sign1(request.payload, key, self.member_id.encode(), request.header))

    def __repr__(self) -> str:
        return f"Member({self.member_id})"


def proposal(member: Member, actions: Sequence[Action], *, created_at: int) -> Message:
    """Propose `actions`, to be applied together. Signing the same again makes a *new* proposal."""
    return member.sign(messages.proposal(actions, created_at))


def ballot(member: Member, proposal_id: str, source: str, *, created_at: int) -> Message:
    """Cast a ballot: a JavaScript module that exports `vote(proposal, proposerId)`. See `YES` and `NO`."""
    return member.sign(messages.ballot(member.member_id, proposal_id, source, created_at))


def withdrawal(member: Member, proposal_id: str, *, created_at: int) -> Message:
    """Withdraw one's own open proposal."""
    return member.sign(messages.withdrawal(proposal_id, created_at))


def state_digest_update(member: Member, *, created_at: int) -> Message:
    """Ask for the digest of the present state; the reply's `stateDigest` is what `acknowledgement` signs."""
    return member.sign(messages.state_digest_update(member.member_id, created_at))


def acknowledgement(member: Member, state_digest: str, *, created_at: int) -> Message:
    """Acknowledge the state: it makes an accepted member active."""
    return member.sign(messages.acknowledgement(member.member_id, state_digest, created_at))


def recovery_share(member: Member, encrypted_share: str, *, created_at: int) -> Message:
    """Decrypt the member's share (base64, as `/gov/recovery/encrypted-shares` gives it) and hand it in.

    Raises ValueError if the member has no RSA encryption key, or the share is not for it."""
    if member.encryption_key_pem is None:
        raise ValueError(f"member {member.member_id} has no encryption key")
    share = messages.decrypt_share(member.encryption_key_pem, encrypted_share)
    return member.sign(messages.recovery_share(member.member_id, share, created_at))


class GovernanceError(Exception):
    """CCF refused, or could not be asked. `status` 0: there was no answer."""

    def __init__(self, request: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{request}: {f'{status} ' if status else ''}{code}: {message}")
        self.status, self.code, self.message = status, code, message


class NotAccepted(Exception):
    """Everyone voted and the proposal is not Accepted."""


class NotCommitted(Exception):
    """A transaction was not committed in time, or never will be."""


@dataclass(frozen=True)
class Proposal:
    proposal_id: str
    state: str
    """Open, Accepted, Withdrawn, Rejected, Failed or Dropped."""
    ballots: int
    transaction_id: str | None
    """Of the request that told us; None if it wrote nothing."""


@dataclass(frozen=True)
class ShareReceipt:
    submitted: int
    threshold: int
    complete: bool
    """True if the node has begun to recover the private ledger."""
    message: str
    transaction_id: str | None


@dataclass(frozen=True)
class Answer:
    """A request that succeeded: its JSON (None if empty), and the transaction it wrote, if any."""

    status: int
    body: Any
    transaction_id: str | None


_NO_ANSWER = (
    httpx.HTTPError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,
)


class GovernanceClient:
    """Sends members' messages to one node, which passes them on to the primary.

    `address` is "host:port"; the node must prove a certificate under `trusted` (PEM: the service certificate for the
    Service-endorsed interface, the node's own certificate for the Node-endorsed one) for `server_name` (by default
    the host of `address`). Every request has its own connection: CCF binds a connection to a view (CCF facts §1).
    `now` gives the `created_at` of messages, in seconds since 1970. A `transport` of one's own decides by itself whom
    it trusts (`ccf.proven_connection`), and raises what its admission raises.
    """

    def __init__(
        self,
        address: str,
        trusted: str,
        *,
        server_name: str | None = None,
        timeout: float = 10.0,
        poll_interval: float = 0.1,
        now: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"https://{address}",
            verify=ssl.create_default_context(cadata=trusted),
            transport=transport,
            timeout=timeout,
            headers={"connection": "close"},
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._extensions = {} if server_name is None else {"sni_hostname": server_name}
        self._poll_interval = poll_interval
        self._now = now

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, message: Message) -> Any:
        """POST any signed message; the reply's JSON (None if empty). Raises GovernanceError."""
        return (await self.post(message)).body

    async def post(self, message: Message) -> Answer:
        """The same, with the transaction it wrote."""
        headers = {"content-type": "application/cose"}
        return await self._ask("POST", message.path, content=message.body, headers=headers)

    async def get(self, path: str) -> Any:
        """GET what anyone may read, e.g. "/gov/service/info" or "/node/network"; its JSON. Raises GovernanceError."""
        parameters = {"api-version": API_VERSION} if path.startswith("/gov/") else {}
        return (await self._ask("GET", path, params=parameters)).body

    async def activate(self, member: Member, *, commit_timeout: float = 30.0) -> None:
        """Acknowledge the present state as `member`, which makes it active, and wait for the commit."""
        reply = await self.send(state_digest_update(member, created_at=self._created_at()))
        message = acknowledgement(member, reply["stateDigest"], created_at=self._created_at())
        acknowledged = await self.post(message)
        await self._committed(acknowledged, commit_timeout)

    async def propose(self, member: Member, actions: Sequence[Action]) -> Proposal:
        return _proposal(await self.post(proposal(member, actions, created_at=self._created_at())))

    async def vote(self, member: Member, proposal_id: str, source: str = YES) -> Proposal:
        """Cast a ballot (`YES`, `NO` or any other JavaScript module)."""
        return _proposal(await self.post(ballot(member, proposal_id, source, created_at=self._created_at())))

    async def withdraw(self, member: Member, proposal_id: str) -> None:
        await self.post(withdrawal(member, proposal_id, created_at=self._created_at()))

    async def pass_proposal(
        self, members: Sequence[Member], actions: Sequence[Action], *, commit_timeout: float = 30.0
    ) -> Proposal:
        """The first of `members` proposes, then all in turn vote yes until it is accepted; waits for the commit.

        Raises NotAccepted, NotCommitted, GovernanceError."""
        state = await self.propose(members[0], actions)
        for member in members:
            if state.state != "Open":
                break
            state = await self.vote(member, state.proposal_id)
        if state.state != "Accepted":
            raise NotAccepted(f"proposal {state.proposal_id} is {state.state} after {state.ballots} ballots")
        if state.transaction_id is not None:
            await self.wait_for_commit(state.transaction_id, timeout=commit_timeout)
        return state

    async def encrypted_share(self, member: Member) -> str:
        """The member's recovery share, base64, encrypted with its encryption key."""
        reply = await self.get(f"/gov/recovery/encrypted-shares/{member.member_id}")
        return str(reply["encryptedShare"])

    async def submit_share(self, member: Member) -> ShareReceipt:
        """Fetch, decrypt and hand in the member's recovery share."""
        share = await self.encrypted_share(member)
        answer = await self.post(recovery_share(member, share, created_at=self._created_at()))
        body = answer.body
        submitted, threshold = int(body["submittedCount"]), int(body["recoveryThreshold"])
        complete = submitted >= threshold or body.get("fullKeySubmitted") is True
        return ShareReceipt(submitted, threshold, complete, body["message"], answer.transaction_id)

    async def wait_for_commit(self, transaction_id: str, *, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """Until the node says Committed. Raises NotCommitted if it says Invalid, or says neither in `timeout` seconds.

        A node that does not answer for a moment is asked again."""
        status = "not asked"
        try:
            async with asyncio.timeout(timeout):
                while status != "Committed":
                    status = await self._transaction_status(transaction_id)
                    if status == "Invalid":
                        break
                    if status != "Committed":
                        await asyncio.sleep(self._poll_interval)
        except TimeoutError:
            pass
        if status != "Committed":
            raise NotCommitted(f"transaction {transaction_id} is {status}")

    async def _transaction_status(self, transaction_id: str) -> str:
        try:
            answer = await self._ask("GET", "/node/tx", params={"transaction_id": transaction_id})
        except GovernanceError as error:
            return f"not known ({error})"
        return str(answer.body["status"])

    async def _committed(self, answer: Answer, within: float) -> None:
        if answer.transaction_id is not None:
            await self.wait_for_commit(answer.transaction_id, timeout=within)

    def _created_at(self) -> int:
        return int(self._now())

    async def _ask(self, method: str, path: str, **arguments: Any) -> Answer:
        request = f"{method} {path.partition('?')[0]}"
        try:
            response = await self._http.request(method, path, extensions=dict(self._extensions), **arguments)
        except _NO_ANSWER as error:
            raise GovernanceError(request, 0, type(error).__name__, str(error) or "no answer") from error
        body = _json(response)
        if not response.is_success:
            raise _refusal(request, response.status_code, body)
        return Answer(response.status_code, body, response.headers.get("x-ms-ccf-transaction-id"))


def _proposal(answer: Answer) -> Proposal:
    body = answer.body
    return Proposal(body["proposalId"], body["proposalState"], int(body["ballotCount"]), answer.transaction_id)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json() if response.content else None
    except ValueError:
        return response.text


def _refusal(request: str, status: int, body: Any) -> GovernanceError:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return GovernanceError(request, status, "Unexplained", str(body or "empty answer"))
    details = [str(detail.get("message")) for detail in error.get("details") or [] if isinstance(detail, dict)]
    return GovernanceError(request, status, str(error.get("code")), "; ".join([str(error.get("message")), *details]))
