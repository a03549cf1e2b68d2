"""What members say to CCF's `/gov` API, before and after it is signed (CCF facts §6, api-version 2024-07-01).

A `Request` holds all that its signature will cover; who has the key makes a `Message` of it, here or elsewhere (in an
HSM).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from ccf_operator.ccf.cose import Value
from ccf_operator.ccf.identity import load_certificate

API_VERSION = "2024-07-01"

Action = dict[str, Any]
"""{"name": ..., "args": {...}}, as the constitution's `apply` takes it."""

YES = "export function vote (proposal, proposerId) { return true }"
NO = "export function vote (proposal, proposerId) { return false }"


@dataclass(frozen=True)
class Request:
    """A message before it is signed. `created_at`: seconds since 1970; CCF refuses proposals that are older than the
    median of its recent ones."""

    path: str
    type: str
    payload: bytes
    created_at: int
    proposal_id: str | None = None

    @property
    def header(self) -> dict[str, Value]:
        """The protected parameters, beside algorithm and key id."""
        header: dict[str, Value] = {"ccf.gov.msg.type": self.type, "ccf.gov.msg.created_at": self.created_at}
        if self.proposal_id is not None:
            header["ccf.gov.msg.proposal_id"] = self.proposal_id
        return header


@dataclass(frozen=True)
class Message:
    """A signed message, ready to be sent: POST `body` as application/cose to `path` (query included)."""

    path: str
    body: bytes


def member_id(certificate_pem: str) -> str:
    """Lower-hex SHA-256 of a member certificate's DER. Raises ValueError if it does not parse."""
    return hashlib.sha256(load_certificate(certificate_pem).public_bytes(Encoding.DER)).hexdigest()


def proposal(actions: Sequence[Action], created_at: int) -> Request:
    """Propose `actions`, to be applied together."""
    payload = json.dumps({"actions": list(actions)}).encode()
    return Request(_path("/members/proposals:create"), "proposal", payload, created_at)


def ballot(member: str, proposal_id: str, source: str, created_at: int) -> Request:
    """The ballot of the member with this id: a JavaScript module that exports `vote(proposal, proposerId)`."""
    path = _path(f"/members/proposals/{proposal_id}/ballots/{member}:submit")
    return Request(path, "ballot", json.dumps({"ballot": source}).encode(), created_at, proposal_id)


def withdrawal(proposal_id: str, created_at: int) -> Request:
    """Withdraw one's own open proposal."""
    return Request(_path(f"/members/proposals/{proposal_id}:withdraw"), "withdrawal", b"", created_at, proposal_id)


def state_digest_update(member: str, created_at: int) -> Request:
    """Ask for the digest of the present state; the reply's `stateDigest` is what `acknowledgement` signs."""
    return Request(_path(f"/members/state-digests/{member}:update"), "state_digest", b"{}", created_at)


def acknowledgement(member: str, state_digest: str, created_at: int) -> Request:
    """Acknowledge the state: it makes an accepted member active."""
    payload = json.dumps({"stateDigest": state_digest}).encode()
    return Request(_path(f"/members/state-digests/{member}:ack"), "ack", payload, created_at)


def recovery_share(member: str, share: bytes, created_at: int) -> Request:
    """Hand in the member's decrypted share."""
    payload = json.dumps({"share": base64.b64encode(share).decode()}).encode()
    return Request(_path(f"/recovery/members/{member}:recover"), "recovery_share", payload, created_at)


def decrypt_share(encryption_key_pem: str, encrypted_share: str) -> bytes:
    """A member's share, of what `/gov/recovery/encrypted-shares` gives (base64).

    Raises ValueError if the key is not RSA, or the share is not for it."""
    key = load_pem_private_key(encryption_key_pem.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the encryption key is not RSA")
    sha256 = hashes.SHA256()
    return key.decrypt(base64.b64decode(encrypted_share), padding.OAEP(padding.MGF1(sha256), sha256, None))


def _path(path: str) -> str:
    return f"/gov{path}?api-version={API_VERSION}"
