"""The bytes of a ledger: entries and chunk files, exactly as CCF writes them (CCF facts §4.1).

An entry is an 8-byte header (version, flags, 48-bit size), a GCM header (16-byte tag, 12-byte IV = seqno, view), the size of
the public domain, the public domain (clear text, authenticated) and the private domain (encrypted). A chunk file is an 8-byte
little-endian offset of its position table (0 while incomplete), entries, and the table of 32-bit entry positions.
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
    entry_type: EntryType
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
        raise NotImplementedError

    @property
    def seqno(self) -> int:
        raise NotImplementedError


def gcm_iv(view: int, seqno: int) -> bytes:
    """The 12-byte IV of a transaction: seqno (8 bytes), view (31 bits), little-endian."""
    raise NotImplementedError


def encode_tables(tables: Iterable[TableChanges]) -> bytes:
    """The serialised tables of a domain; a private domain is just this, encrypted."""
    raise NotImplementedError


def decode_tables(data: bytes) -> tuple[TableChanges, ...]:
    """Raises MalformedEntry."""
    raise NotImplementedError


def encode_public_domain(domain: PublicDomain) -> bytes:
    raise NotImplementedError


def decode_public_domain(data: bytes) -> PublicDomain:
    """Raises MalformedEntry."""
    raise NotImplementedError


def encode_entry(entry: RawEntry) -> bytes:
    raise NotImplementedError


def decode_entry(raw: bytes) -> RawEntry:
    """Take exactly one entry apart; raises MalformedEntry (size, version, domain sizes, seqno of IV and domain differ)."""
    raise NotImplementedError


def entry_size(header: bytes) -> int:
    """Size in bytes of the whole entry (header included) whose first 8 bytes are given; raises MalformedEntry."""
    raise NotImplementedError


def split_entries(data: bytes) -> Iterator[bytes]:
    """The whole entries in `data`, in order; stops silently at a torn last one."""
    raise NotImplementedError


def leaf(raw: bytes) -> bytes:
    """The entry's leaf in the Merkle tree: SHA-256 of write-set digest, commit evidence digest and claims digest."""
    raise NotImplementedError
