from __future__ import annotations

import pytest

from ccf_operator.domain.txid import TxID, recovered_tx_id


def test_a_greater_view_beats_any_seqno() -> None:
    assert max(TxID.parse("2.99"), TxID.parse("4.60")) == TxID(4, 60)


def test_seqno_is_compared_as_a_number() -> None:
    assert TxID.parse("2.100") > TxID.parse("2.99")


@pytest.mark.parametrize("text", ["", "2", "2.", ".3", "2.3.4", "-1.2", "2.-3", "a.b", "２.3", " 2.3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a transaction id"):
        TxID.parse(text)


# What real nodes answered (CCF facts §8.3): create TxID, last signature recovered.
@pytest.mark.parametrize(("create", "recovered"), [("4.184", "2.183"), ("6.61", "4.60"), ("4.43", "2.42")])
def test_recovered_tx_id(create: str, recovered: str) -> None:
    assert str(recovered_tx_id(TxID.parse(create))) == recovered


@pytest.mark.parametrize("create", ["2.1", "2.50", "4.1"])
def test_a_started_service_was_not_recovered(create: str) -> None:
    with pytest.raises(ValueError, match="no recovered service"):
        recovered_tx_id(TxID.parse(create))
