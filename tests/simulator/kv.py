"""The replicated key-value store of a node: versions, rollback, compaction, transactions (CCF facts §4.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from simulator.ledger_crypto import LedgerSecrets
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
        raise NotImplementedError


class OutOfOrder(Exception):
    """An entry that does not follow the last applied one (seqno + 1, same or later view)."""


class SnapshotGone(Exception):
    """A transaction reads at a seqno that is no longer kept: compacted since, or rolled back."""


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


class Tx:
    """A read-write transaction on a snapshot of the store; its own writes are visible to it."""

    writes: Writes

    @property
    def snapshot(self) -> int:
        """Seqno this transaction reads at."""
        raise NotImplementedError

    def get(self, table: str, key: bytes) -> bytes | None:
        raise NotImplementedError

    def put(self, table: str, key: bytes, value: bytes) -> None:
        raise NotImplementedError

    def remove(self, table: str, key: bytes) -> None:
        raise NotImplementedError

    def items(self, table: str) -> Iterator[tuple[bytes, bytes]]:
        raise NotImplementedError

    def version_of(self, table: str, key: bytes) -> int | None:
        """Seqno of the last write of `key` ("last_written"); None if absent."""
        raise NotImplementedError


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
        raise NotImplementedError

    def begin(self, *, committed: bool = False) -> Tx:
        """A transaction on the current state, or (committed=True) on the globally committed state."""
        raise NotImplementedError

    def conflicts(self, tx: Tx) -> bool:
        """True if something `tx` read has been written since its snapshot."""
        raise NotImplementedError

    def prepare(self, writes: Mapping[str, Mapping[bytes, bytes | None]], view: int) -> Entry:
        """Serialise `writes` as the next entry (current.seqno + 1); does not apply it. Raises LookupError without a secret."""
        raise NotImplementedError

    def prepare_signature(self, view: int, signer: Signer, *, force_chunk_after: bool = False) -> Entry:
        """The next entry as a signature over everything before it; `force_chunk_after` ends the ledger chunk with it."""
        raise NotImplementedError

    def apply(self, entry: bytes) -> AppliedEntry:
        """Deserialise one entry and append it; signatures are verified.

        Raises ledger_format.MalformedEntry, merkle.BadSignature, ledger_crypto.DecryptionFailed, OutOfOrder; the store is then
        unchanged.
        """
        raise NotImplementedError

    def apply_private(self, entry: bytes) -> None:
        """Private recovery: decrypt an entry that was applied publicly before, and merge its private writes.

        Raises MalformedEntry if it is not the entry applied before, DecryptionFailed (also if its secret is not known).
        """
        raise NotImplementedError

    def rollback(self, seqno: int) -> None:
        raise NotImplementedError

    def compact(self, seqno: int) -> None:
        raise NotImplementedError

    def view_at(self, seqno: int) -> int | None:
        """View of the entry at `seqno`; None if beyond the end or before the start."""
        raise NotImplementedError

    @property
    def last_signed(self) -> TxID:
        """TxID of the newest signature entry present (committed or not); (0, 0) if none."""
        raise NotImplementedError
