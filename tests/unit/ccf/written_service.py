"""Ledgers written for tests in CCF's format: a service with trusted nodes, transactions, signatures, recoveries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ccf_operator.ccf.identity import key_fingerprint
from simulator.kv import Store, Writes
from simulator.ledger import LedgerDirectory
from simulator.ledger_crypto import LedgerSecrets, new_key
from simulator.ledger_format import SINGLETON_KEY, EntryFlags
from simulator.merkle import Signer

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CCF")])
NODES = "public:ccf.gov.nodes.info"
SERVICE = "public:ccf.gov.service.info"


def certificate(key: ec.EllipticCurvePrivateKey) -> str:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    made = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA384())
    return made.public_bytes(Encoding.PEM).decode()


class WrittenService:
    """One node's view of a service while it writes its ledger; `recover` begins the next service on what it finds."""

    def __init__(self, directory: Path, ancestors: Sequence[Path] = ()) -> None:
        directory.parent.mkdir(parents=True, exist_ok=True)
        self.ledger = LedgerDirectory(directory, ancestors, chunk_size=1 << 30)
        self.store = Store(LedgerSecrets())
        self.store.secrets.add(1, new_key())
        self.view = 2
        self.recovery_count = 0
        self._new_identities()

    def _new_identities(self) -> None:
        self._service_key = ec.generate_private_key(ec.SECP384R1())
        self.service_certificate = certificate(self._service_key)
        self.service_key = key_fingerprint(self.service_certificate)
        self._node_key = ec.generate_private_key(ec.SECP384R1())
        self._node_certificate = certificate(self._node_key)
        self.node_id = key_fingerprint(self._node_certificate)
        self.signer = Signer(self.node_id, self._node_key, self._node_certificate, self._service_key)

    def create(self) -> None:
        """The first transaction of a service: itself the only node."""
        self.service_status("Opening", nodes={self.node_id: "Trusted"})

    def recover(self) -> None:
        """Read what is there, and begin a new service after the last signature."""
        for seqno in range(1, self.ledger.last + 1):
            self.store.apply(self.ledger.read(seqno))
        signed = self.store.last_signed
        self.store.rollback(signed.seqno)
        self.ledger.begin_recovery(signed.seqno)
        self.view = signed.view + 2
        self.recovery_count += 1
        old = {key.decode(): "Retired" for key, _ in self.store.begin().items(NODES)}
        self._new_identities()
        self.service_status("Recovering", nodes={**old, self.node_id: "Trusted"}, flags=EntryFlags.FORCE_CHUNK_BEFORE)

    def service_status(
        self, status: str, nodes: dict[str, str] | None = None, flags: EntryFlags = EntryFlags.NONE
    ) -> None:
        row = {"cert": self.service_certificate, "recovery_count": self.recovery_count, "status": status}
        writes: Writes = {SERVICE: {SINGLETON_KEY: json.dumps(row).encode()}}
        if nodes:
            writes[NODES] = {node.encode(): json.dumps({"status": it}).encode() for node, it in nodes.items()}
        self.write(writes, flags)

    def nodes(self, changes: dict[str, str | None]) -> None:
        """Change rows of the nodes table: status, or None to delete."""
        rows: dict[bytes, bytes | None] = {
            node.encode(): None if status is None else json.dumps({"status": status}).encode()
            for node, status in changes.items()
        }
        self.write({NODES: rows})

    def write(self, writes: Writes, flags: EntryFlags = EntryFlags.NONE) -> None:
        entry = self.store.prepare(writes, self.view, flags=flags)
        self.store.apply(entry.raw)
        self.ledger.append(entry.raw)

    def business(self, count: int) -> None:
        """Transactions of the application, private ones."""
        for number in range(count):
            self.write({"app.records": {b"key": b"%d" % number}})

    def sign(self, *, end_chunk: bool = False, commit: bool = True) -> None:
        flags = EntryFlags.FORCE_CHUNK_AFTER if end_chunk else EntryFlags.NONE
        entry = self.store.prepare_signature(self.view, self.signer, flags=flags)
        self.store.apply(entry.raw)
        self.ledger.append_signature(entry.raw)
        if commit:
            self.ledger.commit(entry.txid.seqno)

    def close(self) -> None:
        """The end of the process."""
        self.ledger.close()
