"""One node's copy of the service: store, ledger, and what applied and committed entries mean for the node."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from simulator import nodes_table, secrets_table
from simulator.gov_tables import ENDORSED_CERTIFICATES, NODES, SERVICE_INFO, SINGLETON
from simulator.identity import KeyPair
from simulator.kv import AppliedEntry, Entry, OutOfOrder, Store, Tx, Writes
from simulator.ledger import LedgerDirectory, NoEntry
from simulator.ledger_crypto import DecryptionFailed, LedgerSecrets
from simulator.ledger_format import EntryFlags, MalformedEntry, split_entries
from simulator.merkle import BadSignature, Signer
from simulator.raft import Appended, EntriesUnavailable, EntryRejected
from simulator.secrets_table import EncryptionKey
from simulator.service_identity import ServiceIdentity
from simulator.shares import EncryptedSecretsHistory


class Observer(Protocol):
    """Who is told of what happens to the copy; the node."""

    def rekeyed(self, seqno: int, secrets: Mapping[int | None, bytes]) -> None:
        """An applied entry brought ledger secrets for this node."""
        ...

    def secrets_committed(self, secrets: Mapping[int | None, bytes]) -> None: ...

    def endorsed(self, certificate: str) -> None:
        """This node's endorsed certificate is committed."""
        ...

    def service_committed(self, status: str, certificate: str) -> None:
        """A row of the service this node is part of is committed."""
        ...


class Replica:
    """Entries come in here and nowhere else, so that store, ledger and history always agree."""

    def __init__(
        self, node_id: str, key: KeyPair, encryption_key: EncryptionKey, ledger: LedgerDirectory, observer: Observer
    ) -> None:
        self._node_id = node_id
        self._key = key
        self._encryption_key = encryption_key
        self._observer = observer
        self.ledger = ledger
        self.secrets = LedgerSecrets()
        self.store = Store(self.secrets)
        self.secrets_history = EncryptedSecretsHistory()
        self.service: ServiceIdentity | None = None
        self._uncommitted: deque[tuple[int, Writes]] = deque()

    @property
    def uncommitted(self) -> int:
        return len(self._uncommitted)

    def prepare(self, tx: Tx, view: int, *, chunk_before: bool = False) -> Entry:
        flags = EntryFlags.FORCE_CHUNK_BEFORE if chunk_before else EntryFlags.NONE
        return self.store.prepare(tx.writes, view, flags=flags)

    def prepare_signature(self, view: int, *, chunk_after: bool) -> Entry:
        flags = EntryFlags.FORCE_CHUNK_AFTER if chunk_after else EntryFlags.NONE
        return self.store.prepare_signature(view, self._signer(), flags=flags)

    # raft.Log

    @property
    def last(self) -> int:
        return self.store.current.seqno

    def view_at(self, seqno: int) -> int:
        return self.store.view_at(seqno) or 0

    def read(self, first: int, last: int) -> Sequence[bytes]:
        try:
            entries = list(split_entries(self.ledger.read_range(first, last)))
        except NoEntry as error:
            raise EntriesUnavailable(str(error)) from error
        if not entries:
            raise EntriesUnavailable(f"no entries {first} - {last}")
        return entries

    def append(self, entry: bytes) -> Appended:
        try:
            applied = self.store.apply(entry)
        except (MalformedEntry, BadSignature, DecryptionFailed, OutOfOrder) as error:
            raise EntryRejected(str(error)) from error
        if applied.is_signature:
            self.ledger.append_signature(entry)
        else:
            self.ledger.append(entry)
        self._note(applied)
        nodes = self._trusted() if NODES in applied.writes else None
        return Appended(applied.txid, applied.is_signature, nodes)

    def truncate(self, seqno: int) -> None:
        self.store.rollback(seqno)
        self.ledger.truncate(seqno)
        self.secrets_history.rollback(seqno)
        while self._uncommitted and self._uncommitted[-1][0] > seqno:
            self._uncommitted.pop()

    def commit(self, seqno: int) -> Collection[str]:
        self.store.compact(seqno)
        self.ledger.commit(seqno)
        retired: list[str] = []
        while self._uncommitted and self._uncommitted[0][0] <= seqno:
            writes = self._uncommitted.popleft()[1]
            retired += _retired_committed(writes)
            self._committed(writes)
        return retired

    def note_replayed(self, applied: AppliedEntry) -> None:
        """An entry that was in the ledger before this node began to recover it."""
        self.secrets_history.observe(applied.txid.seqno, applied.writes)

    def endorsed_certificate(self) -> str | None:
        return nodes_table.endorsed_certificate(self.store.begin(), self._node_id)

    def _trusted(self) -> dict[str, str]:
        return {
            node_id: row["node_to_node_interface"]["published_address"]
            for node_id, row in nodes_table.rows(self.store.begin()).items()
            if row["status"] == "Trusted"
        }

    def _signer(self) -> Signer:
        certificate, service = self.endorsed_certificate(), self.service
        assert certificate is not None
        assert service is not None
        return Signer(self._node_id, self._key.private, certificate, service.key.private)

    def _note(self, applied: AppliedEntry) -> None:
        seqno, writes = applied.txid.seqno, applied.writes
        self.secrets_history.observe(seqno, writes)
        self._uncommitted.append((seqno, writes))
        secrets = secrets_table.received(writes, self._node_id, self._encryption_key)
        if secrets:
            self._observer.rekeyed(seqno, secrets)

    def _committed(self, writes: Writes) -> None:
        certificate = writes.get(ENDORSED_CERTIFICATES, {}).get(self._node_id.encode())
        if certificate is not None:
            self._observer.endorsed(certificate.decode())
        raw = writes.get(SERVICE_INFO, {}).get(SINGLETON)
        if raw is not None:
            info = json.loads(raw)
            # rows of services that this one was recovered from say nothing about this one
            if self.service is not None and self.service.is_of(info["cert"]):
                self.service.certificate = info["cert"]
                self._observer.service_committed(info["status"], info["cert"])
        secrets = secrets_table.received(writes, self._node_id, self._encryption_key)
        if secrets:
            self._observer.secrets_committed(secrets)


def _retired_committed(writes: Writes) -> list[str]:
    rows = writes.get(NODES, {}).items()
    return [key.decode() for key, value in rows if value is not None and json.loads(value).get("retired_committed")]
