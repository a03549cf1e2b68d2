"""Reading a ledger back into a store: the public replay of `Recover`, and private recovery (CCF facts §4.3, §8.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulator.kv import AppliedEntry, OutOfOrder, Store, TxID
from simulator.ledger import LedgerDirectory, LedgerError, NoEntry
from simulator.ledger_crypto import DecryptionFailed
from simulator.ledger_format import MalformedEntry, split_entries
from simulator.merkle import BadSignature

log = logging.getLogger(__name__)

BATCH_SIZE = 100
"""Entries CCF asks its host for at once. A missing file loses the whole batch that touches it."""
STARTING_VIEW_CHANGE = 2


@dataclass(frozen=True)
class RecoveredPoint:
    """Where the public replay of a ledger ended."""

    last_signed: TxID
    problem: str | None  # what ended the replay, if it was not the end of the ledger

    @property
    def create(self) -> TxID:
        """TxID of the create transaction of the recovered service: (view + 2, seqno + 1)."""
        return TxID(self.last_signed.view + STARTING_VIEW_CHANGE, self.last_signed.seqno + 1)


class PublicReplay:
    """A `Recover` node's reading of its ledger, batch by batch.

    `store` must be fresh and know no ledger secrets; it is compacted at each signature, and `store.last_signed` may be
    read between steps. `on_applied` is told of every entry applied, also of those that `finish` rolls back again.
    """

    def __init__(
        self, ledger: LedgerDirectory, store: Store, on_applied: Callable[[AppliedEntry], None] = lambda _: None
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._on_applied = on_applied
        self._problem: str | None = None

    def step(self) -> bool:
        """Apply the next batch; False at the end or at a bad entry. Raises LedgerError where a node aborts."""
        first = self._store.current.seqno + 1
        try:
            batch = self._ledger.read_range(first, first + BATCH_SIZE - 1)
        except NoEntry as error:
            if first <= self._ledger.last:
                self._problem = str(error)
            return False
        for entry in _entries(batch):
            try:
                applied = self._store.apply(entry)
            except (MalformedEntry, BadSignature, OutOfOrder) as error:
                log.error("Failed to deserialise public ledger entry: %s", error)
                self._problem = str(error)
                return False
            self._on_applied(applied)
            if applied.is_signature:
                self._store.compact(applied.txid.seqno)
        return True

    def finish(self) -> RecoveredPoint:
        """Cut store and ledger back to the last signature; the ledger writes *.recovery chunks from now on.

        Raises LedgerError if no signature was found: a node aborts.
        """
        signed = self._store.last_signed
        if not signed.seqno:
            raise LedgerError("No signature found after recovery")
        self._store.rollback(signed.seqno)
        self._ledger.begin_recovery(signed.seqno)
        log.info("End of public ledger recovery - Truncating ledger to last signed TxID: %s", signed)
        return RecoveredPoint(signed, self._problem)


def replay_public(ledger: LedgerDirectory, store: Store) -> RecoveredPoint:
    """The whole public replay at once; see PublicReplay."""
    replay = PublicReplay(ledger, store)
    while replay.step():
        pass
    return replay.finish()


def replay_private(ledger: LedgerDirectory, store: Store, target: int) -> Iterator[int]:
    """Private recovery: merge the private writes of entries 1..`target`; the old secrets are in `store.secrets` by now.

    Yields the last recovered seqno after each batch. Raises LedgerError where a node aborts: the host's ledger is
    not the one that was replayed publicly, or a secret is wrong.
    """
    seqno = 0
    while seqno < target:
        try:
            batch = ledger.read_range(seqno + 1, min(seqno + BATCH_SIZE, target))
            for entry in _entries(batch):
                store.apply_private(entry)
                seqno += 1
        except (NoEntry, MalformedEntry, DecryptionFailed) as error:
            log.error("Failed to deserialise private ledger entry: %s", error)
            raise LedgerError(f"Private recovery did not reach public ledger seqno: {seqno}/{target}") from error
        yield seqno


def _entries(batch: bytes) -> Iterator[bytes]:
    entries = split_entries(batch)
    while True:
        try:
            entry = next(entries)
        except StopIteration:
            return
        except MalformedEntry as error:
            raise LedgerError(f"cannot tell the entries apart: {error}") from error
        yield entry
