"""How the winner is chosen, and whether it is safe to choose now.

The greatest TxID wins, view first: after a partition a greater seqno may belong to a branch that never committed
(CCF facts §8.3). The choice is safe when the recovered volumes hold so many members of every configuration that may
have been in force that each of its majorities is represented: then one of them holds every committed transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ccf_operator.api.status import Attempt, Candidate, CandidateResult, Survey
from ccf_operator.domain.quorum import Members, deciding_minority
from ccf_operator.domain.txid import TxID
from ccf_operator.wording import counted

NO_CONFIGURATION = "it is not known which nodes the service had last, so none of the ledgers can be shown to be whole"


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


def best_of(attempt: Attempt) -> Candidate | None:
    """The candidate to choose: the pinned one, if it has recovered; else one with the greatest TxID.

    Of those with the same, one that was not chosen just before in vain: its ledger may show only when it is decrypted
    that it does not read.
    """
    ranking = recovered(attempt.candidates)
    if attempt.pinned is not None:
        return next((c for c in ranking if c.volume == attempt.pinned), None)
    equal = [c for c in ranking if c.tx_id == ranking[0].tx_id]
    return next((c for c in equal if c.volume not in attempt.tried), equal[0] if equal else None)


def configurations_to_cover(attempt: Attempt) -> list[tuple[str, Members]]:
    """Every configuration that may have been in force: the persisted one, and later ones found in sound ledgers."""
    found: dict[Members, str] = {}
    if attempt.configuration:
        found[frozenset(attempt.configuration)] = "the last committed configuration"
    for pending in attempt.pending:
        found.setdefault(frozenset(pending), "a configuration that was under way")
    for candidate, survey in _sound_surveys(attempt):
        for seqno, nodes in zip(survey.configuration_seqnos, survey.configurations, strict=False):
            if seqno > attempt.configuration_seqno and nodes:
                found.setdefault(frozenset(nodes), f"the configuration at seqno {seqno} on {candidate.volume}")
    return [(name, nodes) for nodes, name in found.items()]


def _sound_surveys(attempt: Attempt) -> Iterator[tuple[Candidate, Survey]]:
    for candidate in attempt.candidates:
        ours = candidate.result is not CandidateResult.WRONG_SERVICE
        if ours and candidate.survey is not None and candidate.survey.sound:
            yield candidate, candidate.survey


class DiskDoubt(StrEnum):
    """Why it is not known whether all that a node's process had written is on its volume (CCF facts §0.20)."""

    END_NOT_SEEN = "EndNotSeen"
    OUT_OF_SERVICE = "OutOfService"
    MACHINE_DELETED = "MachineDeleted"
    MACHINE_RESTARTED = "MachineRestarted"


_IN_WORDS: Mapping[DiskDoubt, str] = {
    DiskDoubt.END_NOT_SEEN: "the end of its process was not seen",
    DiskDoubt.OUT_OF_SERVICE: "its machine was said to be out of service",
    DiskDoubt.MACHINE_DELETED: "its Kubernetes Node is gone",
    DiskDoubt.MACHINE_RESTARTED: "its machine was not seen to run on, with the same boot id, after the process's end",
}


def choose(attempt: Attempt, volume_of: Mapping[str, str], doubt_about: Callable[[str], DiskDoubt | None]) -> Choice:
    """Choose among the results.

    `volume_of` maps CCF node ids to the volume whose lineage that very node wrote last; `doubt_about` tells of a node
    id why its volume may lack what its process had written last (CCF never syncs its ledger, CCF facts §0.20), None
    where nothing of it can be missing.
    """
    ranking, best = recovered(attempt.candidates), best_of(attempt)
    if best is None:
        pinned = f" {attempt.pinned} is pinned" if attempt.pinned is not None and ranking else ""
        return Choice(None, (f"no candidate recovered a ledger of this service{pinned and ':'}{pinned}",))
    held = {candidate.volume for candidate in ranking}
    losses: list[str] = []
    for name, nodes in configurations_to_cover(attempt):
        at_hand = {node for node in nodes if volume_of.get(node) in held}
        losses.extend(_shortage(name, len(nodes), [doubt_about(node) for node in sorted(at_hand)]))
    losses.extend(_untold(attempt) if attempt.configuration else [NO_CONFIGURATION])
    losses.extend(_doubts(attempt))
    losses.extend(_below_the_mark(attempt, best))
    losses.extend(_beyond(best, ranking))
    return Choice(best, tuple(losses), tuple(_forks(ranking)))


def _shortage(name: str, size: int, at_hand: Sequence[DiskDoubt | None]) -> Iterator[str]:
    """`at_hand`: of each member whose ledger could be recovered, why that may lack something."""
    need, doubts = deciding_minority(size), Counter(doubt for doubt in at_hand if doubt is not None)
    if len(at_hand) - doubts.total() >= need:
        return
    why = ", ".join(f"{_IN_WORDS[doubt]} ({counted(number, 'node')})" for doubt, number in sorted(doubts.items()))
    doubtful = f"; {doubts.total()} of these may lack what was written last: {why}" if doubts else ""
    yield (
        f"{name} has {counted(size, 'node')}: only the whole ledgers of {need} of them show that nothing committed is "
        f"missing, {len(at_hand)} could be recovered{doubtful}"
    )


def _untold(attempt: Attempt) -> Iterator[str]:
    """A survey tells of the last few configurations only: one that begins after the known one leaves some out."""
    for candidate, survey in _sound_surveys(attempt):
        if min(survey.configuration_seqnos, default=attempt.configuration_seqno + 1) > attempt.configuration_seqno:
            yield f"{candidate.volume} records more changes of the configuration than its survey tells"


def _doubts(attempt: Attempt) -> Iterator[str]:
    """A failed attempt's service that members may have opened unseen, as far as the candidates' volumes tell."""
    for candidate in attempt.candidates:
        if candidate.survey is not None:
            yield from (f"{candidate.volume}: {doubt}" for doubt in candidate.survey.doubts)
        elif candidate.doubtful:
            yield f"{candidate.volume}, which could not be read, may show that a failed attempt's service was opened"


def _below_the_mark(attempt: Attempt, best: Candidate) -> Iterator[str]:
    """What was committed stays in every later view: a ledger that lacks its place, or its view, lacks it."""
    if attempt.base_high_water_mark is None:
        return
    mark, end = TxID.parse(attempt.base_high_water_mark), TxID.parse(best.tx_id or "")
    if end < mark or end.seqno < mark.seqno:
        yield f"{mark} was seen committed; the best ledger ends at {end}"


def _beyond(best: Candidate, ranking: list[Candidate]) -> Iterator[str]:
    """Ledgers that hold more than the pinned one."""
    end = TxID.parse(best.tx_id or "")
    for other in ranking:
        if TxID.parse(other.tx_id or "") > end:
            yield f"{other.volume} goes on to {other.tx_id}, beyond {end}, where the pinned {best.volume} ends"


def _forks(ranking: list[Candidate]) -> Iterable[str]:
    """Ledgers that go on, in an older view, beyond where a newer view began to differ."""
    best = ranking[0]
    best_tx_id = TxID.parse(best.tx_id or "")
    for other in ranking[1:]:
        tx_id = TxID.parse(other.tx_id or "")
        if tx_id.view < best_tx_id.view and tx_id.seqno > best_tx_id.seqno:
            yield f"{other.volume} ({tx_id}) is on another branch than {best.volume} ({best_tx_id})"
