import pytest

from simulator.ledger_crypto import (
    DecryptionFailed,
    LedgerSecrets,
    commit_evidence,
    new_key,
    open_sealed,
    seal,
    unwrap,
    wrap,
)

FIRST, SECOND, THIRD = (bytes([n]) * 32 for n in (1, 2, 3))


def secrets() -> LedgerSecrets:
    known = LedgerSecrets()
    known.add(10, SECOND)
    known.add(1, FIRST)
    return known


def test_a_secret_covers_what_follows_its_version_up_to_the_next() -> None:
    known = secrets()
    assert [known.key_for(seqno) for seqno in (0, 1, 9, 10, 99)] == [None, FIRST, FIRST, SECOND, SECOND]
    assert known.latest == (10, SECOND)
    assert list(known.items()) == [(1, FIRST), (10, SECOND)]


def test_a_version_keeps_its_key() -> None:
    known = secrets()
    known.add(10, SECOND)
    with pytest.raises(ValueError, match="10"):
        known.add(10, THIRD)


def test_rolling_back_keeps_the_secret_of_the_very_next_entry() -> None:
    known = secrets()
    known.rollback(9)
    assert known.latest == (10, SECOND)
    known.rollback(8)
    assert known.latest == (1, FIRST)
    known.rollback(0)
    assert known.latest == (1, FIRST)


def test_no_secret_at_all() -> None:
    with pytest.raises(LookupError):
        _ = LedgerSecrets().latest


@pytest.mark.parametrize("damage", ["key", "iv", "tag", "cipher", "authenticated"])
def test_sealed_data_opens_only_unchanged(damage: str) -> None:
    key, iv = new_key(), bytes(12)
    tag, cipher = seal(key, iv, b"private", b"public")
    assert open_sealed(key, iv, tag, cipher, b"public") == b"private"
    parts = {"key": key, "iv": iv, "tag": tag, "cipher": cipher, "authenticated": b"public"}
    parts[damage] = bytes([parts[damage][0] ^ 1]) + parts[damage][1:]
    with pytest.raises(DecryptionFailed):
        open_sealed(**parts)


def test_a_wrapped_secret_opens_with_its_key_only() -> None:
    wrapped = wrap(FIRST, SECOND)
    assert len(wrapped) == 16 + 12 + 32
    assert unwrap(FIRST, wrapped) == SECOND
    for bad in (wrapped[:20], wrapped[:-1]):
        with pytest.raises(DecryptionFailed):
            unwrap(FIRST, bad)
    with pytest.raises(DecryptionFailed):
        unwrap(THIRD, wrapped)


def test_commit_evidence_depends_on_secret_and_transaction() -> None:
    evidence = commit_evidence(FIRST, "2.7")
    assert evidence.startswith("ce:2.7:")
    assert len(evidence) == len("ce:2.7:") + 64
    assert len({evidence, commit_evidence(SECOND, "2.7"), commit_evidence(FIRST, "2.8")}) == 3
