"""Transaction identifiers: `view.seqno`, ordered by view first (CCF facts §8.3)."""

from __future__ import annotations

from typing import NamedTuple


class TxID(NamedTuple):
    """A position in a ledger. Comparison is by view, then seqno, as tuples compare."""

    view: int
    seqno: int

    def __str__(self) -> str:
        return f"{self.view}.{self.seqno}"

    @classmethod
    def parse(cls, text: str) -> TxID:
        """From `view.seqno`, both decimal. Raises ValueError on anything else."""
        view, dot, seqno = text.partition(".")
        if not dot or not (view.isascii() and view.isdigit() and seqno.isascii() and seqno.isdigit()):
            raise ValueError(f"not a transaction id (view.seqno): {text!r}")
        return cls(int(view), int(seqno))


def recovered_tx_id(create: TxID) -> TxID:
    """The last TxID of the ledger a service was recovered from, given the TxID the new service was created at.

    A recovery begins two views above and one seqno after the last signature it found (CCF facts §2, §8.3).
    Raises ValueError if no recovery can have made this TxID.
    """
    if create.view <= 2 or create.seqno <= 1:
        raise ValueError(f"no recovered service is created at {create}")
    return TxID(create.view - 2, create.seqno - 1)
