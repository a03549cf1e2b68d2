"""A node's ledger directory: CCF's host ledger over real files (CCF facts §4)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from simulator.ledger_file import COMMITTED, IGNORED, RECOVERY, LedgerFile, LedgerFileError, first_seqno, last_seqno
from simulator.ledger_format import EntryFlags, entry_flags

log = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
_MAX_READ_CACHE_FILES = 5


class LedgerError(Exception):
    """The host ledger cannot go on; a CCF node ends with SIGABRT (134)."""


class NoEntry(LedgerError):
    """No file holds the entry asked for ("Cannot find ledger file for seqno N")."""


def is_empty(directory: Path) -> bool:
    """True if a Start node may use `directory`: absent or without any file (else it exits 105)."""
    return not directory.exists() or not any(directory.iterdir())


class LedgerDirectory:
    """The main directory, written and read, and read-only ones.

    Opening does what a node does at its start (CCF facts §4.2): it may rename and cut files of the main directory, and
    creates it if absent. Blocking file IO. Nothing is ever fsynced; entries reach the file at the next signature at the
    latest. Every method raises LedgerError where a CCF node would abort.
    """

    def __init__(self, directory: Path, read_only: Sequence[Path] = (), *, chunk_size: int = 5 * MEGABYTE) -> None:
        self._directory = directory
        self._read_only = tuple(read_only)
        self._chunk_size = chunk_size
        self._files: list[LedgerFile] = []  # not yet committed, or of a recovery; the last one is written
        self._read_cache: list[LedgerFile] = []
        self._last = 0
        self._committed = 0
        self._recovery_start: int | None = None
        self._replay_until: int | None = None  # compare with existing files up to here
        for path in self._read_only:
            self._find_committed(path)
        if directory.is_dir():
            self._open_main_directory()
        else:
            directory.mkdir()
        log.info("Recovered ledger entries up to %d, committed to %d", self._last, self._committed)

    @property
    def last(self) -> int:
        """Seqno of the last entry the host counts; 0 if none."""
        return self._last

    @property
    def committed(self) -> int:
        """Seqno up to which the host refuses to truncate."""
        return self._committed

    def read(self, seqno: int) -> bytes:
        """One entry. Raises NoEntry."""
        return self.read_range(seqno, seqno)

    def read_range(self, first: int, last: int) -> bytes:
        """The bytes of entries `first`..`last`, cut at the host's end and where a damaged file ends.

        Raises NoEntry if there is none, and also if the file of any of them is missing or cannot be opened.
        """
        last = min(last, self._last)
        data = []
        seqno = first
        while 0 < seqno <= last:
            file = self._file_to_read(seqno)
            if file is None:
                log.error("Cannot find ledger file for seqno %d", seqno)
                raise NoEntry(f"Cannot find ledger file for seqno {seqno}")
            end = min(file.last, last)
            try:
                part = file.read(seqno, end)
            except LedgerFileError as error:
                raise LedgerError(str(error)) from error
            if part is None:
                break
            data.append(part)
            seqno = end + 1
        if not data:
            raise NoEntry(f"no entries {first} - {last}")
        return b"".join(data)

    def append(self, entry: bytes) -> None:
        """Write the next entry, not a signature."""
        if entry_flags(entry) & EntryFlags.FORCE_CHUNK_AFTER:
            raise LedgerError("Ledger chunks cannot end in a non-committable transaction")
        self._write(entry)

    def append_signature(self, entry: bytes) -> None:
        """Write the next entry, a signature, through to the file; ends the chunk if it is large or the flags say so."""
        file = self._write(entry)
        file.flush()
        if entry_flags(entry) & EntryFlags.FORCE_CHUNK_AFTER or file.size >= self._chunk_size:
            file.finish()
            log.debug("Ledger chunk completed at %d", self._last)

    def commit(self, seqno: int) -> None:
        """Everything up to `seqno` is committed: chunks that ended at or before it become ledger_a-b.committed."""
        if seqno <= self._committed or seqno > self._last:
            return
        begin = self._index_holding(self._committed or 1)
        end = self._index_holding(seqno)
        done = [
            file
            for place, file in enumerate(self._files[begin : end + 1], begin)
            if file.commit(seqno if place == end else file.last)
        ]
        self._drop(done)
        self._committed = seqno

    def truncate(self, seqno: int) -> None:
        """Remove the entries after `seqno`; does nothing below the committed point."""
        if seqno >= self._last or seqno < self._committed:
            return
        begin = self._index_holding(seqno + 1)
        end = self._index_holding(self._last)
        gone = [
            file
            for place, file in enumerate(self._files[begin : end + 1], begin)
            if file.truncate(seqno if place == begin else file.start - 1)
        ]
        self._drop(gone)
        self._last = seqno

    def begin_recovery(self, seqno: int) -> None:
        """Recover: truncate to the last signature `seqno`; from now on new chunks are *.recovery."""
        self.truncate(seqno)
        self._recovery_start = seqno

    def complete_recovery(self) -> None:
        """The opening of the recovered service is globally committed: drop the .recovery suffixes, file by file."""
        log.info("Ledger complete recovery")
        for file in [file for file in self._files if file.recovery]:
            file.open_recovered()
            if file.committed:
                self._drop([file])
        self._recovery_start = None

    def begin_join(self, seqno: int, *, recovered_up_to: int = 0) -> None:
        """Join: restart at `seqno` (0 without snapshot); later files are compared with what comes (CCF facts §4.3).

        `recovered_up_to` is the last signature the service was recovered from while it is not open yet, else 0: chunks
        that begin after it are *.recovery.
        """
        for path in sorted(self._directory.iterdir()):
            if path.name.endswith(COMMITTED) and self._first_seqno(path) > seqno:
                uncommitted = f"ledger_{self._first_seqno(path)}"
                log.info("Remove committed suffix from ledger file %s after init at %d", path.name, seqno)
                path.rename(path.with_name(uncommitted))
        self._drop(list(self._files))
        self._replay_until = self._last
        self._last = self._committed = seqno
        self._recovery_start = recovered_up_to or None

    def close(self) -> None:
        """Close the files as the end of the process would: what was buffered is written."""
        for file in self._files + self._read_cache:
            file.close()
        self._files.clear()
        self._read_cache.clear()

    def _find_committed(self, directory: Path) -> None:
        if not directory.is_dir():
            raise LedgerError(f"{directory} read-only ledger is not a directory")
        for path in directory.iterdir():
            if path.name.endswith(COMMITTED):
                try:
                    last = last_seqno(path.name)
                except LedgerFileError as error:
                    raise LedgerError(str(error)) from error
                if last is not None and last > self._last:
                    self._last = self._committed = last

    def _open_main_directory(self) -> None:
        for path in sorted(self._directory.iterdir()):
            if path.name.endswith((RECOVERY, IGNORED)):
                log.info("Ignoring ledger file %s in main ledger directory", path.name)
                _set_aside(path)
                continue
            try:
                file = LedgerFile.open_to_write(path)
            except (LedgerFileError, OSError) as error:
                log.error("Error reading ledger file %s: %s", path.name, error)
                _set_aside(path)
                continue
            if file.cut_torn_end():
                log.error("Removed ledger file %s", path.name)
            else:
                self._files.append(file)
        if not self._files:
            return
        self._files.sort(key=lambda file: file.last)
        self._last = max(self._last, self._files[-1].last)
        committed = [file for file in self._files if file.committed]
        self._committed = max([self._committed, *(file.last for file in committed)])
        self._drop(committed)

    def _write(self, entry: bytes) -> LedgerFile:
        flags = entry_flags(entry)
        if flags & EntryFlags.FORCE_CHUNK_BEFORE and self._files:
            self._files[-1].finish()
        file = self._files[-1] if self._files and not self._files[-1].complete else self._next_file()
        diverged = file.write(entry)
        self._last = file.last
        if diverged:
            log.info("Found divergent ledger entry at %d", self._last)
            self._delete_files_after(self._last)
            self._replay_until = None
        if self._replay_until is not None and self._last > self._replay_until:
            self._replay_until = None
        return file

    def _next_file(self) -> LedgerFile:
        start = self._last + 1
        file = self._existing_file(start) if self._replay_until is not None else None
        if file is None:
            recovery = self._recovery_start is not None and start > self._recovery_start
            try:
                file = LedgerFile.create(self._directory / f"ledger_{start}{RECOVERY if recovery else ''}", start)
            except LedgerFileError as error:
                raise LedgerError(str(error)) from error
        self._files.append(file)
        return file

    def _existing_file(self, start: int) -> LedgerFile | None:
        found = [path for path in sorted(self._directory.iterdir()) if self._first_seqno(path) == start]
        for path in found:
            if not path.name.endswith((RECOVERY, IGNORED)):
                return LedgerFile.open_to_replay(path)
        return None

    def _delete_files_after(self, seqno: int) -> None:
        for path in sorted(self._directory.iterdir()):
            if self._first_seqno(path) > seqno:
                log.info("Forcing removal of ledger file %s after divergence at %d", path.name, seqno)
                path.unlink()

    def _first_seqno(self, path: Path) -> int:
        try:
            return first_seqno(path.name)
        except LedgerFileError as error:
            raise LedgerError(str(error)) from error

    def _index_holding(self, seqno: int) -> int:
        return next((place for place, file in enumerate(self._files) if seqno <= file.last), len(self._files))

    def _file_to_read(self, seqno: int) -> LedgerFile | None:
        # CCF takes the last written file that starts at or before the seqno, even one that ends before it: a stale file
        # hides the committed ones after it (CCF facts §4.3).
        for file in reversed(self._files):
            if seqno >= file.start:
                return file
        for file in self._read_cache:
            if file.start <= seqno <= file.last:
                return file
        path = self._committed_path(seqno)
        if path is None:
            return None
        try:
            file = LedgerFile.open_to_read(path)
        except (LedgerFileError, OSError) as error:
            log.error("Could not open ledger file %s to read seqno %d: %s", path.name, seqno, error)
            return None
        self._read_cache.append(file)
        if len(self._read_cache) > _MAX_READ_CACHE_FILES:
            self._read_cache.pop(0).close()
        return file

    def _committed_path(self, seqno: int) -> Path | None:
        # Recovery chunks of this node are read too: its private recovery needs them.
        for directory in (self._directory, *self._read_only):
            unread: tuple[str, ...] = (IGNORED,) if directory is self._directory else (IGNORED, RECOVERY)
            for path in sorted(directory.iterdir()):
                if not path.name.endswith(unread) and _holds(path.name, seqno):
                    return path
        return None

    def _drop(self, files: list[LedgerFile]) -> None:
        for file in files:
            file.close()
            self._files.remove(file)


def _holds(name: str, seqno: int) -> bool:
    try:
        last = last_seqno(name)
        return last is not None and first_seqno(name) <= seqno <= last
    except LedgerFileError:
        return False


def _set_aside(path: Path) -> None:
    if not path.name.endswith(IGNORED):
        path.rename(path.with_name(path.name + IGNORED))
