"""One chunk file of a ledger, read, written, cut and renamed as CCF does it (CCF facts §4.1, §4.2)."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import BinaryIO

from simulator.ledger_format import CHUNK_HEADER_SIZE, ENTRY_HEADER_SIZE

log = logging.getLogger(__name__)

COMMITTED = ".committed"
RECOVERY = ".recovery"
IGNORED = ".ignored"

_POSITION_SIZE = 4


class LedgerFileError(Exception):
    """The file cannot be used as a ledger file."""


def first_seqno(name: str) -> int:
    """Seqno a file begins with by its name; raises LedgerFileError if the name tells none."""
    return _number(name, "_")


def last_seqno(name: str) -> int | None:
    """Seqno a file ends with by its name; None if the name has no end; raises LedgerFileError if it cannot be read."""
    return _number(name, "-") if "-" in name else None


def _number(name: str, delimiter: str) -> int:
    found = re.match(r"\s*[+-]?\d+", name.partition(delimiter)[2])
    if found is None:
        raise LedgerFileError(f"Ledger file name {name} does not contain a seqno after {delimiter!r}")
    return int(found.group())


class LedgerFile:
    """A file open for reading or writing.

    Entries are buffered by the process until a signature, the next write or a read pushes them to the file.
    """

    def __init__(self, path: Path, stream: BinaryIO, start: int) -> None:
        self.path = path
        self.start = start
        self.committed = path.name.endswith(COMMITTED)
        self.complete = False
        self.recovery = False
        self._stream = stream
        self._positions: list[int] = []
        self._end = CHUNK_HEADER_SIZE
        self._replaying = False

    @classmethod
    def create(cls, path: Path, start: int) -> LedgerFile:
        """A new file; raises LedgerFileError if there is one of that name."""
        if path.exists():
            raise LedgerFileError(f"Cannot create new ledger file {path.name} as it already exists")
        file = cls(path, path.open("w+b"), start)
        file.recovery = path.name.endswith(RECOVERY)
        return file

    @classmethod
    def open_to_write(cls, path: Path) -> LedgerFile:
        """Read what the file holds; a torn entry at its end is left out. Raises LedgerFileError, OSError."""
        return cls._opened(path, path.open("r+b"))

    @classmethod
    def open_to_read(cls, path: Path) -> LedgerFile:
        """As `open_to_write`, for files that may be on a read-only file system."""
        return cls._opened(path, path.open("rb"))

    @classmethod
    def open_to_replay(cls, path: Path) -> LedgerFile:
        """Begin at the file's start again: what is written is first compared with what is there (CCF facts §4.3)."""
        file = cls(path, path.open("r+b"), first_seqno(path.name))
        file._replaying = True
        return file

    @classmethod
    def _opened(cls, path: Path, stream: BinaryIO) -> LedgerFile:
        try:
            file = cls(path, stream, first_seqno(path.name))
            file._read_positions()
        except BaseException:
            stream.close()
            raise
        return file

    def _read_positions(self) -> None:
        size = self._stream.seek(0, os.SEEK_END)
        self._stream.seek(0)
        header = self._stream.read(CHUNK_HEADER_SIZE)
        if len(header) != CHUNK_HEADER_SIZE:
            raise LedgerFileError(f"Failed to read positions offset from ledger file {self.path}")
        table = int.from_bytes(header, "little")
        if table > size:
            raise LedgerFileError(f"Invalid table offset {table} greater than total file size {size}")
        if table:
            self._stream.seek(table)
            count = (size - table) // _POSITION_SIZE
            data = self._stream.read(count * _POSITION_SIZE)
            self._positions = [
                int.from_bytes(data[at : at + _POSITION_SIZE], "little") for at in range(0, len(data), _POSITION_SIZE)
            ]
            self._end = table
            self.complete = True
        else:
            self._walk(size)

    def _walk(self, size: int) -> None:
        while size - self._end >= ENTRY_HEADER_SIZE:
            self._stream.seek(self._end)
            entry = ENTRY_HEADER_SIZE + int.from_bytes(self._stream.read(ENTRY_HEADER_SIZE)[2:], "little")
            if self._end + entry > size:
                log.error(
                    "Malformed incomplete ledger file %s at seqno %d (expecting entry of size %d, remaining %d)",
                    self.path,
                    self.last + 1,
                    entry,
                    size - self._end,
                )
                return
            self._positions.append(self._end)
            self._end += entry

    @property
    def last(self) -> int:
        """Seqno of the last entry; `start` - 1 if there is none."""
        return self.start + len(self._positions) - 1

    @property
    def size(self) -> int:
        """Bytes up to the end of the last entry."""
        return self._end

    def read(self, first: int, last: int) -> bytes | None:
        """The bytes of entries `first`..`last`; None unless the file holds them all."""
        if first < self.start or last > self.last or last < first:
            log.error("Cannot find entries: %d - %d in ledger file %s", first, last, self.path.name)
            return None
        begin = self._positions[first - self.start]
        end = self._end if last == self.last else self._positions[last + 1 - self.start]
        self._stream.seek(begin)
        data = self._stream.read(end - begin)
        if len(data) != end - begin:
            raise LedgerFileError(f"Failed to read entry range {first} - {last} from file {self.path}")
        return data

    def write(self, entry: bytes) -> bool:
        """Append an entry; True if the file held another one in its place, which was cut off with all that follows."""
        diverged = False
        if self._replaying:
            self._stream.seek(self._end)
            diverged = self._stream.read(len(entry)) != entry
            if diverged:
                self._cut(self.last)
                self._replaying = False
        if not self._replaying:
            self._stream.seek(self._end)
            self._stream.write(entry)
        self._positions.append(self._end)
        self._end += len(entry)
        return diverged

    def flush(self) -> None:
        self._stream.flush()

    def cut_torn_end(self) -> bool:
        """Remove what follows the last whole entry; True if no entry was left and the file is gone."""
        return self.truncate(self.last)

    def truncate(self, seqno: int) -> bool:
        """Remove the entries after `seqno`; True if none is left and the file is gone. Committed files stay as is."""
        if self.committed or seqno < self.start - 1 or (self.complete and seqno >= self.last):
            return False
        if seqno == self.start - 1:
            self._stream.close()
            self.path.unlink()
            return True
        self._cut(seqno)
        return False

    def _cut(self, seqno: int) -> None:
        self._stream.seek(0)
        self._stream.write(bytes(CHUNK_HEADER_SIZE))
        self.complete = False
        if seqno != self.last:
            self._end = self._positions[seqno - self.start + 1]
            del self._positions[seqno - self.start + 1 :]
        self._stream.flush()
        self._stream.truncate(self._end)

    def finish(self) -> None:
        """Write the position table: nothing is appended to this chunk any more."""
        if self.complete:
            return
        self._stream.seek(self._end)
        self._stream.write(b"".join(position.to_bytes(_POSITION_SIZE, "little") for position in self._positions))
        self._stream.seek(0)
        self._stream.write(self._end.to_bytes(CHUNK_HEADER_SIZE, "little"))
        self._stream.flush()
        self.complete = True

    def commit(self, seqno: int) -> bool:
        """Take the committed name if complete and ending at `seqno`; True if done with (not so while in recovery)."""
        if not self.complete or self.committed or seqno != self.last:
            return False
        self._stream.flush()
        suffix = COMMITTED + (RECOVERY if self.recovery else "")
        self._rename(f"ledger_{self.start}-{self.last}{suffix}")
        self.committed = True
        return not self.recovery

    def open_recovered(self) -> None:
        """Drop the .recovery suffix."""
        self._rename(self.path.name.removesuffix(RECOVERY))
        self.recovery = False

    def close(self) -> None:
        self._stream.close()

    def _rename(self, name: str) -> None:
        target = self.path.with_name(name)
        try:
            self.path.rename(target)
        except OSError as error:
            log.error("Error renaming ledger file: %s", error)
        self.path = target
