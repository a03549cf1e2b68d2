"""The service's table of nodes: its rows, and what they mean for consensus (CCF facts §2, §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator import quote
from simulator.config import Config
from simulator.gov_tables import ENDORSED_CERTIFICATES, NODES, json_items, read_json, write_json
from simulator.kv import Tx

VIRTUAL_HOST_DATA = "public:ccf.gov.nodes.virtual.host_data"
VIRTUAL_MEASUREMENTS = "public:ccf.gov.nodes.virtual.measurements"


@dataclass(frozen=True)
class Applicant:
    """What a node tells about itself when it creates, recovers or joins a service."""

    node_id: str
    csr: str  # PEM
    public_key: str  # PEM
    encryption_key: str  # PEM
    certificate: str  # PEM, self-signed
    n2n: Mapping[str, str]
    interfaces: Mapping[str, Any]
    quote_info: Mapping[str, str]
    node_data: Any = None

    @classmethod
    def of_config(
        cls,
        config: Config,
        *,
        node_id: str,
        csr: str,
        public_key: str,
        encryption_key: str,
        certificate: str,
        node_data: Any,
    ) -> Applicant:
        return cls(
            node_id,
            csr,
            public_key,
            encryption_key,
            certificate,
            {"bind_address": str(config.n2n_bind), "published_address": config.n2n_published},
            {name: published_interface(one.raw, one.published) for name, one in config.interfaces.items()},
            quote.quote_info(node_id),
            node_data,
        )

    def row(self, status: str) -> dict[str, Any]:
        """The node's row as CCF writes it."""
        row: dict[str, Any] = {
            "certificate_signing_request": self.csr,
            "code_digest": quote.MEASUREMENT.encode().hex(),
            "encryption_pub_key": self.encryption_key,
            "node_to_node_interface": dict(self.n2n),
            "public_key": self.public_key,
            "quote_info": dict(self.quote_info),
            "rpc_interfaces": dict(self.interfaces),
            "status": status,
        }
        if self.node_data is not None:
            row["node_data"] = self.node_data
        return row


def published_interface(raw: Mapping[str, Any], published: str) -> dict[str, Any]:
    """An interface as other nodes and `/node/network/nodes` see it."""
    known = ("bind_address", "endorsement", "accepted_endpoints", "protocol", "app_protocol", "redirections")
    return {**{key: raw[key] for key in known if key in raw}, "published_address": published}


def rows(tx: Tx) -> dict[str, dict[str, Any]]:
    return dict(json_items(tx, NODES))


def row(tx: Tx, node_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = read_json(tx, NODES, node_id.encode())
    return found


def write_row(tx: Tx, node_id: str, value: Mapping[str, Any]) -> None:
    write_json(tx, NODES, dict(value), node_id.encode())


def admit(tx: Tx, applicant: Applicant, status: str, *, ledger_secret_seqno: int | None = None) -> None:
    value = applicant.row(status)
    if ledger_secret_seqno is not None:
        value["ledger_secret_seqno"] = ledger_secret_seqno
    write_row(tx, applicant.node_id, value)


def trust_code(tx: Tx) -> None:
    """Let nodes that run the same binary as this one join."""
    tx.put(VIRTUAL_HOST_DATA, quote.host_data().encode(), bytes(8))
    tx.put(VIRTUAL_MEASUREMENTS, quote.MEASUREMENT.encode(), b'"AllowedToJoin"')


def refused_quote(tx: Tx, applicant: Applicant) -> str | None:
    """Why the node's code may not join; None if it may (CCF facts §3)."""
    try:
        claims = quote.claims(applicant.quote_info)
    except ValueError:
        return "Quote could not be verified"
    if tx.get(VIRTUAL_MEASUREMENTS, claims["measurement"].encode()) is None:
        return "Quote does not contain known enclave measurement"
    if tx.get(VIRTUAL_HOST_DATA, claims["host_data"].encode()) is None:
        return "Quote host data is not authorised"
    return None


def retire_all(tx: Tx) -> None:
    """A recovered service starts without any former node, Pending ones included (CCF facts §8.8)."""
    for node_id, value in rows(tx).items():
        if value["status"] != "Retired":
            write_row(tx, node_id, {**value, "status": "Retired"})


def mark_retired_committed(tx: Tx, committed: Tx) -> bool:
    """Flag every row that is Retired in the `committed` state and not flagged yet; true if there was one."""
    changed = False
    for node_id, value in rows(tx).items():
        if (row(committed, node_id) or {}).get("status") == "Retired" and not value.get("retired_committed"):
            write_row(tx, node_id, {**value, "retired_committed": True})
            changed = True
    return changed


def endorsed_certificate(tx: Tx, node_id: str) -> str | None:
    raw = tx.get(ENDORSED_CERTIFICATES, node_id.encode())
    return None if raw is None else raw.decode()


def set_endorsed_certificate(tx: Tx, node_id: str, pem: str) -> None:
    tx.put(ENDORSED_CERTIFICATES, node_id.encode(), pem.encode())


def shown(node_id: str, value: Mapping[str, Any], *, primary: bool, last_written: int) -> dict[str, Any]:
    """A row as `/node/network/nodes` answers it (CCF facts §1.1)."""
    return {
        "last_written": last_written,
        "node_data": value.get("node_data"),
        "node_id": node_id,
        "primary": primary,
        "rpc_interfaces": value["rpc_interfaces"],
        "status": value["status"],
    }
