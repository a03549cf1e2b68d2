"""What is shown while something is waited for: the nodes, or the candidates of a recovery, as a small table."""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.api.status import Attempt, Candidate, NetworkStatus, NodeRecord


@dataclass(frozen=True)
class Board:
    """A table, all text: its headings, its rows, and in a line what in it is not done yet (empty: nothing)."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    unfinished: str = ""


def draw(status: NetworkStatus) -> Board:
    """Candidates until a winner is chosen, else nodes that have not ended."""
    if status.attempt is not None and status.attempt.winner is None:
        return candidates(status.attempt)
    alive = [record for record in status.nodes if record.ended is None]
    return Board(
        ("node", "started to", "volume", "is"),
        tuple((r.name, r.command.value, r.volume, _state(r)) for r in alive),
        ", ".join(f"{r.name} {_state(r)}" for r in alive if r.joined_at is None),
    )


def candidates(attempt: Attempt) -> Board:
    """One row per surviving volume; the winner is marked."""
    chosen = attempt.winner.volume if attempt.winner is not None else None
    rows = tuple(
        (c.volume, c.node or "–", c.tx_id or "–", "winner" if c.volume == chosen else _progress(c))
        for c in attempt.candidates
    )
    unfinished = ", ".join(f"{c.volume} {_progress(c)}" for c in attempt.candidates if c.result is None)
    return Board(("volume", "candidate", "TxID", "is"), rows, unfinished)


def _progress(candidate: Candidate) -> str:
    if candidate.result is not None:
        return candidate.result.value
    return f"{candidate.stage} {candidate.progress}" if candidate.stage == "Reading" else candidate.stage


def _state(record: NodeRecord) -> str:
    if record.stop is not None:
        return "being stopped"
    if record.fit:
        return "serving"
    if record.joined_at is not None:
        return "joined"
    return "starting" if record.pod_uid is not None else "planned"
