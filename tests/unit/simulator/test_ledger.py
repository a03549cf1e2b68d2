"""The ledger directory through the lives of a node: start, crash, recovery, join, damage."""

import shutil
import time
from pathlib import Path

import pytest

from simulator.kv import Store, TxID
from simulator.ledger import LedgerDirectory, LedgerError, NoEntry, is_empty
from simulator.ledger_crypto import LedgerSecrets, new_key
from simulator.ledger_format import EntryFlags, split_entries
from simulator.ledger_replay import RecoveredPoint, replay_private, replay_public
from unit.simulator.test_ledger_format import LEDGERS, entries_of
from unit.simulator.writing_node import WritingNode, journal, write_to

SMALL = 3000


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def real_entries(ledger: Path) -> list[bytes]:
    paths = sorted(ledger.iterdir(), key=lambda path: int(path.name.removeprefix("ledger_").split("-")[0]))
    return [raw for path in paths for raw in entries_of(path)]


def busy_node(directory: Path) -> WritingNode:
    """1..15: three small chunks committed (1-5, 6-10, 11-15 by flag), then 16..19 open, signed at 18."""
    node = WritingNode.started(directory)
    node.write(journal("before"))
    node.write({"public:app": {b"k": b"1"}})
    node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    for _ in range(2):
        for n in range(4):
            node.write(journal(str(n)))
        node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    node.commit()
    node.write(journal("signed"))
    node.write(journal("signed too"))
    node.sign()
    node.write(journal("unsigned"))
    return node


def recover(ledger: LedgerDirectory) -> tuple[RecoveredPoint, WritingNode]:
    """Recover a service on `ledger` and write its create transaction and first signature, as a node does."""
    node = WritingNode(ledger)
    point = replay_public(ledger, node.store)
    node.view = point.create.view
    node.store.secrets.add(point.create.seqno, new_key())
    assert node.write(node.create_writes("Recovering"), flags=EntryFlags.FORCE_CHUNK_BEFORE) == point.create
    node.sign()
    return point, node


@pytest.mark.parametrize("source", ["damaged/intact", "lagging/n0", "divergent/n1"])
def test_real_files_are_written_again_byte_for_byte(source: str, tmp_path: Path) -> None:
    original = LEDGERS / source / "ledger"
    ledger, store = LedgerDirectory(tmp_path / "ledger"), Store(LedgerSecrets())
    for raw in real_entries(original):
        write_to(ledger, store.apply(raw))
    ledger.commit(store.last_signed.seqno)
    ledger.close()
    assert names(tmp_path / "ledger") == names(original)
    for path in original.iterdir():
        assert (tmp_path / "ledger" / path.name).read_bytes() == path.read_bytes()


def test_chunks_end_at_signatures_and_are_named_when_committed(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    node = busy_node(directory)
    assert names(directory) == [
        "ledger_1-5.committed",
        "ledger_11-15.committed",
        "ledger_16",
        "ledger_6-10.committed",
    ]
    assert (node.ledger.last, node.ledger.committed) == (19, 15)
    with pytest.raises(LedgerError, match="non-committable"):
        node.write(journal("x"), flags=EntryFlags.FORCE_CHUNK_AFTER)


def test_a_chunk_ends_at_the_first_signature_past_its_size(tmp_path: Path) -> None:
    node = WritingNode.started(tmp_path / "ledger", chunk_size=10 * SMALL)
    while len(names(tmp_path / "ledger")) == 1:
        node.write({"public:app": {b"k": bytes(SMALL)}})
        node.sign()
        node.commit()
        node.write(journal("begin the next chunk if the last is complete"))
    (path,) = (tmp_path / "ledger").glob("*.committed")
    assert 10 * SMALL < path.stat().st_size < 13 * SMALL


def test_every_entry_can_be_read_from_open_and_committed_files(tmp_path: Path) -> None:
    node = busy_node(tmp_path / "ledger")
    everything = list(split_entries(node.ledger.read_range(1, 1000)))
    assert len(everything) == 19
    assert [node.ledger.read(seqno) for seqno in range(1, 20)] == everything
    for missing in (0, 20):
        with pytest.raises(NoEntry):
            node.ledger.read(missing)


def test_a_signature_is_in_the_file_without_closing(tmp_path: Path) -> None:
    node = busy_node(tmp_path / "ledger")
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "ledger", copy)
    assert LedgerDirectory(copy).last >= 18
    assert node.ledger.last == 19


def test_only_what_is_not_committed_can_be_cut(tmp_path: Path) -> None:
    node = busy_node(tmp_path / "ledger")
    node.ledger.truncate(14)
    assert node.ledger.last == 19
    node.ledger.truncate(17)
    assert node.ledger.last == 17
    node.ledger.truncate(15)
    assert (node.ledger.last, "ledger_16" in names(tmp_path / "ledger")) == (15, False)


def test_a_cut_completed_chunk_can_be_written_again(tmp_path: Path) -> None:
    node = WritingNode.started(tmp_path / "ledger")
    node.write(journal("kept"))
    node.sign()
    node.write(journal("lost"))
    node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    node.store.rollback(4)
    node.ledger.truncate(4)
    node.view = 3
    node.write(journal("another"))
    node.sign()
    node.ledger.close()
    assert names(tmp_path / "ledger") == ["ledger_1"]
    assert LedgerDirectory(tmp_path / "ledger").last == 6
    point, _ = recover(LedgerDirectory(tmp_path / "ledger"))
    assert point == RecoveredPoint(TxID(3, 6), None)


@pytest.mark.parametrize("left", [1, 7, 8, 9, 300])
def test_a_torn_tail_is_cut_at_the_last_whole_entry(left: int, tmp_path: Path) -> None:
    node = busy_node(tmp_path / "ledger")
    node.ledger.close()
    tail = tmp_path / "ledger" / "ledger_16"
    whole = tail.read_bytes()
    sizes = [len(raw) for raw in entries_of(tail)]
    tail.write_bytes(whole[: 8 + sizes[0] + sizes[1] + left])
    assert LedgerDirectory(tmp_path / "ledger").last == 17
    assert tail.stat().st_size == 8 + sizes[0] + sizes[1]


def test_a_tail_without_a_whole_entry_is_removed(tmp_path: Path) -> None:
    busy_node(tmp_path / "ledger").ledger.close()
    tail = tmp_path / "ledger" / "ledger_16"
    tail.write_bytes(tail.read_bytes()[:100])
    assert LedgerDirectory(tmp_path / "ledger").last == 15
    assert not tail.exists()


def test_what_is_no_ledger_is_set_aside(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    busy_node(directory).ledger.close()
    (directory / "lost+found").mkdir()
    (directory / "ledger_20").write_bytes(b"")
    (directory / "ledger_16.recovery").write_bytes(b"")
    (directory / "notes.txt").write_bytes(bytes(8))
    assert LedgerDirectory(directory).last == 19
    set_aside = ["ledger_16.recovery.ignored", "ledger_20.ignored", "lost+found.ignored", "notes.txt.ignored"]
    assert [name for name in names(directory) if name.endswith(".ignored")] == set_aside
    assert LedgerDirectory(directory).last == 19
    assert [name for name in names(directory) if name.endswith(".ignored")] == set_aside


def test_a_start_needs_an_absent_or_empty_directory(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    assert is_empty(directory)
    LedgerDirectory(directory)
    assert is_empty(directory)
    (directory / "lost+found").mkdir()
    assert not is_empty(directory)


def test_recovery_completes_the_tail_and_writes_recovery_chunks_until_open(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    busy_node(directory).ledger.close()
    point, node = recover(LedgerDirectory(directory))
    assert point == RecoveredPoint(TxID(2, 18), None)
    node.commit()
    node.write({"public:app": {b"k": b"2"}})
    node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    node.commit()
    node.write({"public:app": {b"k": b"3"}})
    node.sign()
    old = ["ledger_1-5.committed", "ledger_11-15.committed", "ledger_16-18.committed"]
    assert names(directory) == [*old, "ledger_19-22.committed.recovery", "ledger_23.recovery", "ledger_6-10.committed"]
    assert len(list(split_entries(node.ledger.read_range(1, 24)))) == 24
    node.ledger.complete_recovery()
    assert names(directory) == [*old, "ledger_19-22.committed", "ledger_23", "ledger_6-10.committed"]
    node.write({"public:app": {b"k": b"4"}})
    node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    node.commit()
    assert "ledger_23-26.committed" in names(directory)
    assert len(list(split_entries(node.ledger.read_range(1, 26)))) == 26


def test_a_recovery_that_was_not_opened_is_begun_again(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    busy_node(directory).ledger.close()
    first, node = recover(LedgerDirectory(directory))
    node.commit()
    node.ledger.close()
    second, _ = recover(LedgerDirectory(directory))
    assert second == first
    assert "ledger_19.recovery.ignored" in names(directory)


def test_private_data_comes_back_with_the_old_secret(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    old = busy_node(directory)
    old.ledger.close()
    _, node = recover(LedgerDirectory(directory))
    assert node.store.begin().get("journal", b"key") is None
    target = node.store.current.seqno
    wrong = LedgerSecrets()
    wrong.add(1, new_key())
    wrong.add(*node.store.secrets.latest)
    right, node.store.secrets = node.store.secrets, wrong
    with pytest.raises(LedgerError, match=f"0/{target}"):
        list(replay_private(node.ledger, node.store, target))
    node.store.secrets = right
    node.store.secrets.add(*old.store.secrets.latest)
    assert list(replay_private(node.ledger, node.store, target)) == [target]
    assert node.store.begin().get("journal", b"key") == b"signed too"


def test_uncommitted_files_of_ancestors_are_not_read(tmp_path: Path) -> None:
    gen0, gen1, gen2 = (tmp_path / f"gen-{n}" for n in range(3))
    busy_node(gen0).ledger.close()
    committed_only, _ = recover(LedgerDirectory(gen1, [gen0]))
    assert committed_only.last_signed == TxID(2, 15)
    shutil.rmtree(gen1)
    gen1.mkdir()
    shutil.copy(gen0 / "ledger_16", gen1)

    point, node = recover(LedgerDirectory(gen1, [gen0]))
    assert point.last_signed == TxID(2, 18)
    node.commit()
    node.write({"public:app": {b"k": b"2"}})
    signed = node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    node.commit()
    node.ledger.complete_recovery()
    node.ledger.close()
    assert names(gen1) == ["ledger_16-18.committed", "ledger_19-22.committed"]
    before = {path: path.read_bytes() for path in (*gen0.iterdir(), *gen1.iterdir())}

    second, node = recover(LedgerDirectory(gen2, [gen0, gen1]))
    assert second.last_signed == signed
    assert names(gen2) == ["ledger_23.recovery"]
    with pytest.raises(LedgerError):
        recover(LedgerDirectory(tmp_path / "gen-3", [gen1]))
    assert {path: path.read_bytes() for path in (*gen0.iterdir(), *gen1.iterdir())} == before


def test_a_read_only_directory_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="not a directory"):
        LedgerDirectory(tmp_path / "ledger", [tmp_path / "absent"])


def test_damage_below_the_committed_point_shows_in_the_file_number(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    shutil.copytree(LEDGERS / "damaged/committed-chunk-bits-flipped/ledger", directory)
    point, node = recover(LedgerDirectory(directory))
    assert point.create == TxID(4, 116)
    assert point.problem
    assert "ledger_184.recovery" in names(directory)
    node.commit()
    target = node.store.current.seqno
    with pytest.raises(LedgerError, match=f"/{target}"):
        list(replay_private(node.ledger, node.store, target))


def joined(ledger: LedgerDirectory, source: WritingNode, upto: int, *, recovered_up_to: int = 0) -> None:
    """Replicate `source`'s entries to a joiner's ledger, and commit them."""
    ledger.begin_join(0, recovered_up_to=recovered_up_to)
    follower = Store(source.store.secrets)
    for raw in split_entries(source.ledger.read_range(1, upto)):
        write_to(ledger, follower.apply(raw))
    ledger.commit(follower.last_signed.seqno)


def test_a_joiner_keeps_same_files_and_writes_a_full_copy(tmp_path: Path) -> None:
    source = busy_node(tmp_path / "primary")
    joined(LedgerDirectory(tmp_path / "fresh"), source, 19)
    shutil.copytree(tmp_path / "primary", tmp_path / "leftover")
    joined(LedgerDirectory(tmp_path / "leftover"), source, 19)
    for copy in ("fresh", "leftover"):
        for path in (tmp_path / "primary").glob("*.committed"):
            assert (tmp_path / copy / path.name).read_bytes() == path.read_bytes()
        assert names(tmp_path / copy) == names(tmp_path / "primary")


def test_a_joiner_drops_what_diverges_and_every_file_after_it(tmp_path: Path) -> None:
    busy_node(tmp_path / "other").ledger.close()
    source = WritingNode.started(tmp_path / "primary")
    source.write(journal("this branch"))
    source.sign()
    ledger = LedgerDirectory(tmp_path / "other")
    joined(ledger, source, 4)
    assert names(tmp_path / "other") == ["ledger_1"]
    assert ledger.read_range(1, 4) == source.ledger.read_range(1, 4)


def test_a_joiner_of_a_service_in_recovery_marks_only_the_chunks_after_the_recovered_point(tmp_path: Path) -> None:
    busy_node(tmp_path / "old").ledger.close()
    point, primary = recover(LedgerDirectory(tmp_path / "old"))
    ledger = LedgerDirectory(tmp_path / "joiner")
    joined(ledger, primary, 20, recovered_up_to=point.last_signed.seqno)
    marked = [name for name in names(tmp_path / "joiner") if name.endswith(".recovery")]
    assert marked == ["ledger_19.recovery"]
    ledger.complete_recovery()
    assert "ledger_19" in names(tmp_path / "joiner")


def test_a_joiner_cannot_write_beside_what_has_no_seqno(tmp_path: Path) -> None:
    source = busy_node(tmp_path / "primary")
    (tmp_path / "joiner" / "lost+found").mkdir(parents=True)
    ledger = LedgerDirectory(tmp_path / "joiner")
    with pytest.raises(LedgerError, match="does not contain a seqno"):
        joined(ledger, source, 19)


def test_a_stale_uncommitted_file_hides_what_comes_after_it(tmp_path: Path) -> None:
    directory = tmp_path / "ledger"
    node = busy_node(directory)
    node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    node.commit()
    node.write(journal("last"))
    node.sign()
    node.ledger.close()
    assert "ledger_16-20.committed" in names(directory)
    shutil.copy(directory / "ledger_6-10.committed", directory / "ledger_6")
    point, _ = recover(LedgerDirectory(directory))
    assert point.last_signed == TxID(2, 10)


def test_ten_thousand_entries_take_seconds_at_most(tmp_path: Path) -> None:
    node = WritingNode.started(tmp_path / "ledger")
    began = time.process_time()
    for n in range(10_000):
        node.write({"public:app": {str(n % 100).encode(): b"value"}})
        if n % 100 == 0:
            node.sign()
            node.commit()
    took = time.process_time() - began
    assert node.ledger.last > 10_000
    assert took < 20, f"{took:.1f} s for 10,000 entries"
