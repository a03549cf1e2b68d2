"""Surveying a ledger offline, read-only: what it holds, whether it is whole, whose it is.

CCF itself does not notice, or does not say, much of what can be wrong with a ledger (CCF facts §4.6). The survey reads
every entry, follows the Merkle tree to each signature and verifies signatures, as CCF's own offline reader does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccf_operator.ccf.ledger_entries import Damaged, Entry, TornTail, read_entries
from ccf_operator.ccf.ledger_files import LedgerFile, Lineage, read_lineage
from ccf_operator.ccf.ledger_signatures import SIGNATURES_TABLE, BadSignature, parse_signature, verify_signature
from ccf_operator.ccf.merkle_root import MerkleRoot
from ccf_operator.ccf.public_state import PUBLIC_STATE_TABLES, Configuration, PublicState, ServiceRow, Unreadable
from ccf_operator.domain.txid import TxID

_TABLES = (SIGNATURES_TABLE, *PUBLIC_STATE_TABLES)
Progress = Callable[[LedgerFile, int], None]
"""Told of each file before it is read (0), and now and then up to which byte it has been."""

_TELL_AFTER = 64
"""Entries that are read between two words of progress."""


@dataclass(frozen=True)
class Survey:
    """What a ledger holds.

    last_signed: the last signature up to which everything is proven whole: what a recovery will reach. last_entry:
    the last entry read. committed_end: the last seqno that a committed file's name claims. sound: nothing is damaged
    or missing; a torn tail, left by a killed writer, is a problem but no damage. configurations: the Trusted nodes
    after their last changes, signed or not. recovery_count, service_key, service_certificate (PEM), opened: of the
    service as of last_signed; opened: it was `Open` before that signature, so it may have been open to clients.
    """

    last_signed: TxID | None
    last_entry: TxID | None
    committed_end: int
    sound: bool
    problems: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    recovery_count: int | None
    service_key: str | None
    service_certificate: str | None
    opened: bool

    def to_json(self) -> dict[str, Any]:
        """As in the report of `stage`, which has no room for the certificate."""
        return {
            "lastSigned": None if self.last_signed is None else str(self.last_signed),
            "lastEntry": None if self.last_entry is None else str(self.last_entry),
            "committedEnd": self.committed_end,
            "sound": self.sound,
            "problems": list(self.problems),
            "configurations": [sorted(c.nodes) for c in self.configurations],
            "configurationSeqnos": [c.seqno for c in self.configurations],
            "recoveryCount": self.recovery_count,
            "serviceKey": self.service_key,
            "opened": self.opened,
        }


def survey(ledgers: Sequence[Path], progress: Progress = lambda _file, _offset: None) -> Survey:
    """Survey the ledger in these directories of one lineage, oldest generation first.

    Never raises for what the files hold; what cannot be read is damage. Raises OSError if a directory cannot be listed.
    """
    return survey_lineage(read_lineage(ledgers), progress)


def survey_lineage(lineage: Lineage, progress: Progress = lambda _file, _offset: None) -> Survey:
    """Survey the files of a lineage."""
    walk = _Walk(lineage)
    problems = list(lineage.set_aside)
    sound = True
    try:
        walk.run(progress)
    except TornTail as torn:
        problems.append(str(torn))
    except (Damaged, OSError) as damage:
        problems.append(str(damage))
        sound = False
    if sound and walk.signed_seqno < lineage.committed_end:
        problems.append(f"proven only up to {walk.signed_seqno}, committed files reach to {lineage.committed_end}")
        sound = False
    service = walk.signed_service
    return Survey(
        last_signed=walk.last_signed,
        last_entry=walk.last_entry,
        committed_end=lineage.committed_end,
        sound=sound,
        problems=tuple(problems),
        configurations=walk.state.configurations,
        recovery_count=None if service is None else service.recovery_count,
        service_key=None if service is None else service.key,
        service_certificate=None if service is None else service.certificate,
        opened=service is not None and service.opened_at is not None and service.opened_at < walk.signed_seqno,
    )


class _Walk:
    """The state of one pass over a ledger."""

    def __init__(self, lineage: Lineage) -> None:
        self._files = [*lineage.committed, *lineage.tail]
        self._tree = MerkleRoot()
        self.state = PublicState()
        self.last_entry: TxID | None = None
        self.last_signed: TxID | None = None
        self.signed_service: ServiceRow | None = None

    @property
    def signed_seqno(self) -> int:
        return 0 if self.last_signed is None else self.last_signed.seqno

    def run(self, progress: Progress) -> None:
        """Read every file in order. Raises Damaged, TornTail (only of the last file), OSError."""
        following = 1
        while file := self._next(following):
            progress(file, 0)
            try:
                self._read(file, progress)
            except TornTail as torn:
                kind = Damaged if file.committed or self._beyond(file.first) else TornTail
                raise kind(f"{file.path.name}: {torn}") from torn
            except (Damaged, Unreadable, BadSignature) as damage:
                raise Damaged(f"{file.path.name}: {damage}") from damage
            after = following if self.last_entry is None else self.last_entry.seqno + 1
            if file.last is not None and after != file.last + 1:
                raise Damaged(f"{file.path.name}: it holds entries up to {after - 1} only")
            if after == following:
                break
            following = after
        missing = self._beyond(following)
        if missing:
            raise Damaged(f"entries {following} to {missing.first - 1} are missing before {missing.path.name}")

    def _next(self, seqno: int) -> LedgerFile | None:
        here = [f for f in self._files if f.first == seqno]
        return max(here, key=lambda f: (f.committed, f.last or 0), default=None)

    def _beyond(self, seqno: int) -> LedgerFile | None:
        return min((f for f in self._files if f.first > seqno), key=lambda f: f.first, default=None)

    def _read(self, file: LedgerFile, progress: Progress) -> None:
        size = file.path.stat().st_size
        with file.path.open("rb") as opened:
            for expected, entry in enumerate(read_entries(opened, size, _TABLES), start=file.first):
                if entry.seqno != expected or (self.last_entry is not None and entry.view < self.last_entry.view):
                    raise Damaged(f"found entry {entry.view}.{entry.seqno} where {expected} should be")
                self._add(entry, sealed=file.committed and entry.seqno != file.last)
                if entry.seqno % _TELL_AFTER == 0:
                    progress(file, opened.tell())
            progress(file, size)

    def _add(self, entry: Entry, *, sealed: bool) -> None:
        """`sealed`: a later signature in the same file covers this entry, so its own need not be verified."""
        self.state.apply(entry.seqno, entry.tables)
        signed = self._signature_in(entry, sealed)
        self._tree.append(entry.leaf)
        self.last_entry = TxID(entry.view, entry.seqno)
        if signed:
            self.last_signed = self.last_entry
            self.signed_service = self.state.service

    def _signature_in(self, entry: Entry, sealed: bool) -> bool:
        rows = [row for row in entry.tables.get(SIGNATURES_TABLE, {}).values() if row is not None]
        for row in rows:
            signature = parse_signature(row)
            if signature.tx_id != (entry.view, entry.seqno):
                raise BadSignature(f"entry {entry.view}.{entry.seqno} holds a signature of {signature.tx_id}")
            if signature.root != self._tree.root():
                since = "the beginning" if self.last_signed is None else str(self.last_signed)
                raise Damaged(f"entries since {since} are not what was signed at {entry.view}.{entry.seqno}")
            if not sealed:
                verify_signature(signature)
                if not self.state.knows(signature.signer):
                    raise BadSignature(f"node {signature.signer[:8]} is not of this service")
        return bool(rows)
