"""How a service takes in a new node: `POST /node/join` (CCF facts §7.1)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from simulator import identity, nodes_table
from simulator.gov_tables import SERVICE_INFO, read_json
from simulator.kv import Tx, TxID
from simulator.nodes_table import Applicant


class JoinRefused(Exception):
    """A joiner ends for good when `status` is 4xx, and tries again when it is 5xx."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class NotPrimary(Exception):
    """The joiner is to ask the primary."""


class Host(Protocol):
    """What taking in a node needs of the node that is asked."""

    state: str
    startup_seqno: int

    def can_write(self) -> bool: ...

    def secrets_for_joiner(self) -> Mapping[int, bytes]:
        """Ledger secrets by version."""
        ...

    def service_private_key(self) -> bytes:
        """PEM."""
        ...

    def endorse(self, csr: str, validity: identity.Validity) -> str: ...


@dataclass(frozen=True)
class Outcome:
    body: Mapping[str, Any]
    changed: bool  # the transaction has writes to apply


def accept(tx: Tx, host: Host, asked: Mapping[str, Any]) -> Outcome:
    """Take in, or go on with, a joiner. Raises JoinRefused, NotPrimary; ValueError or KeyError if malformed."""
    if host.state not in ("PartOfNetwork", "PartOfPublicNetwork", "ReadingPrivateLedger"):
        raise JoinRefused(500, "InternalError", "Target node should be part of network to accept new nodes.")
    applicant = _applicant(asked)
    if host.startup_seqno > asked["startup_seqno"]:
        raise JoinRefused(
            400,
            "StartupSeqnoIsOld",
            f"Node requested to join from seqno {asked['startup_seqno']} which is older than this node startup seqno "
            f"{host.startup_seqno}. A snapshot at least as recent as {host.startup_seqno} must be used instead.",
        )
    info = read_json(tx, SERVICE_INFO)
    if info is None:
        raise JoinRefused(500, "InternalError", "No service is available to accept new node.")
    row = nodes_table.row(tx, applicant.node_id)
    if row is not None:
        return _known(tx, host, applicant.node_id, row, info)
    if not host.can_write():
        raise NotPrimary
    _check_new(tx, applicant)
    if info["status"] in ("Opening", "Recovering"):
        version = max(host.secrets_for_joiner(), default=0)
        nodes_table.admit(tx, applicant, "Trusted", ledger_secret_seqno=version)
        endorsed = host.endorse(applicant.csr, identity.Validity.of(applicant.certificate))
        nodes_table.set_endorsed_certificate(tx, applicant.node_id, endorsed)
        return Outcome(_trusted(tx, host, applicant.node_id, info), True)
    nodes_table.admit(tx, applicant, "Pending")
    return Outcome({"node_id": applicant.node_id, "node_status": "Pending"}, True)


def _known(tx: Tx, host: Host, node_id: str, row: Mapping[str, Any], info: Mapping[str, Any]) -> Outcome:
    if row["status"] == "Trusted":
        return Outcome(_trusted(tx, host, node_id, info), False)
    if row["status"] == "Pending":
        return Outcome({"node_id": node_id, "node_status": "Pending"}, False)
    raise JoinRefused(
        400, "InvalidNodeState", f"Joining node is not in expected state (state {row['status'].upper()})."
    )


def _check_new(tx: Tx, applicant: Applicant) -> None:
    address = applicant.n2n["published_address"]
    for other, row in nodes_table.rows(tx).items():
        taken = row["node_to_node_interface"]["published_address"] == address
        if taken and row["status"] in ("Trusted", "Pending"):
            raise JoinRefused(
                400,
                "NodeAlreadyExists",
                f"A node with the same published node address {address} already exists (node id: {other}).",
            )
    reason = nodes_table.refused_quote(tx, applicant)
    if reason is not None:
        raise JoinRefused(401, "InvalidQuote", reason)


def _trusted(tx: Tx, host: Host, node_id: str, info: Mapping[str, Any]) -> dict[str, Any]:
    secrets = {str(version): base64.b64encode(key).decode() for version, key in host.secrets_for_joiner().items()}
    recovered = TxID.parse(info["current_service_create_txid"]).seqno - 1
    public_only = host.state != "PartOfNetwork"
    return {
        "network_info": {
            "endorsed_certificate": nodes_table.endorsed_certificate(tx, node_id),
            "identity": {"cert": info["cert"], "priv_key": host.service_private_key().decode()},
            "last_recovered_signed_idx": recovered if public_only else 0,
            "ledger_secrets": secrets,
            "public_only": public_only,
            "service_status": info["status"],
        },
        "node_id": node_id,
        "node_status": "Trusted",
    }


def request_body(applicant: Applicant, startup_seqno: int) -> dict[str, Any]:
    """What a joiner posts."""
    return {
        "certificate": applicant.certificate,
        "certificate_signing_request": applicant.csr,
        "node_data": applicant.node_data,
        "node_info_network": {
            "node_to_node_interface": dict(applicant.n2n),
            "rpc_interfaces": dict(applicant.interfaces),
        },
        "public_encryption_key": applicant.encryption_key,
        "quote_info": dict(applicant.quote_info),
        "startup_seqno": startup_seqno,
    }


def _applicant(asked: Mapping[str, Any]) -> Applicant:
    csr, certificate = asked["certificate_signing_request"], asked["certificate"]
    key = identity.certificate_key(certificate)
    if identity.public_key_of_csr(csr) != key:
        raise JoinRefused(400, "CSRPublicKeyInvalid", "Public key in CSR does not match TLS session public key.")
    return Applicant(
        node_id=identity.key_id(key),
        csr=csr,
        public_key=identity.key_pem(key),
        encryption_key=asked["public_encryption_key"],
        certificate=certificate,
        n2n=asked["node_info_network"]["node_to_node_interface"],
        interfaces=asked["node_info_network"]["rpc_interfaces"],
        quote_info=asked["quote_info"],
        node_data=asked.get("node_data"),
    )
