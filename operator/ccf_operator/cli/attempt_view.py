"""Recovery attempts, the present one and those that have ended, for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from ccf_operator.api.status import (
    Approval,
    Attempt,
    AttemptPhase,
    AttemptResult,
    AttemptSummary,
    Candidate,
    CandidateResult,
    CandidateStage,
    Start,
    Timeline,
)
from ccf_operator.cli.network import Network
from ccf_operator.cli.output import Rows, Steps, marked, titled
from ccf_operator.cli.words import clock, mebibytes, shorten, since, span

_STEPS = (
    ("suspected", "suspected_at"),
    ("proven", "proven_at"),
    ("fenced", "fenced_at"),
    ("recovered", "recovered_at"),
    ("chosen", "chosen_at"),
    ("losers gone", "losers_gone_at"),
    ("joined", "joined_at"),
    ("accepted", "accepted_at"),
    ("open", "open_at"),
)


def attempt_section(network: Network, attempt: Attempt, now: datetime) -> RenderableType:
    """The present attempt: how far it is, its candidates, what may be missing."""
    status = network.status
    waits = attempt.phase in (AttemptPhase.AWAITING_APPROVAL, AttemptPhase.AWAITING_MEMBERS)
    style = "ask" if waits else "busy"
    where = Text.assemble(
        (attempt.phase.value, style), f"  {attempt.reason}" if attempt.reason not in ("", status.reason) else ""
    )
    parts: list[RenderableType] = [where]
    if attempt.message and attempt.message not in status.message:
        parts.append(Text(shorten(attempt.message)))
    if attempt.start is not None:
        parts.append(Text(f"started by {by_whom(attempt.start)}"))
    parts.append(_candidates(network.name, attempt, now))
    parts.append(timeline_line(attempt.timeline))
    if attempt.base_high_water_mark:
        parts.append(Text.assemble(("greatest commit seen before the loss  ", "dim"), attempt.base_high_water_mark))
    parts += [marked("may be missing:", shorten(line), "bad") for line in attempt.possible_loss]
    parts += [marked("fork:", shorten(line), "bad") for line in attempt.forks]
    return titled(f"Recovery attempt {attempt.number}", *parts)


def by_whom(decided: Approval | Start) -> str:
    """Name of a decision, with its reason."""
    return f"{decided.decision}: {decided.reason}" if decided.reason else decided.decision


def _candidates(network: str, attempt: Attempt, now: datetime) -> RenderableType:
    rows = Rows("", "volume", "result", "TxID", "candidate", "", network=network)
    chosen = attempt.winner.volume if attempt.winner is not None else None
    for candidate in attempt.candidates:
        won = candidate.volume == chosen
        rows.add(
            Text("★" if won else "", style="good"),
            candidate.volume,
            _result(candidate, now),
            candidate.tx_id or "–",
            candidate.node or "–",
            Text("chosen" if won else "", style="good"),
        )
    return Group(rows, *details(attempt.candidates))


def details(candidates: Sequence[Candidate]) -> list[RenderableType]:
    """What there is to say of each candidate, a line each."""
    return [Text(f"{one.volume}: {shorten(one.detail)}", style="dim") for one in candidates if one.detail]


def _result(candidate: Candidate, now: datetime) -> Text:
    if candidate.result is not None:
        return Text(candidate.result.value, style="good" if candidate.result is CandidateResult.RECOVERED else "bad")
    return Text(how_far(candidate, now), style="busy")


def how_far(candidate: Candidate, now: datetime) -> str:
    """How far a candidate has come that has no result yet."""
    if candidate.stage is CandidateStage.READING:
        return f"Reading {candidate.progress}"
    if candidate.stage is CandidateStage.STAGING and candidate.read is not None and candidate.read.total > 0:
        return f"Staging {mebibytes(candidate.read.done)} of {mebibytes(candidate.read.total)} MiB"
    return f"{candidate.stage} {since(candidate.created_at, now)}".rstrip()


def timeline_line(timeline: Timeline) -> RenderableType:
    """The steps that have been done, each with the time since the first."""
    done = [(word, moment) for word, name in _STEPS if (moment := getattr(timeline, name)) is not None]
    if not done:
        return Steps(())
    first = done[0][1]
    return Steps(
        (f"{done[0][0]} {clock(first)} UTC", *(f"{word} +{span(moment - first)}" for word, moment in done[1:]))
    )


def history_section(network: str, history: Sequence[AttemptSummary]) -> RenderableType:
    """The attempts that have ended, newest first."""
    rows = Rows("attempt", "result", "TxID", "took", "ended (UTC)", "volume", network=network)
    for past in history:
        good = past.result is AttemptResult.SUCCEEDED
        rows.add(
            str(past.number),
            Text(past.result.value, style="good" if good else "warn"),
            past.tx_id or "–",
            _took(past),
            clock(past.ended_at),
            past.winner_volume or "–",
        )
    notes = [Text(f"{past.number}: {shorten(past.message)}", style="dim") for past in history if past.message]
    return titled("History", rows, *notes)


def _took(past: AttemptSummary) -> str:
    begun = past.timeline.suspected_at or past.timeline.proven_at
    return span(past.ended_at - begun) if begun is not None else "–"
