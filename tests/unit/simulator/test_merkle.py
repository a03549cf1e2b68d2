import json
from hashlib import sha256
from pathlib import Path

import pytest
from ccf.ledger import Ledger, LedgerValidator
from ccf.merkletree import MerkleTree as ReferenceTree

from simulator.kv import Store
from simulator.ledger_crypto import LedgerSecrets
from simulator.ledger_format import SINGLETON_KEY, EntryFlags
from simulator.merkle import SIGNATURES, TREE, BadSignature, MerkleTree, verify_signature
from unit.simulator.test_ledger_format import LEDGERS, entries_of
from unit.simulator.writing_node import WritingNode, journal


def leaves(count: int) -> list[bytes]:
    return [sha256(str(n).encode()).digest() for n in range(1, count)]


def grown(count: int) -> MerkleTree:
    tree = MerkleTree()
    for leaf in leaves(count):
        tree.append(leaf)
    return tree


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 100])
def test_roots_are_those_of_the_reference(size: int) -> None:
    reference = ReferenceTree()  # type: ignore[no-untyped-call]
    reference.add_leaf(bytes(32), do_hash=False)
    for leaf in leaves(size):
        reference.add_leaf(leaf, do_hash=False)
    assert grown(size).root() == reference.get_merkle_root()
    assert grown(120).root(size) == reference.get_merkle_root()


@pytest.mark.parametrize("size", [2, 3, 6, 8, 11, 23])
def test_every_leaf_is_proved(size: int) -> None:
    tree = grown(23)
    for seqno in range(size):
        node = tree.leaf(seqno)
        for on_left, sibling in tree.proof(seqno, size):
            node = sha256(sibling + node if on_left else node + sibling).digest()
        assert node == tree.root(size)


def test_a_retracted_tree_is_as_if_never_grown() -> None:
    tree = grown(50)
    tree.retract(20)
    assert tree.size == 21
    assert tree.root() == grown(21).root()
    for leaf in leaves(50)[20:]:
        tree.append(leaf)
    assert tree.root() == grown(50).root()


def test_trees_in_real_signatures_are_serialised_alike() -> None:
    store = Store(LedgerSecrets())
    compared = 0
    for path in sorted((LEDGERS / "lagging/n0/ledger").iterdir(), key=lambda path: int(path.name[7:].split("-")[0])):
        for raw in entries_of(path):
            signed, tree = store.last_signed, store.tree.serialise(store.last_signed.seqno)
            applied = store.apply(raw)
            if applied.is_signature:
                assert applied.writes[TREE][SINGLETON_KEY] == tree, f"after {signed}"
                compared += 1
    assert compared > 3


def test_what_is_written_passes_the_public_validator(tmp_path: Path) -> None:
    node = WritingNode.started(tmp_path / "ledger", chunk_size=4000)
    for n in range(40):
        node.write(journal(str(n)) | {"public:app": {str(n).encode(): b"value"}})
        if n % 7 == 0:
            node.sign()
            node.commit()
    node.write({"public:app": {b"3": None}})
    last = node.sign(flags=EntryFlags.FORCE_CHUNK_AFTER)
    node.ledger.close()

    ledger = Ledger([str(tmp_path / "ledger")], committed_only=False)
    validator = LedgerValidator(accept_deprecated_entry_types=False)
    for transaction in ledger.transactions():  # type: ignore[no-untyped-call]
        validator.add_transaction(transaction)  # type: ignore[no-untyped-call]
    assert str(validator.last_verified_txid()) == str(last)
    assert validator.signature_count == 8
    assert len(ledger) > 2


def test_signatures_of_another_history_or_key_are_bad(tmp_path: Path) -> None:
    node = WritingNode.started(tmp_path / "ledger")
    row = node.store.prepare_signature(2, node.signer).writes[SIGNATURES][SINGLETON_KEY]
    assert row is not None
    verify_signature(node.store.tree, row)

    stranger = WritingNode.started(tmp_path / "other")
    with pytest.raises(BadSignature, match="root"):
        verify_signature(stranger.store.tree, row)
    forged = json.loads(row) | {"cert": stranger.signer.node_certificate}
    with pytest.raises(BadSignature, match="does not verify"):
        verify_signature(node.store.tree, json.dumps(forged).encode())
    for unreadable in (b"", b"[]", b"{}", json.dumps(json.loads(row) | {"cert": "none"}).encode()):
        with pytest.raises(BadSignature):
            verify_signature(node.store.tree, unreadable)
