"""What is new between two looks at a network's status, told in lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ccf_operator.api.status import (
    Attempt,
    AttemptResult,
    AttemptSummary,
    Candidate,
    CandidateResult,
    Command,
    NetworkStatus,
    NodeRecord,
    Phase,
    Verdict,
)


class Tone(StrEnum):
    """How a line is meant."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    ASK = "ask"


@dataclass(frozen=True)
class News:
    """A line, and how it is meant."""

    text: str
    tone: Tone = Tone.PLAIN


_PHASES = {Phase.RUNNING: Tone.GOOD, Phase.DEGRADED: Tone.BAD, Phase.BLOCKED: Tone.BAD}
_VERDICTS = {Verdict.HEALTHY: Tone.GOOD, Verdict.UNKNOWN: Tone.PLAIN}
_RESULTS = {AttemptResult.SUCCEEDED: Tone.GOOD}


def tell(before: NetworkStatus, after: NetworkStatus) -> list[News]:
    """All news, in the order in which the operator works: nodes, quorum, attempt, phase, what is asked of members."""
    return [
        *_nodes(before, after),
        *_quorum(before, after),
        *_attempt(before.attempt, after),
        *_ended_attempts(before.history, after.history),
        *_phase(before, after),
        *_asked(before, after),
    ]


def _nodes(before: NetworkStatus, after: NetworkStatus) -> Iterator[News]:
    for record in after.nodes:
        known = before.node(record.name)
        if known is None and record.command is not Command.RECOVER:
            yield News(f"starts {record.name} ({record.command.value}), volume {record.volume}")
        if record.joined_at is not None and (known is None or known.joined_at is None):
            yield News(f"{record.name} {_has_become(record)}", Tone.GOOD)
        if record.ended is not None and (known is None or known.ended is None):
            yield _end(known, record)


def _has_become(record: NodeRecord) -> str:
    return "has caught up: it is part of the service" if record.command is Command.JOIN else "is part of the service"


def _end(known: NodeRecord | None, record: NodeRecord) -> News:
    assert record.ended is not None
    if known is not None and known.stop is not None:
        return News(f"{record.name} has ended, as it was told to ({known.stop})")
    code = "" if record.ended.exit_code is None else f", exit code {record.ended.exit_code}"
    return News(f"{record.name} has ended: {record.ended.evidence.value}{code}", Tone.BAD)


def _quorum(before: NetworkStatus, after: NetworkStatus) -> Iterator[News]:
    verdict = after.quorum.verdict
    if verdict is not before.quorum.verdict and verdict is not Verdict.UNKNOWN:
        yield News(f"verdict {verdict.value}: {after.quorum.message}", _VERDICTS.get(verdict, Tone.BAD))


def _attempt(before: Attempt | None, status: NetworkStatus) -> Iterator[News]:
    attempt = status.attempt
    if attempt is None:
        return
    if before is None or before.number != attempt.number:
        before = None
        yield from _begun(attempt)
    known = {c.volume: c for c in before.candidates} if before is not None else {}
    for candidate in attempt.candidates:
        yield from _candidate(known.get(candidate.volume), candidate)
    if attempt.winner is not None and (before is None or before.winner is None):
        winner = attempt.winner
        yield News(f"the winner is {winner.node} with {winner.tx_id}, from {winner.volume}", Tone.GOOD)
    if attempt.timeline.losers_gone_at is not None and (before is None or before.timeline.losers_gone_at is None):
        yield News("every other candidate has provably ended: one service is left to vote on")


def _begun(attempt: Attempt) -> Iterator[News]:
    number = len(attempt.candidates)
    yield News(f"attempt {attempt.number} begins, on this proof:")
    for evidence in attempt.evidence:
        yield News(f"  {evidence.node}: {evidence.seen}")
    yield News(f"one candidate on each of {number} surviving volumes; what they held is only read")


def _candidate(before: Candidate | None, after: Candidate) -> Iterator[News]:
    if after.node is not None and (before is None or before.node is None):
        yield News(f"{after.volume} is fenced; its candidate is {after.node}")
    if after.result is not None and (before is None or before.result is None):
        if after.result is CandidateResult.RECOVERED:
            yield News(f"{after.volume}: Recovered {after.tx_id}", Tone.GOOD)
        else:
            yield News(f"{after.volume}: {after.result.value}: {after.detail or 'no detail'}", Tone.BAD)


def _ended_attempts(before: list[AttemptSummary], after: list[AttemptSummary]) -> Iterator[News]:
    known = {summary.number for summary in before}
    for summary in reversed(after):
        if summary.number not in known:
            text = f"attempt {summary.number} {summary.result.value}: {summary.message}"
            yield News(text, _RESULTS.get(summary.result, Tone.BAD))


def _phase(before: NetworkStatus, after: NetworkStatus) -> Iterator[News]:
    if after.phase is not before.phase:
        message = f": {after.message}" if after.message else ""
        yield News(f"phase {after.phase.value}{message}", _PHASES.get(after.phase, Tone.PLAIN))


def _asked(before: NetworkStatus, after: NetworkStatus) -> Iterator[News]:
    if after.next_step and after.next_step != before.next_step:
        yield News(after.next_step, Tone.ASK)
