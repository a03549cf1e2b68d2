"""The operator's member: who it is, by its Secret, and what is signed in its name.

The key is read for each signature, checked, and kept nowhere: what an observation has of it is the member's id.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ccf_operator.ccf import governance
from ccf_operator.ccf.cose import digest_of
from ccf_operator.ccf.governance import GovernanceClient, GovernanceError, Member
from ccf_operator.ccf.identity import BadCertificate, load_certificate
from ccf_operator.ccf.proven_connection import NotTheNode, PeerIdentity, ProvenTransport
from ccf_operator.domain.effects import AcknowledgeState, Propose, SignAsMember, Withdraw
from ccf_operator.domain.observation import OperatorMemberView
from ccf_operator.domain.reasons import MemberReason
from ccf_operator.kube.errors import Forbidden, KubeError
from ccf_operator.kube.gateway import Confirm, Raw
from ccf_operator.render import names

SIGN_SECONDS = 3.0
"""How long a message to a node may take, with its answer; one that takes longer may have arrived, as the next look
shows."""
_NOT_NOW = frozenset({0, 503})
"""Statuses that say nothing of a message: there was no answer, or the service can take none, as without a primary."""

ReadSecret = Callable[[str, str], Awaitable[Raw | None]]
"""The Secret of this namespace and name (`Gateway.get_secret`). Raises KubeError."""

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""Keys of a Secret of type kubernetes.io/tls."""


class NotSigned(Exception):
    """What was to be signed was not, or CCF did not take it."""


class _Unusable(Exception):
    """The Secret cannot be used."""

    def __init__(self, reason: MemberReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Recipient:
    """The node that a message goes to: where it is, the id it must prove, the certificate (PEM) of its service."""

    host: str
    node_id: str
    service_certificate: str


@dataclass
class SigningMember:
    """Signs for one network."""

    read: ReadSecret
    clock: Callable[[], float] = time.time
    _refused: dict[str, str] = field(default_factory=dict)

    async def see(self, namespace: str, secret: str) -> OperatorMemberView:
        """The member as its Secret shows it. Never raises: what is wrong is part of it."""
        refused = dict(self._refused)
        try:
            member = await self._member(namespace, secret)
        except _Unusable as error:
            return OperatorMemberView(secret, problem=error.reason, detail=str(error), refused=refused)
        return OperatorMemberView(secret, member_id=member.member_id, refused=refused)

    async def sign(
        self, message: SignAsMember, namespace: str, secret: str, recipient: Recipient, confirm: Confirm
    ) -> str:
        """Sign and send a message; a word for the log. Raises NotSigned, and what `confirm` raises.

        `confirm` is called last before anything is sent: it raises what it must if the message is out of date.
        """
        try:
            member = await self._member(namespace, secret)
        except _Unusable as error:
            raise NotSigned(str(error)) from error
        if member.member_id != message.member_id:
            raise NotSigned(f"Secret {secret} holds the key of another member by now")
        await confirm()
        try:
            async with asyncio.timeout(SIGN_SECONDS), self._client(recipient) as client:
                outcome = await self._send(client, member, message)
        except GovernanceError as error:
            if error.status not in _NOT_NOW:
                self._refused = {message.token: str(error)}  # of the last message: no other is asked about
            raise NotSigned(str(error)) from error
        except (TimeoutError, NotTheNode, BadCertificate) as error:
            raise NotSigned(str(error) or f"no answer within {SIGN_SECONDS:g} s") from error
        self._refused.pop(message.token, None)
        return outcome

    def _client(self, to: Recipient) -> GovernanceClient:
        transport = ProvenTransport(PeerIdentity(to.node_id))
        return GovernanceClient(
            names.authority(to.host, names.OPERATOR_PORT), to.service_certificate, transport=transport, now=self.clock
        )

    async def _send(self, client: GovernanceClient, member: Member, message: SignAsMember) -> str:
        now = int(self.clock())
        match message:
            case AcknowledgeState():
                reply = await client.send(governance.state_digest_update(member, created_at=now))
                await client.send(governance.acknowledgement(member, reply["stateDigest"], created_at=now))
                return "acknowledged"
            case Withdraw(proposal_id=proposal_id):
                await client.withdraw(member, proposal_id)
                return "withdrawn"
            case Propose(actions=actions):
                made = await client.propose(member, actions)
                if made.state not in ("Open", "Accepted"):
                    raise GovernanceError("propose", 200, made.state, "the constitution's resolve() says so")
                return f"proposed: {made.proposal_id} is {made.state}"

    async def _member(self, namespace: str, secret: str) -> Member:
        try:
            raw = await self.read(namespace, secret)
        except Forbidden as error:
            raise _Unusable(
                MemberReason.SECRET_FORBIDDEN,
                f"the operator may not read Secret {secret}: add {{namespace: {namespace}, secret: {secret}}} to the "
                "chart value operatorMembers",
            ) from error
        except KubeError as error:
            raise _Unusable(MemberReason.SECRET_UNUSABLE, f"Secret {secret} cannot be read: {error}") from error
        if raw is None:
            raise _Unusable(
                MemberReason.SECRET_MISSING,
                f"Secret {secret} does not exist: kubectl -n {namespace} create secret tls {secret} --cert FILE --key "
                "FILE",
            )
        return _member_in(raw, secret)


def _member_in(raw: Raw, secret: str) -> Member:
    """The member of a Secret. Raises _Unusable, whose text has nothing of the key."""
    certificate_pem, key_pem = _text(raw, secret, CERTIFICATE), _text(raw, secret, KEY)
    try:
        shown = load_certificate(certificate_pem).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(f"{CERTIFICATE} of Secret {secret} is not a PEM certificate") from error
    try:
        key = load_pem_private_key(key_pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(f"{KEY} of Secret {secret} is not a PEM private key without a passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _unusable(f"{KEY} of Secret {secret} is not an elliptic curve key, and CCF takes signatures of no other")
    try:
        digest_of(key.public_key())
    except ValueError as error:
        raise _unusable(f"{KEY} of Secret {secret}: {error}") from error
    if shown != key.public_key():
        raise _unusable(f"{KEY} of Secret {secret} is not the key of the certificate in {CERTIFICATE}")
    return Member(certificate_pem, key_pem)


def _text(raw: Raw, secret: str, key: str) -> str:
    data: dict[str, Any] = raw.get("data") or {}
    if not data.get(key):
        raise _unusable(f"Secret {secret} has no {key}")
    try:
        return base64.b64decode(data[key], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unusable(f"{key} of Secret {secret} is not text") from error


def _unusable(detail: str) -> _Unusable:
    return _Unusable(MemberReason.SECRET_UNUSABLE, detail)
