"""The governance tables of the store, by CCF's names and in CCF's encodings (CCF facts §4.5, §6.6)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from simulator.kv import Tx

SINGLETON = bytes(8)
"""Key of tables that hold one value."""

CONSTITUTION = "public:ccf.gov.constitution"
SERVICE_INFO = "public:ccf.gov.service.info"
SERVICE_CONFIG = "public:ccf.gov.service.config"
MEMBER_CERTS = "public:ccf.gov.members.certs"
MEMBER_INFO = "public:ccf.gov.members.info"
MEMBER_ENCRYPTION_KEYS = "public:ccf.gov.members.encryption_public_keys"
MEMBER_ACKS = "public:ccf.gov.members.acks"
NODES = "public:ccf.gov.nodes.info"
ENDORSED_CERTIFICATES = "public:ccf.gov.nodes.endorsed_certificates"
PROPOSALS = "public:ccf.gov.proposals"
PROPOSALS_INFO = "public:ccf.gov.proposals_info"
COSE_HISTORY = "public:ccf.gov.cose_history"
COSE_RECENT_PROPOSALS = "public:ccf.gov.cose_recent_proposals"
MODULES = "public:ccf.gov.modules"
ENDPOINTS = "public:ccf.gov.endpoints"
PREVIOUS_SERVICE_IDENTITY = "public:ccf.internal.previous_service_identity"
SIGNATURES = "public:ccf.internal.signatures"
RECOVERY_SHARES = "public:ccf.internal.recovery_shares"
ENCRYPTED_PAST_SECRETS = "public:ccf.internal.historical_encrypted_ledger_secret"
SUBMITTED_SHARES = "public:ccf.internal.encrypted_submitted_shares"
LAST_RECOVERY_TYPE = "public:ccf.internal.last_recovery_type"


@dataclass(frozen=True)
class NewMember:
    """A member as `command.start.members` names it."""

    certificate: str
    encryption_public_key: str | None = None
    data: Any = None
    recovery_role: str | None = None


def read_json(tx: Tx, table: str, key: bytes = SINGLETON) -> Any:
    """The JSON value at `key`; None if absent."""
    raw = tx.get(table, key)
    return None if raw is None else json.loads(raw)


def write_json(tx: Tx, table: str, value: Any, key: bytes = SINGLETON) -> None:
    """Compact, with sorted keys, as CCF writes it."""
    tx.put(table, key, json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode())


def json_items(tx: Tx, table: str) -> Iterator[tuple[str, Any]]:
    """Every row of a table with text keys, in the order of the keys."""
    for key, value in sorted(tx.items(table)):
        yield key.decode(), json.loads(value)


def certificate_id(pem: str) -> str:
    """Lower-hex SHA-256 of the certificate's DER: the id of its member or user. ValueError if it does not parse."""
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def add_member(tx: Tx, member: NewMember) -> str:
    """Write an Accepted member at the creation of a service; returns the member id. ValueError if the recovery role
    contradicts the keys."""
    role, key = member.recovery_role, member.encryption_public_key
    if role is not None and key is None and role != "NonParticipant":
        raise ValueError(f"a member with recovery role {role} needs an encryption public key")
    if role == "NonParticipant" and key is not None:
        raise ValueError("a member with an encryption public key cannot be NonParticipant")
    member_id = certificate_id(member.certificate)
    row = member_id.encode()
    tx.put(MEMBER_CERTS, row, member.certificate.encode())
    if key is not None:
        tx.put(MEMBER_ENCRYPTION_KEYS, row, key.encode())
    info: dict[str, Any] = {"status": "Accepted"}
    if member.data is not None:
        info["member_data"] = member.data
    if role is not None:
        info["recovery_role"] = role
    write_json(tx, MEMBER_INFO, info, row)
    write_json(tx, MEMBER_ACKS, {"state_digest": ""}, row)
    return member_id


def set_constitution(tx: Tx, source: str) -> None:
    write_json(tx, CONSTITUTION, source)


def constitution(tx: Tx) -> str | None:
    source = read_json(tx, CONSTITUTION)
    return None if source is None else str(source)


def service_status(tx: Tx) -> str | None:
    """ "Opening", "Open", "Recovering", "WaitingForRecoveryShares"; None if there is no service yet."""
    info = read_json(tx, SERVICE_INFO)
    return None if info is None else str(info["status"])


def recovery_threshold(tx: Tx) -> int:
    return int((read_json(tx, SERVICE_CONFIG) or {}).get("recovery_threshold", 0))


def active_recovery_members(tx: Tx, role: str) -> dict[str, str]:
    """Id -> encryption public key (PEM) of active members with the role "Participant" or "Owner", by ascending id."""
    found: dict[str, str] = {}
    for key, pem in sorted(tx.items(MEMBER_ENCRYPTION_KEYS)):
        info = read_json(tx, MEMBER_INFO, key) or {}
        if info.get("status") == "Active" and info.get("recovery_role", "Participant") == role:
            found[key.decode()] = pem.decode()
    return found
