"""Which nodes may join and leave an open service in one step, so that its quorum stays safe all the way.

A change needs a majority of the nodes before it and a majority of those after it (CCF facts §0.9, §7.1); whoever is
trusted counts at once, whether it lives or not.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from ccf_operator.domain.quorum import majority


@dataclass(frozen=True)
class NodeChange:
    """CCF node ids to remove and to trust, in one proposal."""

    remove: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()


@dataclass(frozen=True)
class Membership:
    """Who is part of a service (CCF node ids), and how it is with them.

    `trusted` is the one configuration in force, `ended` those who have provably ended, `following` those who are seen
    to follow `primary`, itself included.
    """

    trusted: Set[str]
    ended: Set[str]
    following: Set[str]
    primary: str


def next_change(now: Membership, joiners: Sequence[str], spare: Sequence[str], wanted: int) -> NodeChange:
    """The next step towards `wanted` living nodes; empty where there is none that is safe.

    `joiners` wait to be trusted and are alive; `spare` are nodes that could go, the first before the others. Whoever
    has ended goes first, and at once; others come with that or after it, and leave one at a time.
    """
    gone = now.trusted & now.ended
    staying = now.trusted - gone
    trust = tuple(joiners[: _may_come(now, len(staying), min(len(joiners), wanted - len(staying)), wanted)])
    if gone or trust:
        return NodeChange(tuple(sorted(gone)), trust)
    if len(staying) > wanted:
        return NodeChange(remove=_may_go(now, spare))
    return NodeChange()


def _may_come(now: Membership, staying: int, most: int, wanted: int) -> int:
    """How many may be trusted together: as many as leave those who are there already a quorum by themselves.

    A node that is alone has no such choice. Where three or more are wanted two come together, so that one of them may
    fail on the way.
    """
    if len(now.trusted) == 1:
        fewest = min(wanted - 1, 2)
        return fewest if most >= fewest else 0
    sure = len((now.following & now.trusted) - now.ended)
    return next((count for count in range(most, 0, -1) if majority(staying + count) <= sure), 0)


def _may_go(now: Membership, spare: Sequence[str]) -> tuple[str, ...]:
    """One node without which those who remain, and are seen to follow, are a quorum; never the primary."""
    left = len(now.trusted) - 1
    for node in spare:
        sure = (now.following & now.trusted) - {node}
        if node in now.trusted and node != now.primary and len(sure) >= majority(left):
            return (node,)
    return ()
