"""Reading the entries of one ledger file: position, digest, and the public tables asked for.

A file is an 8-byte little-endian offset of the position table (0: incomplete), entries, position table (u32 each;
CCF facts §4.1). An entry is a header (version u8, flags u8, size u48), a GCM header (tag 16, IV 12: seqno u64 and
view u32), the size of the public domain (u64), the public domain, and the private domain, encrypted. Entries are read
one at a time and private domains in pieces, so that the memory used does not grow with the ledger.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

FILE_HEADER = 8
ENTRY_HEADER = 8
ENTRY_VERSION = 1
GCM_HEADER = struct.Struct("<16xQI")
_U64 = struct.Struct("<Q")
_I64 = struct.Struct("<q")
_FIXED_BODY = GCM_HEADER.size + _U64.size
_VIEW_BITS = 0x7FFFFFFF
_PIECE = 1 << 20
_DIGEST = 32
# Entry types with (claims digest, commit evidence digest).
_TYPES = {0: (False, False), 2: (True, False), 3: (False, True), 4: (True, True)}

Tables = Mapping[str, Mapping[bytes, bytes | None]]
"""Writes by table and key; None: the key was removed."""


class Damaged(Exception):
    """The file does not hold what a CCF node writes."""


class TornTail(Exception):
    """The file ends within an entry, as a file does whose writer was killed."""


@dataclass(frozen=True)
class Entry:
    """One transaction. `leaf` is its digest in the Merkle tree; `tables` the public tables that were asked for."""

    view: int
    seqno: int
    leaf: bytes
    tables: Tables = field(default_factory=dict)


def read_entries(file: BinaryIO, size: int, wanted: Sequence[str]) -> Iterator[Entry]:
    """The whole entries of a ledger file of `size` bytes, in order, with those of its public tables in `wanted`.

    Raises Damaged or TornTail after the last good entry; a complete file's position table is checked at the end.
    """
    needles = [(name, name.encode()) for name in wanted]
    if size < FILE_HEADER:
        raise TornTail(f"{size} bytes long")
    table_at = _U64.unpack(_read(file, FILE_HEADER))[0]
    if table_at and not FILE_HEADER <= table_at <= size:
        yield from _walk(file, size, needles, [])
        raise TornTail(f"the position table should be at {table_at}, the file ends at {size}")
    positions: list[int] = []
    try:
        yield from _walk(file, table_at or size, needles, positions)
    except TornTail as torn:
        if table_at:
            raise Damaged(f"{torn}, and the file is marked complete") from torn
        raise
    if table_at:
        _check_positions(file, size - table_at, positions)


def _walk(file: BinaryIO, end: int, needles: list[tuple[str, bytes]], positions: list[int]) -> Iterator[Entry]:
    at = FILE_HEADER
    while at < end:
        if at + ENTRY_HEADER > end:
            raise TornTail(f"an entry is cut off at byte {at}")
        header = _read(file, ENTRY_HEADER)
        body = int.from_bytes(header[2:], "little")
        if header == bytes(ENTRY_HEADER):
            raise TornTail(f"zeros from byte {at} on")
        if header[0] != ENTRY_VERSION or body < _FIXED_BODY:
            raise Damaged(f"no entry at byte {at}")
        if at + ENTRY_HEADER + body > end:
            raise TornTail(f"an entry is cut off at byte {at}")
        positions.append(at)
        try:
            yield _entry(file, header, body, needles)
        except (ValueError, IndexError, struct.error) as error:
            raise Damaged(f"unreadable entry at byte {at}: {error}") from error
        at += ENTRY_HEADER + body


def _entry(file: BinaryIO, header: bytes, body: int, needles: list[tuple[str, bytes]]) -> Entry:
    fixed = _read(file, _FIXED_BODY)
    seqno, view = GCM_HEADER.unpack_from(fixed)
    (public_size,) = _U64.unpack_from(fixed, GCM_HEADER.size)
    private_size = body - _FIXED_BODY - public_size
    if private_size < 0:
        raise ValueError("the public part is longer than the entry")
    public = _read(file, public_size)
    digest = hashlib.sha256(header + fixed)
    digest.update(public)
    while private_size:
        piece = _read(file, min(private_size, _PIECE))
        digest.update(piece)
        private_size -= len(piece)
    reader = _Reader(public)
    claims, evidence = _TYPES[_known_type(reader.take(1)[0])]
    if reader.number(_I64) != seqno:
        raise ValueError(f"its public part is not of seqno {seqno}")
    claims_digest = reader.take(_DIGEST) if claims else b""
    evidence_digest = reader.take(_DIGEST) if evidence else b""
    leaf = digest.digest()
    if claims or evidence:
        leaf = hashlib.sha256(leaf + evidence_digest + claims_digest).digest()
    reader.number(_I64)  # the version up to which it may conflict
    present = [name for name, needle in needles if needle in public]
    return Entry(view & _VIEW_BITS, seqno, leaf, _tables(reader, present) if present else {})


def _known_type(kind: int) -> int:
    if kind not in _TYPES:
        raise ValueError(f"entry type {kind}")
    return kind


def _tables(reader: _Reader, wanted: Sequence[str]) -> Tables:
    found: dict[str, dict[bytes, bytes | None]] = {}
    while not reader.at_end():
        name = reader.sized().decode()
        reader.number(_U64)  # the version it was read at
        if reader.number(_U64):
            raise ValueError("it holds reads")
        writes: dict[bytes, bytes | None] = {}
        for _ in range(reader.number(_U64)):
            key = reader.sized()
            writes[key] = reader.sized()
        for _ in range(reader.number(_U64)):
            writes[reader.sized()] = None
        if name in wanted:
            found[name] = writes
    return found


class _Reader:
    """Takes values off the front of a buffer. Raises ValueError beyond its end."""

    def __init__(self, buffer: bytes) -> None:
        self._buffer = buffer
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._buffer)

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._buffer):
            raise ValueError("its public part ends too early")
        taken = self._buffer[self._at : end]
        self._at = end
        return taken

    def number(self, kind: struct.Struct) -> int:
        value: int = kind.unpack(self.take(kind.size))[0]
        return value

    def sized(self) -> bytes:
        return self.take(self.number(_U64))


def _check_positions(file: BinaryIO, size: int, expected: list[int]) -> None:
    found = _read(file, size)
    if size != 4 * len(expected):
        raise Damaged(f"{len(expected)} entries, and a position table of {size} bytes")
    if found != struct.pack(f"<{len(expected)}I", *expected):
        raise Damaged("the position table does not fit the entries")


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise TornTail(f"the file ended while it was read ({len(data)} of {size} bytes)")
    return data
