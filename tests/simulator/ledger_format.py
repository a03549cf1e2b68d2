"""The bytes of a ledger: entries and chunk files, exactly as CCF writes them (CCF facts §4.1).

An entry is an 8-byte header (version, flags, 48-bit size), a GCM header (16-byte tag, 12-byte IV made of seqno and
view), the size of the public domain, the public domain (clear text, authenticated) and the private domain (encrypted).
A chunk file is an 8-byte offset of its position table (0 while incomplete), entries, and the table of 32-bit entry
positions. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from hashlib import sha256

SINGLETON_KEY = bytes(8)
"""Key of the only row of CCF's one-value tables."""
PUBLIC_PREFIX = "public:"
NO_CLAIMS = bytes(32)
FORMAT_VERSION = 1
ENTRY_HEADER_SIZE = 8
GCM_TAG_SIZE = 16
GCM_IV_SIZE = 12
CHUNK_HEADER_SIZE = 8
DIGEST_SIZE = 32

_GCM_HEADER_SIZE = GCM_TAG_SIZE + GCM_IV_SIZE
_MAX_BODY_SIZE = (1 << 48) - 1
_U64 = struct.Struct("<Q")
_COUNTS = struct.Struct("<QQQ")
_IV = struct.Struct("<QI")
_PUBLIC_START = struct.Struct("<BQ")


class MalformedEntry(Exception):
    """The bytes are no ledger entry, or what they say of themselves does not fit."""


class EntryType(IntEnum):
    WRITE_SET = 0
    SNAPSHOT = 1
    WRITE_SET_WITH_CLAIMS = 2
    WRITE_SET_WITH_COMMIT_EVIDENCE = 3
    WRITE_SET_WITH_COMMIT_EVIDENCE_AND_CLAIMS = 4


class EntryFlags(IntFlag):
    NONE = 0
    FORCE_CHUNK_AFTER = 1
    FORCE_CHUNK_BEFORE = 2


@dataclass(frozen=True)
class TableChanges:
    """The changes of one table in one transaction, in the order they are serialised."""

    name: str
    writes: tuple[tuple[bytes, bytes], ...]
    removes: tuple[bytes, ...] = ()
    read_version: int = 0


@dataclass(frozen=True)
class PublicDomain:
    """What an entry says in clear. Digests are as long as SHA-256; the current CCF always writes both."""

    seqno: int
    claims_digest: bytes
    commit_evidence_digest: bytes
    tables: tuple[TableChanges, ...]
    max_conflict_version: int = 0


@dataclass(frozen=True)
class RawEntry:
    """An entry taken apart as far as it can be without a key."""

    flags: EntryFlags
    gcm_tag: bytes
    gcm_iv: bytes
    public_domain: bytes
    private_domain: bytes  # encrypted

    @property
    def view(self) -> int:
        view: int = _IV.unpack(self.gcm_iv)[1]
        return view & 0x7FFFFFFF

    @property
    def seqno(self) -> int:
        seqno: int = _IV.unpack(self.gcm_iv)[0]
        return seqno


def gcm_iv(view: int, seqno: int) -> bytes:
    """The 12-byte IV of a transaction: seqno (8 bytes), view (31 bits)."""
    return _IV.pack(seqno, view & 0x7FFFFFFF)


def encode_tables(tables: Iterable[TableChanges]) -> bytes:
    """The serialised tables of a domain; a private domain is just this, encrypted."""
    parts: list[bytes] = []
    for table in tables:
        parts.append(_sized(table.name.encode()))
        parts.append(_COUNTS.pack(table.read_version, 0, len(table.writes)))
        for key, value in table.writes:
            parts.append(_sized(key))
            parts.append(_sized(value))
        parts.append(_U64.pack(len(table.removes)))
        parts.extend(_sized(key) for key in table.removes)
    return b"".join(parts)


def decode_tables(data: bytes) -> tuple[TableChanges, ...]:
    """Raises MalformedEntry."""
    reader = _Reader(data)
    tables = []
    while not reader.at_end:
        tables.append(_decode_table(reader))
    return tuple(tables)


def encode_public_domain(domain: PublicDomain) -> bytes:
    return b"".join(
        (
            _PUBLIC_START.pack(EntryType.WRITE_SET_WITH_COMMIT_EVIDENCE_AND_CLAIMS, domain.seqno),
            domain.claims_digest,
            domain.commit_evidence_digest,
            _U64.pack(domain.max_conflict_version),
            encode_tables(domain.tables),
        )
    )


def decode_public_domain(data: bytes) -> PublicDomain:
    """Raises MalformedEntry, also for the entry types of CCF before 2.0."""
    reader = _Reader(data)
    kind, seqno = reader.unpack(_PUBLIC_START)
    if kind != EntryType.WRITE_SET_WITH_COMMIT_EVIDENCE_AND_CLAIMS:
        raise MalformedEntry(f"entry type {kind}")
    claims_digest = reader.take(DIGEST_SIZE)
    commit_evidence_digest = reader.take(DIGEST_SIZE)
    max_conflict_version = reader.number()
    tables = []
    while not reader.at_end:
        tables.append(_decode_table(reader))
    return PublicDomain(seqno, claims_digest, commit_evidence_digest, tuple(tables), max_conflict_version)


def encode_entry(entry: RawEntry) -> bytes:
    size = _GCM_HEADER_SIZE + _U64.size + len(entry.public_domain) + len(entry.private_domain)
    if size > _MAX_BODY_SIZE:
        raise ValueError(f"an entry of {size} bytes does not fit into the format")
    return b"".join(
        (
            bytes((FORMAT_VERSION, entry.flags)),
            size.to_bytes(6, "little"),
            entry.gcm_tag,
            entry.gcm_iv,
            _U64.pack(len(entry.public_domain)),
            entry.public_domain,
            entry.private_domain,
        )
    )


def decode_entry(raw: bytes) -> RawEntry:
    """Take exactly one entry apart; raises MalformedEntry (version, sizes)."""
    if entry_size(raw) != len(raw):
        raise MalformedEntry(f"entry of {len(raw)} bytes says it has {entry_size(raw)}")
    if raw[0] != FORMAT_VERSION:
        raise MalformedEntry(f"entry format {raw[0]}")
    reader = _Reader(raw, ENTRY_HEADER_SIZE)
    tag = reader.take(GCM_TAG_SIZE)
    iv = reader.take(GCM_IV_SIZE)
    public_domain = reader.take(reader.number())
    return RawEntry(EntryFlags(raw[1]), tag, iv, public_domain, reader.rest())


def entry_size(header: bytes) -> int:
    """Size in bytes of the whole entry (header included) that begins with these bytes; raises MalformedEntry."""
    if len(header) < ENTRY_HEADER_SIZE:
        raise MalformedEntry("no whole entry header")
    return ENTRY_HEADER_SIZE + int.from_bytes(header[2:ENTRY_HEADER_SIZE], "little")


def entry_flags(raw: bytes) -> EntryFlags:
    return EntryFlags(raw[1])


def split_entries(data: bytes) -> Iterator[bytes]:
    """The entries in `data`, in order, by the sizes they say; raises MalformedEntry where one is torn."""
    position = 0
    while position < len(data):
        end = position + entry_size(data[position : position + ENTRY_HEADER_SIZE])
        if end > len(data):
            raise MalformedEntry(f"entry of {end - position} bytes is torn after {len(data) - position}")
        yield data[position:end]
        position = end


def leaf(raw: bytes, domain: PublicDomain) -> bytes:
    """The entry's leaf in the Merkle tree: SHA-256 of write-set digest, commit evidence digest and claims digest."""
    return sha256(sha256(raw).digest() + domain.commit_evidence_digest + domain.claims_digest).digest()


def _sized(data: bytes) -> bytes:
    return _U64.pack(len(data)) + data


def _decode_table(reader: _Reader) -> TableChanges:
    try:
        name = reader.sized().decode()
    except UnicodeDecodeError as error:
        raise MalformedEntry(f"table name: {error}") from error
    read_version, reads, writes = reader.unpack(_COUNTS)
    if reads:
        raise MalformedEntry(f"{reads} reads in table {name}")
    written = tuple([(reader.sized(), reader.sized()) for _ in range(writes)])
    removed = tuple([reader.sized() for _ in range(reader.number())])
    return TableChanges(name, written, removed, read_version)


class _Reader:
    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._position = position

    @property
    def at_end(self) -> bool:
        return self._position >= len(self._data)

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise MalformedEntry(f"{size} bytes wanted, {len(self._data) - self._position} left")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._position)

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self.take(form.size))

    def number(self) -> int:
        number: int = _U64.unpack(self.take(8))[0]
        return number

    def sized(self) -> bytes:
        return self.take(self.number())
