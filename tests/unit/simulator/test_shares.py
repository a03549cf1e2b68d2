from __future__ import annotations

import base64
import dataclasses
import json
import os

import pytest
from ccf.ledger import Ledger
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from ccf_operator.ccf import governance as messages
from members import GeneratedMember, generate_member
from simulator.gov_tables import RECOVERY_SHARES, SERVICE_INFO, SUBMITTED_SHARES
from simulator.shares import EncryptedSecretsHistory, Share, combine, split
from unit.simulator.single_node import FIXTURES, NOW, SingleNode, body, error

MEMBERS = [generate_member(f"member{i}") for i in range(3)]


@given(count=st.integers(1, 9), data=st.data())
@settings(max_examples=30)
def test_any_threshold_of_shares_gives_the_secret_back(count: int, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(1, count))
    secret, shares = split(threshold, count)
    chosen = data.draw(st.permutations(shares))[:threshold]
    assert combine(chosen, threshold) == secret


def test_fewer_shares_or_one_twice_do_not() -> None:
    secret, shares = split(2, 3)
    with pytest.raises(ValueError, match="only 1 recovery shares"):
        combine(shares[:1], 2)
    with pytest.raises(ValueError, match="duplicate"):
        combine([shares[0], shares[0]], 2)
    altered = dataclasses.replace(shares[1], limbs=(shares[1].limbs[0] ^ 1, *shares[1].limbs[1:]))
    assert combine([shares[0], altered], 2) != secret


def test_a_share_has_ccfs_size_and_survives_its_encoding() -> None:
    _, (share,) = split(1, 1)
    assert len(share.serialise()) == 44
    assert Share.parse(share.serialise()) == share
    with pytest.raises(ValueError, match="partial share"):
        share.wrapping_key()


def test_the_shares_of_a_real_ledger_have_the_form_written_here() -> None:
    """Sizes and names; the keys of those members are not there to decrypt with."""
    ledger = Ledger([str(FIXTURES / "ledgers/damaged/intact/ledger")], committed_only=False)
    history = EncryptedSecretsHistory()
    real = None
    for chunk in ledger:
        for transaction in chunk:
            tables = transaction.get_public_domain().get_tables()
            history.observe(transaction.get_public_domain().get_seqno(), tables)
            real = tables.get(RECOVERY_SHARES, {}).get(bytes(8), real)
    node = SingleNode(MEMBERS)
    node.opened(MEMBERS)
    written, recorded = node.read(RECOVERY_SHARES), json.loads(real or b"")
    assert set(written) == set(recorded)
    for one in (written, recorded):
        assert len(base64.b64decode(one["wrapped_latest_ledger_secret"])) == 60
        assert {len(base64.b64decode(share)) for share in one["encrypted_shares"].values()} == {256}
    assert history.values() == ({"next_version": 1},)
    assert node.history.values() == history.values()


def _journal(node: SingleNode, key: bytes, value: bytes) -> None:
    tx = node.store.begin()
    tx.put("journal", key, value)
    node.apply(tx)


def _recovering(threshold: int) -> SingleNode:
    """A service that was lost with a private entry before and after a rekey, up to waiting for shares."""
    node = SingleNode(MEMBERS, threshold=threshold)
    node.opened(MEMBERS)
    _journal(node, b"a", b"first secret")
    node.passed(MEMBERS, messages.trigger_ledger_rekey())
    _journal(node, b"b", b"second secret")
    node.sign()
    node.rekeyed.clear()
    previous = node.restart_in_recovery()
    assert node.store.begin().get("journal", b"a") is None
    node.passed(MEMBERS, messages.transition_service_to_open(node.service_certificate, previous))
    assert node.read(SERVICE_INFO)["status"] == "WaitingForRecoveryShares"
    return node


def _share_message(node: SingleNode, member: GeneratedMember) -> messages.Message:
    share = body(node.get(f"/gov/recovery/encrypted-shares/{member.member_id}"))["encryptedShare"]
    return messages.recovery_share(member, share, created_at=NOW)


def _wrong_share(member: GeneratedMember) -> messages.Message:
    assert member.encryption_public_key_pem is not None
    key = load_pem_public_key(member.encryption_public_key_pem.encode())
    assert isinstance(key, RSAPublicKey)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = base64.b64encode(key.encrypt(b"\x01\0\0\0" + os.urandom(40), oaep)).decode()
    return messages.recovery_share(member, sealed, created_at=NOW)


def test_a_threshold_of_shares_brings_every_ledger_secret_back() -> None:
    node = _recovering(threshold=2)
    first = body(node.post(_share_message(node, MEMBERS[0])))
    assert (first["submittedCount"], first["recoveryThreshold"], first["fullKeySubmitted"]) == (1, 2, False)
    assert first["message"] == "1/2 recovery shares successfully submitted"
    assert node.state == "PartOfPublicNetwork"

    again = body(node.post(_share_message(node, MEMBERS[0])))
    assert again["submittedCount"] == 1

    last = body(node.post(_share_message(node, MEMBERS[2])))
    assert last["message"].endswith("2/2 recovery shares successfully submitted\nEnd of recovery procedure initiated")
    assert error(node.post(_share_message(node, MEMBERS[1]))) == (403, "NodeAlreadyRecovering")

    node.read_private_ledger()
    assert node.store.begin().get("journal", b"a") == b"first secret"
    assert node.store.begin().get("journal", b"b") == b"second secret"
    assert node.read(SERVICE_INFO)["status"] == "Open"
    assert list(node.store.begin().items(SUBMITTED_SHARES)) == []
    assert error(node.post(_share_message(node, MEMBERS[1]))) == (403, "ServiceNotWaitingForRecoveryShares")


def test_a_second_recovery_reaches_back_through_the_first() -> None:
    node = _recovering(threshold=1)
    node.post(_share_message(node, MEMBERS[0]))
    node.read_private_ledger()
    _journal(node, b"c", b"third secret")
    node.sign()
    previous = node.restart_in_recovery()
    node.passed(MEMBERS, messages.transition_service_to_open(node.service_certificate, previous))
    assert node.post(_share_message(node, MEMBERS[1])).status == 200
    node.read_private_ledger()
    read = node.store.begin()
    assert [read.get("journal", key) for key in (b"a", b"b", b"c")] == [
        b"first secret",
        b"second secret",
        b"third secret",
    ]


def test_a_wrong_share_clears_them_all_and_the_members_start_over() -> None:
    node = _recovering(threshold=2)
    node.post(_share_message(node, MEMBERS[0]))
    refused = node.post(_wrong_share(MEMBERS[1]))
    assert error(refused) == (500, "InternalError")
    assert body(refused)["error"]["message"] == "Failed to initiate private recovery."
    assert list(node.store.begin().items(SUBMITTED_SHARES)) == []
    for member in MEMBERS[:2]:
        last = body(node.post(_share_message(node, member)))
    assert last["submittedCount"] == 2
    assert node.state == "ReadingPrivateLedger"


def test_shares_before_the_members_accepted_the_recovery_are_refused() -> None:
    node = SingleNode(MEMBERS)
    node.opened(MEMBERS)
    node.restart_in_recovery()
    assert error(node.post(_share_message(node, MEMBERS[0]))) == (403, "ServiceNotWaitingForRecoveryShares")


def test_the_recovered_service_must_be_named_rightly() -> None:
    node = SingleNode(MEMBERS)
    node.opened(MEMBERS)
    node.restart_in_recovery()
    action = messages.transition_service_to_open(node.service_certificate)
    proposal_id = body(node.propose(MEMBERS[0], action))["proposalId"]
    node.vote(MEMBERS[0], proposal_id)
    refused = node.vote(MEMBERS[1], proposal_id)
    assert error(refused) == (500, "InternalError")
    assert node.read(SERVICE_INFO)["status"] == "Recovering"


def test_a_rekey_waits_until_the_service_is_open() -> None:
    node = SingleNode(MEMBERS)
    node.activate(*MEMBERS)
    proposal_id = body(node.propose(MEMBERS[0], messages.trigger_ledger_rekey()))["proposalId"]
    node.vote(MEMBERS[0], proposal_id)
    refused = node.vote(MEMBERS[1], proposal_id)
    assert "Could not rekey ledger" in body(refused)["error"]["message"]


def test_history_forgets_what_was_rolled_back() -> None:
    history = EncryptedSecretsHistory()
    table = "public:ccf.internal.historical_encrypted_ledger_secret"
    history.observe(5, {table: {bytes(8): b'{"next_version":1}'}})
    history.observe(9, {table: {bytes(8): b"{}"}})
    assert history.values() == ({"next_version": 1}, {"next_version": 10})
    history.rollback(8)
    assert history.values() == ({"next_version": 1},)
