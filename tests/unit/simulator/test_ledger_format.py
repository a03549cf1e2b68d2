from itertools import pairwise
from pathlib import Path

import pytest

from simulator.ledger_format import (
    EntryFlags,
    MalformedEntry,
    PublicDomain,
    RawEntry,
    TableChanges,
    decode_entry,
    decode_public_domain,
    decode_tables,
    encode_entry,
    encode_public_domain,
    encode_tables,
    gcm_iv,
    split_entries,
)

LEDGERS = Path(__file__).parents[2] / "fixtures" / "ccf" / "ledgers"
REAL_FILES = [
    path
    for directory in ("damaged/intact", "divergent/n0", "divergent/n1", "lagging/n0", "lagging/n2")
    for path in sorted((LEDGERS / directory / "ledger").iterdir())
]


def entries_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    table = int.from_bytes(data[:8], "little")
    return list(split_entries(data[8 : table or len(data)]))


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_real_entries_come_out_as_they_went_in(path: Path) -> None:
    entries = entries_of(path)
    assert entries
    for raw in entries:
        entry = decode_entry(raw)
        domain = decode_public_domain(entry.public_domain)
        assert domain.seqno == entry.seqno
        assert encode_public_domain(domain) == entry.public_domain
        assert encode_entry(entry) == raw
        assert gcm_iv(entry.view, entry.seqno) == entry.gcm_iv


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_real_entries_follow_each_other(path: Path) -> None:
    seqnos = [decode_entry(raw).seqno for raw in entries_of(path)]
    assert seqnos[0] == int(path.name.removeprefix("ledger_").split("-")[0])
    assert all(after == before + 1 for before, after in pairwise(seqnos))


def test_private_tables_come_out_as_they_went_in() -> None:
    tables = (
        TableChanges("journal", ((b"a", b"1"), (b"b", b"")), (b"c", b"d")),
        TableChanges("other", (), (b"",)),
    )
    assert decode_tables(encode_tables(tables)) == tables


def some_entry() -> bytes:
    domain = encode_public_domain(PublicDomain(7, bytes(32), bytes(32), (TableChanges("public:t", ((b"k", b"v"),)),)))
    return encode_entry(RawEntry(EntryFlags.FORCE_CHUNK_BEFORE, bytes(16), gcm_iv(3, 7), domain, b"sealed"))


def test_an_entry_tells_its_id_flags_and_domains() -> None:
    entry = decode_entry(some_entry())
    assert (entry.view, entry.seqno, entry.flags) == (3, 7, EntryFlags.FORCE_CHUNK_BEFORE)
    assert entry.private_domain == b"sealed"


def test_an_entry_cut_anywhere_is_malformed() -> None:
    raw = some_entry()
    for length in range(len(raw)):
        with pytest.raises(MalformedEntry):
            decode_entry(raw[:length])


def test_entries_are_split_up_to_a_torn_one() -> None:
    raw = some_entry()
    assert list(split_entries(raw + raw)) == [raw, raw]
    for length in range(1, len(raw)):
        entries = split_entries(raw + raw[:length])
        assert next(entries) == raw
        with pytest.raises(MalformedEntry):
            next(entries)


def test_a_public_domain_cut_inside_a_table_is_malformed() -> None:
    domain = decode_entry(some_entry()).public_domain
    for length in range(len(domain) - 1, 81, -1):
        with pytest.raises(MalformedEntry):
            decode_public_domain(domain[:length])


def test_an_unknown_version_is_malformed() -> None:
    with pytest.raises(MalformedEntry, match="format 2"):
        decode_entry(b"\x02" + some_entry()[1:])
