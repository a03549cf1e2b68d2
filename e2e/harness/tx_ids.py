"""TxIDs as numbers, so that they compare as CCF orders them: by view, then by seqno."""

from __future__ import annotations

TxID = tuple[int, int]


def tx_id(text: str) -> TxID:
    """(view, seqno) of `view.seqno`. Raises ValueError."""
    view, _, seqno = text.partition(".")
    return int(view), int(seqno)
