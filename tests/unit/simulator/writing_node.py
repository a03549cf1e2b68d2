"""A node reduced to its storage: it writes a ledger as the primary of a one-node service does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from simulator.kv import AppliedEntry, Entry, Store, TxID, Writes
from simulator.ledger import LedgerDirectory
from simulator.ledger_crypto import LedgerSecrets, new_key
from simulator.ledger_format import SINGLETON_KEY, EntryFlags
from simulator.merkle import Signer


def self_signed(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA384()).public_bytes(Encoding.PEM).decode()


class WritingNode:
    def __init__(self, ledger: LedgerDirectory, *, view: int = 2) -> None:
        node_key = ec.generate_private_key(ec.SECP384R1())
        spki = node_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        service_key = ec.generate_private_key(ec.SECP384R1())
        self.signer = Signer(sha256(spki).hexdigest(), node_key, self_signed(node_key, "CCF Node"), service_key)
        self.service_certificate = self_signed(service_key, "CCF Service")
        self.ledger = ledger
        self.view = view
        self.store = Store(LedgerSecrets())

    @classmethod
    def started(cls, directory: Path, *, chunk_size: int = 1 << 20) -> WritingNode:
        """A node that has started a service in `directory`: create transaction and first signature are written."""
        node = cls(LedgerDirectory(directory, chunk_size=chunk_size))
        node.store.secrets.add(1, new_key())
        node.write(node.create_writes("Open"))
        node.sign()
        return node

    def create_writes(self, status: str) -> Writes:
        service = {"cert": self.service_certificate, "status": status}
        return {
            "public:ccf.gov.nodes.info": {self.signer.node_id.encode(): json.dumps({"status": "Trusted"}).encode()},
            "public:ccf.gov.nodes.endorsed_certificates": {
                self.signer.node_id.encode(): self.signer.node_certificate.encode()
            },
            "public:ccf.gov.service.info": {SINGLETON_KEY: json.dumps(service).encode()},
        }

    def write(self, writes: Writes, *, flags: EntryFlags = EntryFlags.NONE) -> TxID:
        entry = self.store.prepare(writes, self.view, flags=flags)
        self._keep(entry)
        return entry.txid

    def sign(self, *, flags: EntryFlags = EntryFlags.NONE) -> TxID:
        entry = self.store.prepare_signature(self.view, self.signer, flags=flags)
        self._keep(entry)
        return entry.txid

    def _keep(self, entry: Entry) -> None:
        applied = self.store.apply(entry.raw)
        write_to(self.ledger, applied)

    def commit(self) -> None:
        seqno = self.store.last_signed.seqno
        self.store.compact(seqno)
        self.ledger.commit(seqno)


def write_to(ledger: LedgerDirectory, applied: AppliedEntry) -> None:
    if applied.is_signature:
        ledger.append_signature(applied.raw)
    else:
        ledger.append(applied.raw)


def journal(text: str) -> Writes:
    """A write to a private table."""
    return {"journal": {b"key": text.encode()}}
