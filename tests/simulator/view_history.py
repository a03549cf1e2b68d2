"""Which view each seqno of a log belongs to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from simulator.kv import TxID


class ViewHistory:
    """The first transaction of every view that wrote something, in order."""

    def __init__(self) -> None:
        self._starts: list[TxID] = []

    @classmethod
    def of_log(cls, last: int, view_at: Callable[[int], int]) -> ViewHistory:
        """Of a log whose entry at seqno s (1..`last`) has the view `view_at(s)`; looks at few of the entries."""
        history = cls()
        seqno = 1
        while seqno <= last:
            view = view_at(seqno)
            history.append(TxID(view, seqno))
            seqno = bisect_right(range(last + 1), view, lo=seqno, key=view_at)
        return history

    @property
    def starts(self) -> tuple[TxID, ...]:
        return tuple(self._starts)

    def append(self, txid: TxID) -> None:
        """The log has grown by `txid`."""
        if not self._starts or self._starts[-1].view != txid.view:
            self._starts.append(txid)

    def rollback(self, seqno: int) -> None:
        """The log was cut after `seqno`."""
        while self._starts and self._starts[-1].seqno > seqno:
            self._starts.pop()

    def view_at(self, seqno: int) -> int:
        """0 before the first transaction; the last view for anything beyond the end."""
        index = bisect_right(self._starts, seqno, key=lambda start: start.seqno)
        return self._starts[index - 1].view if index else 0

    def end_of_view_at(self, seqno: int) -> int | None:
        """Last seqno of the view that `seqno` belongs to; None for the last view."""
        index = bisect_right(self._starts, seqno, key=lambda start: start.seqno)
        return self._starts[index].seqno - 1 if index < len(self._starts) else None

    def last_up_to_view(self, view: int, seqno: int) -> int:
        """The greatest seqno <= `seqno` whose view is <= `view`; 0 if there is none."""
        while seqno and self.view_at(seqno) > view:
            start = self._starts[bisect_right(self._starts, seqno, key=lambda one: one.seqno) - 1]
            seqno = start.seqno - 1
        return seqno
