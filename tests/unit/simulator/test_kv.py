import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.kv import OutOfOrder, SnapshotGone, Store, TxID, Writes
from simulator.ledger_crypto import DecryptionFailed, LedgerSecrets, new_key
from simulator.ledger_format import MalformedEntry

T = "public:table"


def store_with_secret() -> Store:
    secrets = LedgerSecrets()
    secrets.add(1, new_key())
    return Store(secrets)


def write(store: Store, writes: Writes, view: int = 2) -> bytes:
    entry = store.prepare(writes, view)
    store.apply(entry.raw)
    return entry.raw


def rows(store: Store, *, committed: bool = False) -> dict[bytes, bytes]:
    return dict(store.begin(committed=committed).items(T))


def test_transaction_ids_are_parsed() -> None:
    assert TxID.parse("12.345") == TxID(12, 345)
    for bad in ("", "2", "2.", ".3", "2.3.4", "-2.3", "a.b", " 2.3", "²." + "3"):
        with pytest.raises(ValueError, match="transaction id"):
            TxID.parse(bad)


def test_a_transaction_sees_its_own_writes_and_nothing_later() -> None:
    store = store_with_secret()
    write(store, {T: {b"a": b"1", b"b": b"2"}})
    tx = store.begin()
    tx.put(T, b"c", b"3")
    tx.remove(T, b"a")
    write(store, {T: {b"b": b"later", b"d": b"4"}})
    assert dict(tx.items(T)) == {b"b": b"2", b"c": b"3"}
    assert (tx.get(T, b"a"), tx.get(T, b"b"), tx.get(T, b"c"), tx.get(T, b"d")) == (None, b"2", b"3", None)
    assert tx.writes == {T: {b"c": b"3", b"a": None}}
    assert tx.version_of(T, b"b") == 1


def test_removing_what_is_not_there_writes_nothing() -> None:
    store = store_with_secret()
    tx = store.begin()
    tx.put(T, b"own", b"1")
    tx.remove(T, b"own")
    tx.remove(T, b"other")
    assert tx.get(T, b"own") is None
    assert store.prepare(tx.writes, 2).raw == store.prepare({}, 2).raw


def test_writes_to_what_was_read_conflict() -> None:
    store = store_with_secret()
    write(store, {T: {b"a": b"1"}})
    reader, lister, missing, other = (store.begin() for _ in range(4))
    reader.get(T, b"a")
    list(lister.items(T))
    missing.get(T, b"new")
    other.get("public:other", b"a")
    write(store, {T: {b"new": b"2"}})
    assert [store.conflicts(tx) for tx in (reader, lister, missing, other)] == [False, True, True, False]
    write(store, {T: {b"a": None}})
    assert store.conflicts(reader)


def test_a_conflict_is_seen_even_when_the_removed_row_is_compacted() -> None:
    store = store_with_secret()
    write(store, {T: {b"a": b"1"}})
    reader = store.begin()
    reader.get(T, b"a")
    write(store, {T: {b"a": None}})
    store.compact(2)
    assert store.conflicts(reader)
    with pytest.raises(SnapshotGone):
        reader.get(T, b"a")


def test_committed_reads_lag_behind() -> None:
    store = store_with_secret()
    write(store, {T: {b"a": b"1"}})
    store.compact(1)
    write(store, {T: {b"a": b"2"}})
    assert rows(store) == {b"a": b"2"}
    assert rows(store, committed=True) == {b"a": b"1"}
    store.compact(2)
    assert rows(store, committed=True) == {b"a": b"2"}


def test_rolling_back_restores_state_view_and_root() -> None:
    store = store_with_secret()
    write(store, {T: {b"a": b"1"}})
    root = store.tree.root()
    reader = store.begin()
    write(store, {T: {b"a": None, b"b": b"2"}, "private": {b"p": b"1"}}, view=5)
    assert (store.current, store.view_at(1), store.view_at(2), store.view_at(3)) == (TxID(5, 2), 2, 5, None)
    store.rollback(1)
    assert (store.current, store.view_at(2), store.tree.root()) == (TxID(2, 1), None, root)
    assert rows(store) == {b"a": b"1"}
    assert list(store.begin().items("private")) == []
    assert store.conflicts(reader)
    with pytest.raises(SnapshotGone):
        reader.get(T, b"a")


def test_committed_entries_are_not_rolled_back() -> None:
    store = store_with_secret()
    write(store, {T: {b"a": b"1"}})
    store.compact(1)
    with pytest.raises(ValueError, match="compacted"):
        store.rollback(0)


def test_entries_apply_in_order_only() -> None:
    store, other = store_with_secret(), store_with_secret()
    first, second = write(store, {T: {b"a": b"1"}}), write(store, {T: {b"a": b"2"}})
    other.secrets = store.secrets
    with pytest.raises(OutOfOrder):
        other.apply(second)
    other.apply(first)
    with pytest.raises(OutOfOrder):
        other.apply(first)
    with pytest.raises(OutOfOrder):
        other.apply(other.prepare({}, 1).raw)
    other.apply(second)
    assert rows(other) == rows(store)
    assert other.tree.root() == store.tree.root()


def test_a_damaged_entry_changes_nothing() -> None:
    store, other = store_with_secret(), store_with_secret()
    raw = write(store, {T: {b"a": b"value"}})
    other.secrets = store.secrets
    root = other.tree.root()
    for at in range(8, len(raw)):
        with pytest.raises((MalformedEntry, OutOfOrder, DecryptionFailed)):
            other.apply(raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :])
    assert (other.current, other.tree.root(), rows(other)) == (TxID(0, 0), root, {})


def test_a_signature_transaction_writes_nothing_else() -> None:
    store = store_with_secret()
    entry = store.prepare({"public:ccf.internal.signatures": {bytes(8): b"{}"}, T: {b"a": b"1"}}, 2)
    with pytest.raises(MalformedEntry, match="also writes"):
        store.apply(entry.raw)


def test_private_writes_are_merged_once_the_secret_is_known() -> None:
    primary, recovered = store_with_secret(), Store(LedgerSecrets())
    entries = [
        write(primary, {"private": {b"a": b"1", b"b": b"1"}}),
        write(primary, {"private": {b"a": b"2"}, T: {b"x": b"y"}}),
        write(primary, {"private": {b"b": None}}),
        write(primary, {T: {b"x": b"z"}}),
    ]
    pending = [recovered.apply(raw).private_pending for raw in entries]
    assert pending == [True, True, True, False]
    recovered.compact(2)
    with pytest.raises(DecryptionFailed):
        recovered.apply_private(entries[0])
    recovered.secrets.add(4 + 1, new_key())
    write(recovered, {"private": {b"c": b"new"}})
    recovered.secrets.add(*primary.secrets.latest)
    with pytest.raises(MalformedEntry):
        recovered.apply_private(store_with_secret().prepare({}, 2).raw)
    for raw in entries:
        recovered.apply_private(raw)
    assert dict(recovered.begin().items("private")) == {b"a": b"2", b"c": b"new"}
    assert dict(recovered.begin(committed=True).items("private")) == {b"a": b"2", b"b": b"1"}
    recovered.rollback(2)
    assert dict(recovered.begin().items("private")) == {b"a": b"2", b"b": b"1"}


def test_private_data_is_not_in_the_clear() -> None:
    raw = write(store_with_secret(), {"private": {b"name": b"plain words"}})
    assert b"plain words" not in raw
    assert b"private" not in raw


def test_without_a_secret_nothing_is_written() -> None:
    with pytest.raises(LookupError):
        Store(LedgerSecrets()).prepare({T: {b"a": b"1"}}, 2)


def test_each_entry_is_sealed_with_the_secret_of_its_seqno() -> None:
    store = store_with_secret()
    write(store, {"private": {b"a": b"1"}})
    store.secrets.add(2, new_key())
    raw = write(store, {"private": {b"a": b"2"}})
    late = Store(LedgerSecrets())
    write_elsewhere = store_with_secret().prepare({}, 2)
    late.apply(write_elsewhere.raw)
    late.secrets.add(2, store.secrets.latest[1])
    assert late.apply(raw).writes == {"private": {b"a": b"2"}}


keys = st.sampled_from([b"a", b"b", b"c"])
steps = st.one_of(
    st.tuples(st.just("write"), st.dictionaries(keys, st.one_of(st.none(), st.binary(max_size=2)), max_size=3)),
    st.tuples(st.just("rollback"), st.integers(0, 20)),
    st.tuples(st.just("compact"), st.integers(0, 20)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=20))
def test_the_store_is_its_history_replayed(script: list[tuple[str, object]]) -> None:
    store = store_with_secret()
    history: list[dict[bytes, bytes]] = [{}]
    compacted = 0
    for step, argument in script:
        if step == "write":
            assert isinstance(argument, dict)
            write(store, {T: argument})
            merged = history[-1] | argument
            history.append({key: value for key, value in merged.items() if value is not None})
        else:
            assert isinstance(argument, int)
            seqno = max(compacted, min(argument, len(history) - 1))
            if step == "rollback":
                store.rollback(seqno)
                del history[seqno + 1 :]
            else:
                store.compact(seqno)
                compacted = seqno
        assert rows(store) == history[-1]
        assert rows(store, committed=True) == history[compacted]
        assert store.current.seqno == len(history) - 1
