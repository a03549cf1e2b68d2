"""A node's ledger directory: CCF's host ledger over real files (CCF facts §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.kv import Store, TxID

MEGABYTE = 1024 * 1024


class LedgerError(Exception):
    """The host ledger cannot go on; a CCF node ends with SIGABRT (134)."""


class NoEntry(LedgerError):
    """No file holds the entry asked for ("Cannot find ledger file for seqno N")."""


def is_empty(directory: Path) -> bool:
    """True if a Start node may use `directory`: absent or without any file (else it exits 105)."""
    raise NotImplementedError


class LedgerDirectory:
    """The main directory, written and read, and read-only ones.

    Opening does what a node does at its start (CCF facts §4.2) and may rename and cut files in the main directory. Raises
    LedgerError if a read-only directory is none. Blocking file IO; nothing is ever fsynced; entries reach the file at the next
    signature at the latest.
    """

    def __init__(self, directory: Path, read_only: Sequence[Path] = (), *, chunk_size: int = 5 * MEGABYTE) -> None:
        raise NotImplementedError

    @property
    def last(self) -> int:
        """Seqno of the last entry the host counts; 0 if none."""
        raise NotImplementedError

    @property
    def committed(self) -> int:
        """Seqno up to which the host refuses to truncate."""
        raise NotImplementedError

    def read(self, seqno: int) -> bytes:
        """One entry. Raises NoEntry."""
        raise NotImplementedError

    def read_range(self, first: int, last: int) -> list[bytes]:
        """Entries `first`..`last` (cut at the host's end, or where a damaged file ends). Raises NoEntry if a file is missing."""
        raise NotImplementedError

    def append(self, entry: bytes) -> None:
        """Write the next entry, not a signature."""
        raise NotImplementedError

    def append_signature(self, entry: bytes) -> None:
        """Write the next entry, a signature: flushed, and the chunk is closed after it if large enough or asked by its flags."""
        raise NotImplementedError

    def commit(self, seqno: int) -> None:
        """Everything up to `seqno` is committed: closed chunks that end at or before it become ledger_a-b.committed."""
        raise NotImplementedError

    def truncate(self, seqno: int) -> None:
        """Remove the entries after `seqno`; does nothing below the committed point."""
        raise NotImplementedError

    def begin_recovery(self, seqno: int) -> None:
        """Recover: truncate to the last signature `seqno`; from now on new chunks are *.recovery."""
        raise NotImplementedError

    def complete_recovery(self) -> None:
        """The recovered service is open (committed): drop the .recovery suffixes, file by file."""
        raise NotImplementedError

    def begin_join(self, seqno: int) -> None:
        """Join: restart at `seqno` (0 without snapshot); later files are compared with what comes (CCF facts §4.3)."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the files as a process end would (buffered entries are written)."""
        raise NotImplementedError


@dataclass(frozen=True)
class RecoveredPoint:
    """Where the public replay of a ledger ended."""

    last_signed: TxID
    problem: str | None  # what ended the replay, if it was not the end of the ledger

    @property
    def create(self) -> TxID:
        """TxID of the create transaction of the recovered service: (view + 2, seqno + 1)."""
        return TxID(self.last_signed.view + 2, self.last_signed.seqno + 1)


def replay_public(ledger: LedgerDirectory, store: Store) -> RecoveredPoint:
    """Apply public entries from 1 to the end or the first bad one, then roll store and ledger back to the last signature.

    `store` must be empty and know no ledger secrets. Afterwards the ledger writes *.recovery chunks. Raises LedgerError if no
    signature was found (a node aborts).
    """
    raise NotImplementedError
