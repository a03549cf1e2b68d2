"""The replicated key-value store of a node: versions, rollback, compaction, transactions (CCF facts §4.5)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from simulator import ledger_format, merkle
from simulator.ledger_crypto import DecryptionFailed, LedgerSecrets, commit_evidence, open_sealed, seal
from simulator.ledger_format import EntryFlags, MalformedEntry, PublicDomain, RawEntry, TableChanges
from simulator.merkle import MerkleTree, Signer

Writes = dict[str, dict[bytes, bytes | None]]
"""table -> key -> value; None removes the key. Tables whose name starts with "public:" are public, others private."""


class TxID(NamedTuple):
    view: int
    seqno: int

    def __str__(self) -> str:
        return f"{self.view}.{self.seqno}"

    @classmethod
    def parse(cls, text: str) -> TxID:
        """Parse "<view>.<seqno>"; raises ValueError on anything else."""
        view, dot, seqno = text.partition(".")
        if not (dot and text.isascii() and view.isdigit() and seqno.isdigit()):
            raise ValueError(f"{text!r} is no transaction id")
        return cls(int(view), int(seqno))


class OutOfOrder(Exception):
    """An entry that does not follow the last applied one (seqno + 1, same or later view)."""


class SnapshotGone(Exception):
    """A transaction reads what is no longer kept: compacted or rolled back since it began. Begin it again."""


@dataclass(frozen=True)
class Entry:
    """A serialised, not yet applied ledger entry."""

    txid: TxID
    raw: bytes
    writes: Writes
    commit_evidence: str


@dataclass(frozen=True)
class AppliedEntry:
    """What `Store.apply` made of one ledger entry."""

    txid: TxID
    writes: Writes  # public, and private if it could be decrypted
    is_signature: bool
    raw: bytes
    private_pending: bool  # has a private domain that could not be decrypted yet


class _Table:
    """One table: for each key its versions (seqno, value or None for removed), oldest first."""

    __slots__ = ("last_write", "rows")

    def __init__(self) -> None:
        self.rows: dict[bytes, list[tuple[int, bytes | None]]] = {}
        self.last_write = 0  # of any key; may be that of an entry rolled back since


class Tx:
    """A read-write transaction on a snapshot of the store; its own writes are visible to it.

    Reads raise SnapshotGone once the store has moved on so far that the snapshot is lost.
    """

    writes: Writes

    def __init__(self, store: Store, snapshot: int) -> None:
        self.writes = {}
        self._store = store
        self._snapshot = snapshot
        self._rollbacks = store._rollbacks
        self._read_keys: set[tuple[str, bytes]] = set()
        self._read_tables: set[str] = set()

    @property
    def snapshot(self) -> int:
        """Seqno this transaction reads at."""
        return self._snapshot

    def get(self, table: str, key: bytes) -> bytes | None:
        written = self.writes.get(table)
        if written is not None and key in written:
            return written[key]
        version = self._version(table, key)
        return None if version is None else version[1]

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self.writes.setdefault(table, {})[key] = value

    def remove(self, table: str, key: bytes) -> None:
        """Remove `key`; nothing is written if the store does not hold it."""
        if self._version(table, key) is not None:
            self.writes.setdefault(table, {})[key] = None
        elif table in self.writes:
            self.writes[table].pop(key, None)

    def items(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        """The rows as they are now, ordered by key."""
        self._check(table)
        self._read_tables.add(table)
        stored = self._store._tables.get(table)
        rows: dict[bytes, bytes | None] = {}
        if stored is not None:
            for key, versions in stored.rows.items():
                version = _at(versions, self._snapshot)
                if version is not None:
                    rows[key] = version[1]
        rows.update(self.writes.get(table, {}))
        return iter([(key, value) for key, value in sorted(rows.items()) if value is not None])

    def version_of(self, table: str, key: bytes) -> int | None:
        """Seqno of the last write of `key` ("last_written"); None if absent."""
        version = self._version(table, key)
        return None if version is None else version[0]

    def _version(self, table: str, key: bytes) -> tuple[int, bytes] | None:
        self._check(table)
        self._read_keys.add((table, key))
        stored = self._store._tables.get(table)
        versions = None if stored is None else stored.rows.get(key)
        version = None if versions is None else _at(versions, self._snapshot)
        if version is None or version[1] is None:
            return None
        return version[0], version[1]

    def _check(self, table: str) -> None:
        store = self._store
        if self._rollbacks != store._rollbacks:
            raise SnapshotGone(f"rolled back since the transaction began at {self._snapshot}")
        if self._snapshot < store.compacted:
            stored = store._tables.get(table)
            if stored is not None and stored.last_write > self._snapshot:
                raise SnapshotGone(f"{table} at {self._snapshot} is compacted")


class Store:
    """The whole state of one node, by version. A fresh one is at 0.0.

    `secrets` are consulted at each entry: private domains whose key is missing are left out (`private_pending`) until
    `apply_private`. The Merkle tree follows the entries.
    """

    current: TxID  # last applied
    compacted: int  # globally committed seqno
    secrets: LedgerSecrets
    tree: MerkleTree  # of the entries up to `current`

    def __init__(self, secrets: LedgerSecrets) -> None:
        self.current = TxID(0, 0)
        self.compacted = 0
        self.secrets = secrets
        self.tree = MerkleTree()
        self._tables: dict[str, _Table] = {}
        self._touched: dict[int, list[tuple[str, bytes]]] = {}  # by seqno, since `compacted`
        self._views: list[tuple[int, int]] = []  # (first seqno, view)
        self._signatures: list[TxID] = []
        self._rollbacks = 0

    def begin(self, *, committed: bool = False) -> Tx:
        """A transaction on the current state, or (committed=True) on the globally committed state."""
        return Tx(self, self.compacted if committed else self.current.seqno)

    def conflicts(self, tx: Tx) -> bool:
        """True if something `tx` read has been written since its snapshot."""
        if tx._rollbacks != self._rollbacks:
            return True
        if any(self._written_since(table, tx.snapshot) for table in tx._read_tables):
            return True
        for table, key in tx._read_keys:
            if not self._written_since(table, tx.snapshot):
                continue
            versions = self._tables[table].rows.get(key)
            if versions is None:
                if tx.snapshot < self.compacted:
                    return True  # may have been there, and removed and compacted since
            elif versions[-1][0] > tx.snapshot:
                return True
        return False

    def prepare(
        self, writes: Mapping[str, Mapping[bytes, bytes | None]], view: int, *, flags: EntryFlags = EntryFlags.NONE
    ) -> Entry:
        """Serialise `writes` as the next entry (current.seqno + 1); does not apply it.

        `flags` ask the ledger to end its chunk: before the entry (the create transaction of a recovery) or after it
        (signatures only). Raises LookupError if no ledger secret covers the seqno.
        """
        txid = TxID(view, self.current.seqno + 1)
        key = self.secrets.key_for(txid.seqno)
        if key is None:
            raise LookupError(f"no ledger secret for {txid}")
        evidence = commit_evidence(key, str(txid))
        public, private = _changes(writes)
        domain = ledger_format.encode_public_domain(
            PublicDomain(txid.seqno, ledger_format.NO_CLAIMS, sha256(evidence.encode()).digest(), public)
        )
        iv = ledger_format.gcm_iv(txid.view, txid.seqno)
        tag, sealed = seal(key, iv, ledger_format.encode_tables(private), domain)
        raw = ledger_format.encode_entry(RawEntry(flags, tag, iv, domain, sealed))
        return Entry(txid, raw, {name: dict(rows) for name, rows in writes.items()}, evidence)

    def prepare_signature(self, view: int, signer: Signer, *, flags: EntryFlags = EntryFlags.NONE) -> Entry:
        """The next entry as a signature over everything before it; as `prepare` otherwise."""
        writes = merkle.signature_writes(self.tree, view, signer, previous_signature=self.last_signed.seqno)
        return self.prepare(writes, view, flags=flags)

    def apply(self, entry: bytes) -> AppliedEntry:
        """Deserialise one entry and append it; signatures are verified.

        Raises ledger_format.MalformedEntry, merkle.BadSignature, ledger_crypto.DecryptionFailed, OutOfOrder; the store
        is then unchanged.
        """
        raw = ledger_format.decode_entry(entry)
        domain = ledger_format.decode_public_domain(raw.public_domain)
        txid = TxID(raw.view, raw.seqno)
        if domain.seqno != txid.seqno:
            raise MalformedEntry(f"public domain of {domain.seqno} in entry {txid}")
        if txid.seqno != self.current.seqno + 1 or txid.view < self.current.view:
            raise OutOfOrder(f"{txid} does not follow {self.current}")
        tables, private_pending = self._readable_tables(raw, domain)
        writes = _writes(tables)
        is_signature = self._check_signature(writes)

        touched = self._touched[txid.seqno] = []
        for name, rows in writes.items():
            table = self._tables.get(name)
            if table is None:
                table = self._tables[name] = _Table()
            table.last_write = txid.seqno
            for key, value in rows.items():
                table.rows.setdefault(key, []).append((txid.seqno, value))
                touched.append((name, key))
        self.tree.append(ledger_format.leaf(entry, domain))
        if not self._views or self._views[-1][1] != txid.view:
            self._views.append((txid.seqno, txid.view))
        if is_signature:
            self._signatures.append(txid)
        self.current = txid
        return AppliedEntry(txid, writes, is_signature, entry, private_pending)

    def apply_private(self, entry: bytes) -> None:
        """Private recovery: decrypt an entry that was applied publicly before, and merge its private writes.

        Raises MalformedEntry if it is not the entry applied before, DecryptionFailed also if its secret is not known.
        """
        raw = ledger_format.decode_entry(entry)
        domain = ledger_format.decode_public_domain(raw.public_domain)
        seqno = domain.seqno
        if seqno >= self.tree.size or self.tree.leaf(seqno) != ledger_format.leaf(entry, domain):
            raise MalformedEntry(f"not the entry that was applied at {seqno}")
        key = self.secrets.key_for(seqno)
        if key is None:
            raise DecryptionFailed(f"no ledger secret for {seqno}")
        plain = open_sealed(key, raw.gcm_iv, raw.gcm_tag, raw.private_domain, raw.public_domain)
        for name, rows in _writes(ledger_format.decode_tables(plain)).items():
            table = self._tables.setdefault(name, _Table())
            table.last_write = max(table.last_write, seqno)
            for row_key, value in rows.items():
                versions = table.rows.setdefault(row_key, [])
                place = bisect_right(versions, seqno, key=lambda version: version[0])
                if not (place and versions[place - 1][0] == seqno):
                    versions.insert(place, (seqno, value))
                if seqno > self.compacted:
                    self._touched.setdefault(seqno, []).append((name, row_key))
                self._forget_before(table, row_key, self.compacted)

    def rollback(self, seqno: int) -> None:
        """Undo every entry after `seqno`. Raises ValueError below the compacted point."""
        if seqno < self.compacted:
            raise ValueError(f"cannot roll back to {seqno}: compacted up to {self.compacted}")
        if seqno >= self.current.seqno:
            return
        for undone in range(self.current.seqno, seqno, -1):
            for name, key in self._touched.pop(undone, ()):
                rows = self._tables[name].rows
                versions = rows.get(key)
                if versions and versions[-1][0] == undone:
                    versions.pop()
                    if not versions:
                        del rows[key]
        self.tree.retract(seqno)
        while self._signatures and self._signatures[-1].seqno > seqno:
            self._signatures.pop()
        while self._views and self._views[-1][0] > seqno:
            self._views.pop()
        self.current = TxID(self._views[-1][1], seqno) if self._views else TxID(0, 0)
        self.secrets.rollback(seqno)
        self._rollbacks += 1

    def compact(self, seqno: int) -> None:
        """Everything up to `seqno` is globally committed; older versions are forgotten."""
        seqno = min(seqno, self.current.seqno)
        for done in range(self.compacted + 1, seqno + 1):
            for name, key in self._touched.pop(done, ()):
                self._forget_before(self._tables[name], key, seqno)
        self.compacted = max(self.compacted, seqno)

    def view_at(self, seqno: int) -> int | None:
        """View of the entry at `seqno`; None if beyond the end or before the start."""
        if not 1 <= seqno <= self.current.seqno:
            return None
        return self._views[bisect_right(self._views, seqno, key=lambda start: start[0]) - 1][1]

    @property
    def last_signed(self) -> TxID:
        """TxID of the newest signature entry present (committed or not); (0, 0) if none."""
        return self._signatures[-1] if self._signatures else TxID(0, 0)

    def _written_since(self, table: str, seqno: int) -> bool:
        stored = self._tables.get(table)
        return stored is not None and stored.last_write > seqno

    def _readable_tables(self, raw: RawEntry, domain: PublicDomain) -> tuple[tuple[TableChanges, ...], bool]:
        key = self.secrets.key_for(domain.seqno)
        if key is None:
            return domain.tables, bool(raw.private_domain)
        plain = open_sealed(key, raw.gcm_iv, raw.gcm_tag, raw.private_domain, raw.public_domain)
        return domain.tables + ledger_format.decode_tables(plain), False

    def _check_signature(self, writes: Writes) -> bool:
        rows = writes.get(merkle.SIGNATURES)
        if rows is None:
            return False
        if not writes.keys() <= merkle.SIGNATURE_TABLES:
            raise MalformedEntry(
                f"a signature transaction also writes {sorted(writes.keys() - merkle.SIGNATURE_TABLES)}"
            )
        value = rows.get(ledger_format.SINGLETON_KEY)
        if value is None:
            raise MalformedEntry("a signature transaction without signature")
        merkle.verify_signature(self.tree, value)
        return True

    @staticmethod
    def _forget_before(table: _Table, key: bytes, seqno: int) -> None:
        versions = table.rows.get(key)
        if versions is None:
            return
        kept = bisect_right(versions, seqno, key=lambda version: version[0]) - 1
        if kept > 0:
            del versions[:kept]
        if len(versions) == 1 and versions[0][1] is None and versions[0][0] <= seqno:
            del table.rows[key]


def _at(versions: list[tuple[int, bytes | None]], seqno: int) -> tuple[int, bytes | None] | None:
    if versions[-1][0] <= seqno:
        return versions[-1]
    place = bisect_right(versions, seqno, key=lambda version: version[0])
    return versions[place - 1] if place else None


def _changes(
    writes: Mapping[str, Mapping[bytes, bytes | None]],
) -> tuple[tuple[TableChanges, ...], tuple[TableChanges, ...]]:
    """Public and private changes, ordered as CCF orders them: tables by name, keys by bytes."""
    public: list[TableChanges] = []
    private: list[TableChanges] = []
    for name in sorted(writes):
        rows = sorted(writes[name].items())
        if rows:
            written = tuple((key, value) for key, value in rows if value is not None)
            removed = tuple(key for key, value in rows if value is None)
            domain = public if name.startswith(ledger_format.PUBLIC_PREFIX) else private
            domain.append(TableChanges(name, written, removed))
    return tuple(public), tuple(private)


def _writes(tables: tuple[TableChanges, ...]) -> Writes:
    writes: Writes = {}
    for table in tables:
        rows = writes.setdefault(table.name, {})
        rows.update(table.writes)
        rows.update(dict.fromkeys(table.removes))
    return writes
