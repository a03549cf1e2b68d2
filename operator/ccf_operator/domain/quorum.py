"""What the observations prove about quorum.

A majority of a configuration can never form again once so many of its nodes have provably ended that the rest are
fewer than a majority; a CCF process never comes back (CCF facts §0.1). Silence proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

Members = frozenset[str]


def majority(size: int) -> int:
    """The number of nodes that makes a quorum of a configuration of `size` nodes (CCF facts §9)."""
    return size // 2 + 1


def deciding_minority(size: int) -> int:
    """The least number of nodes of which every quorum holds at least one: N - majority(N) + 1."""
    return size - majority(size) + 1


def cannot_form_again(configuration: Set[str], ended: Set[str]) -> bool:
    """Whether so many nodes of this configuration have ended that no majority of it can ever form again."""
    return len(configuration & ended) >= deciding_minority(len(configuration))


def possible_configurations(
    committed: Set[str], pending: Iterable[Set[str]], maybe_trusted: Set[str]
) -> frozenset[Members]:
    """Every configuration that may be in force now, as far as it matters to whether a majority can form.

    The last one known to be committed, those that were known to be under way, and each of them with the living joiners
    that members may have trusted since the last look: all of them together, for that is the case in which most could
    still vote.
    """
    known = [frozenset(committed), *(frozenset(p) for p in pending)]
    return frozenset([*known, *(base | maybe_trusted for base in known)])


@dataclass(frozen=True)
class Testimony:
    """What a node that still answers says: the configurations it knows to be active, and who leads."""

    node_id: str
    configurations: tuple[Members, ...]
    primary: str | None
    leads: bool


@dataclass(frozen=True)
class Loss:
    """Whether the loss of quorum is proven, and the reason where it is not."""

    proven: bool
    why: str


def judge_loss(possible: Iterable[Members], ended: Set[str], testimonies: Iterable[Testimony]) -> Loss:
    """Decide whether quorum is provably lost.

    Proven when in every configuration that may be in force no majority can form again, and no survivor contradicts:
    by a configuration that could still form a majority, or by a primary that is neither itself nor known to have
    ended. A survivor that still leads a configuration which can never form a majority again is merely late
    (CheckQuorum lets it lead for one election timeout, CCF facts §9).
    """
    configurations = list(possible)
    if not configurations or not all(configurations):
        return Loss(False, "no committed configuration is known")
    for configuration in configurations:
        if not cannot_form_again(configuration, ended):
            gone = len(configuration & ended)
            need = deciding_minority(len(configuration))
            return Loss(
                False,
                f"{gone} of {len(configuration)} nodes have provably ended; {need} would prove the loss of quorum",
            )
    for testimony in testimonies:
        for configuration in testimony.configurations:
            if configuration and not cannot_form_again(configuration, ended):
                return Loss(
                    False, f"node {testimony.node_id[:8]} reports a configuration that can still form a majority"
                )
        if testimony.primary and testimony.primary != testimony.node_id and testimony.primary not in ended:
            return Loss(False, f"node {testimony.node_id[:8]} reports the living primary {testimony.primary[:8]}")
    return Loss(True, "in every configuration that may be in force, no majority can ever form again")


def agreed_primary(
    configurations: Iterable[Members], opinions: Mapping[str, tuple[str | None, int | None]]
) -> str | None:
    """The primary that a majority of every active configuration agrees on, in the same view, itself included.

    `opinions` maps each node that answered to (primary id, view). None: no such primary (CCF facts §9).
    """
    leaders = {primary: view for node, (primary, view) in opinions.items() if primary == node}
    for primary, view in sorted(leaders.items(), key=lambda item: -(item[1] or 0)):
        agreeing = {node for node, opinion in opinions.items() if opinion == (primary, view)}
        if all(len(c & agreeing) >= majority(len(c)) for c in configurations):
            return primary
    return None
