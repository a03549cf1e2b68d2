"""How the winner is chosen, and whether it is safe to choose now.

The greatest TxID wins, view first: after a partition a greater seqno may belong to a branch that never committed
(CCF facts §8.3). The choice is safe when the recovered volumes hold so many members of every configuration that may
have been in force that each of its majorities is represented: then one of them holds every committed transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ccf_operator.api.status import Attempt, Candidate, CandidateResult
from ccf_operator.domain.quorum import Members, deciding_minority
from ccf_operator.domain.txid import TxID


@dataclass(frozen=True)
class Choice:
    """The best candidate, and what may be missing from it; nothing may be missing if `possible_loss` is empty."""

    best: Candidate | None
    possible_loss: tuple[str, ...]
    forks: tuple[str, ...] = ()


def recovered(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Candidates that recovered, the greatest TxID first; equal ones by name of volume."""
    found = [c for c in candidates if c.result is CandidateResult.RECOVERED and c.tx_id is not None]
    return sorted(found, key=lambda c: (*(-part for part in TxID.parse(c.tx_id or "")), c.volume))


def configurations_to_cover(attempt: Attempt) -> list[tuple[str, Members]]:
    """Every configuration that may have been in force: the persisted one, and later ones found in sound ledgers."""
    found: dict[Members, str] = {frozenset(attempt.configuration): "the last committed configuration"}
    for pending in attempt.pending:
        found.setdefault(frozenset(pending), "a configuration that was under way")
    for candidate in recovered(attempt.candidates):
        if candidate.survey is None:
            continue
        numbered = zip(candidate.survey.configuration_seqnos, candidate.survey.configurations, strict=False)
        for seqno, nodes in numbered:
            if seqno > attempt.configuration_seqno and nodes:
                found.setdefault(frozenset(nodes), f"the configuration at seqno {seqno} on {candidate.volume}")
    return [(name, nodes) for nodes, name in found.items()]


def choose(attempt: Attempt, volume_of: Mapping[str, str], disk_is_proof: Callable[[str], bool]) -> Choice:
    """Choose among the results.

    `volume_of` maps CCF node ids to the volume whose lineage that very node wrote last; `disk_is_proof` tells of a
    node id whether all that its process had written is known to be on its volume (CCF never syncs its ledger, CCF
    facts §0.20).
    """
    ranking = recovered(attempt.candidates)
    if not ranking:
        return Choice(None, ("no candidate recovered a ledger of this service",))
    best = ranking[0]
    held = {candidate.volume for candidate in ranking}
    losses: list[str] = []
    for name, nodes in configurations_to_cover(attempt):
        covered = {node for node in nodes if volume_of.get(node) in held and disk_is_proof(node)}
        need = deciding_minority(len(nodes))
        if len(covered) < need:
            losses.append(
                f"{name} has {len(nodes)} node(s); the ledgers of {need} of them would prove that nothing committed is "
                f"missing, {len(covered)} could be recovered"
            )
    best_tx_id = TxID.parse(best.tx_id or "")
    if attempt.base_high_water_mark is not None and best_tx_id < (mark := TxID.parse(attempt.base_high_water_mark)):
        losses.append(f"{mark} was seen committed; the best ledger ends at {best_tx_id}")
    return Choice(best, tuple(losses), tuple(_forks(ranking)))


def _forks(ranking: list[Candidate]) -> Iterable[str]:
    """Ledgers that go on, in an older view, beyond where a newer view began to differ."""
    best = ranking[0]
    best_tx_id = TxID.parse(best.tx_id or "")
    for other in ranking[1:]:
        tx_id = TxID.parse(other.tx_id or "")
        if tx_id.view < best_tx_id.view and tx_id.seqno > best_tx_id.seqno:
            yield f"{other.volume} ({tx_id}) is on another branch than {best.volume} ({best_tx_id})"
