"""A network on one screen: from what is known to what is printed, without looking anything up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    AttemptResult,
    AttemptSummary,
    Candidate,
    CandidateResult,
    NodeRecord,
    Phase,
    Timeline,
    Verdict,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.cli.advice import NOBODY, advise
from ccf_operator.cli.governance_view import Governance, members_section
from ccf_operator.cli.network import Network
from ccf_operator.cli.output import Commands, titled
from ccf_operator.cli.output import table as new_table
from ccf_operator.cli.words import clock, lineage, shorten, since, span
from ccf_operator.domain.txid import TxID

_PHASES = {
    Phase.RUNNING: "good",
    Phase.DEGRADED: "warn",
    Phase.BLOCKED: "bad",
    Phase.AWAITING_OPEN: "ask",
    Phase.AWAITING_MEMBERS: "ask",
}
_VERDICTS = {Verdict.HEALTHY: "good", Verdict.DEGRADED: "warn", Verdict.SUSPECTED: "warn", Verdict.LOST: "bad"}
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


def screen(
    network: Network,
    live: Mapping[str, NodeAnswers],
    now: datetime,
    flags: Sequence[str] = (),
    governance: Governance | None = None,
) -> RenderableType:
    """Everything about a network. `live`: answers of its nodes by name, empty where they were not asked; `flags`: how
    kubectl finds it, for the commands that are shown; `governance`: of a service that waits for its members."""
    sections = [_head(network, now), _next(network, flags)]
    if governance is not None:
        sections.append(members_section(governance))
    sections.append(_quorum(network, now))
    if network.status.attempt is not None:
        sections.append(_attempt(network.status.attempt, network.status.message, now))
    sections += [_nodes(network, live, now), _volumes(network), _service(network, now)]
    if network.status.history:
        sections.append(history_section(network.status.history))
    return Group(*(line for section in sections for line in (section, "")))


def _head(network: Network, now: datetime) -> RenderableType:
    status = network.status
    style = _PHASES.get(status.phase, "busy")
    word = status.phase.value if status.reason in ("", status.phase.value) else f"{status.phase.value}/{status.reason}"
    age = since(status.phase_since, now)
    line = Text.assemble(
        (network.name, "head"),
        "  ",
        (word, style),
        (f" for {age}" if age else "", "dim"),
        (f"  in namespace {network.namespace}", "dim"),
    )
    return Group(line, Text(shorten(status.message)))


def _next(network: Network, flags: Sequence[str]) -> RenderableType:
    advice = advise(network, flags)
    if advice.who == NOBODY:
        return titled("Next", Text(advice.what))
    return titled("Next", Text.assemble((advice.who, "ask"), f": {shorten(advice.what)}"), _commands(advice.commands))


def _commands(commands: Sequence[tuple[str, str]]) -> RenderableType:
    return Commands(tuple(commands))


def _quorum(network: Network, now: datetime) -> RenderableType:
    quorum = network.status.quorum
    age = since(quorum.since, now)
    verdict = Text.assemble(
        (quorum.verdict.value, _VERDICTS.get(quorum.verdict, "dim")),
        (f" for {age}" if age else "", "dim"),
        f"  {shorten(quorum.message)}" if quorum.message not in ("", network.status.message) else "",
    )
    rows = new_table("node", "seen", "ago")
    for evidence in quorum.evidence:
        rows.add_row(shorten(evidence.node), shorten(evidence.seen), since(evidence.at, now))
    parts: list[RenderableType] = [verdict]
    if quorum.evidence and quorum.verdict is not Verdict.HEALTHY:
        parts.append(rows)
    return titled("Quorum", *parts)


def _attempt(attempt: Attempt, said: str, now: datetime) -> RenderableType:
    waits = attempt.phase in (AttemptPhase.AWAITING_APPROVAL, AttemptPhase.AWAITING_MEMBERS)
    style = "ask" if waits else "busy"
    where = Text.assemble((attempt.phase.value, style), f"  {attempt.reason}" if attempt.reason else "")
    parts: list[RenderableType] = [where]
    if attempt.message and attempt.message not in said:
        parts.append(Text(shorten(attempt.message)))
    parts.append(_candidates(attempt, now))
    parts.append(timeline_line(attempt.timeline))
    if attempt.base_high_water_mark:
        parts.append(Text.assemble(("greatest commit seen before the loss  ", "dim"), attempt.base_high_water_mark))
    parts += [Text.assemble(("may be missing: ", "bad"), shorten(line)) for line in attempt.possible_loss]
    parts += [Text.assemble(("fork: ", "bad"), shorten(line)) for line in attempt.forks]
    return titled(f"Recovery attempt {attempt.number}", *parts)


def _candidates(attempt: Attempt, now: datetime) -> RenderableType:
    table = new_table("", "volume", "result", "TxID", "candidate")
    chosen = attempt.winner.volume if attempt.winner is not None else None
    for candidate in attempt.candidates:
        won = candidate.volume == chosen
        table.add_row(
            Text("★" if won else "", style="good"),
            candidate.volume,
            _result(candidate, now),
            candidate.tx_id or "–",
            Text.assemble(candidate.node or "–", ("  chosen" if won else "", "good")),
        )
    details = [(c.volume, c.detail) for c in attempt.candidates if c.detail]
    return Group(table, *(Text(f"{volume}: {shorten(detail)}", style="dim") for volume, detail in details))


def _result(candidate: Candidate, now: datetime) -> Text:
    if candidate.result is not None:
        return Text(candidate.result.value, style="good" if candidate.result is CandidateResult.RECOVERED else "bad")
    if candidate.stage == "Reading":
        return Text(f"Reading {candidate.progress}", style="busy")
    age = since(candidate.created_at, now)
    return Text(f"{candidate.stage} {age}".rstrip(), style="busy")


def timeline_line(timeline: Timeline) -> Text:
    """The steps that have been done, each with the time since the first."""
    done = [(word, moment) for word, name in _STEPS if (moment := getattr(timeline, name)) is not None]
    if not done:
        return Text("")
    first = done[0][1]
    steps = [f"{word} +{span(moment - first)}" for word, moment in done[1:]]
    return Text.assemble((f"{done[0][0]} {clock(first)} UTC", "dim"), ("".join(f" · {step}" for step in steps), "dim"))


def _nodes(network: Network, live: Mapping[str, NodeAnswers], now: datetime) -> RenderableType:
    status = network.status
    shown, past = _shown_nodes(network)
    table = new_table("node", "role", "state", "machine", "commit", "lag")
    commits = [answers.commit for answers in live.values() if answers.commit is not None]
    front = max(commits, default=None)
    for record in shown:
        answers = live.get(record.name)
        table.add_row(
            record.name,
            _role(record, answers),
            _state(record, answers, now),
            record.machine.name if record.machine else "–",
            str(answers.commit) if answers and answers.commit else "–",
            _lag(answers, front),
        )
    for pod in network.strangers:
        answers = live.get(pod.name)
        service = answers.network.service_key[:8] if answers and answers.network else "unknown"
        what = Text(f"not the operator's! service {service}…", style="bad")
        table.add_row(pod.name, "–", what, pod.machine or "–", "–", "–")
    parts: list[RenderableType] = [table] if shown or network.strangers else [Text("none yet", style="dim")]
    parts += [Text.assemble((f"{r.name}: ", "warn"), shorten(r.note)) for r in shown if r.note]
    if past:
        parts.append(Text(f"{past} earlier node{'s have' if past > 1 else ' has'} ended", style="dim"))
    ready = status.ready_nodes
    return titled(f"Nodes  {ready} serve clients" if ready else "Nodes", *parts)


def _shown_nodes(network: Network) -> tuple[list[NodeRecord], int]:
    """Nodes that run or still count, and how many more there have been."""
    status = network.status
    counted = set(status.configuration.nodes) if status.configuration else set()
    if status.attempt is not None:
        counted |= set(status.attempt.configuration)
    shown = [r for r in status.nodes if r.ended is None or r.node_id in counted]
    return shown, len(status.nodes) - len(shown)


def _role(record: NodeRecord, answers: NodeAnswers | None) -> str:
    if record.ended is None and answers is not None and answers.consensus is not None:
        leading = answers.consensus.leadership == "Leader"
        return "primary" if leading else {"Follower": "backup"}.get(answers.consensus.leadership, "–")
    return "–"


def _state(record: NodeRecord, answers: NodeAnswers | None, now: datetime) -> Text:
    if record.ended is not None:
        code = f" ({record.ended.exit_code})" if record.ended.exit_code is not None else ""
        return Text(f"ended{code} {since(record.ended.at, now)} ago", style="bad")
    if record.stop is not None:
        return Text(f"stopping: {record.stop}", style="warn")
    if answers is not None and answers.impostor:
        return Text("another node answers!", style="bad")
    if answers is not None and not answers.reached:
        return Text("no answer", style="warn")
    if record.fit:
        return Text("serving", style="good")
    if answers is not None and answers.state is not None and record.joined_at is None:
        return Text(answers.state.state, style="busy")
    if record.joined_at is not None:
        return Text("joined", style="good")
    return Text("starting" if record.pod_uid else "planned", style="busy")


def _lag(answers: NodeAnswers | None, front: TxID | None) -> str:
    if answers is None or answers.commit is None or front is None:
        return "–"
    return str(max(front.seqno - answers.commit.seqno, 0))


def _volumes(network: Network) -> RenderableType:
    status = network.status
    if status.found is not None and not status.volumes:
        found = new_table("volume", "service", "holds")
        for claim in status.found.volumes:
            found.add_row(claim.name, f"{claim.service[:8]}…" if claim.service else "–", shorten(claim.shows))
        return titled("Volumes of an earlier network of this name", found)
    if not status.volumes:
        return titled("Volumes", Text("none yet", style="dim"))
    table = new_table("volume", "generations", "used by", "machine")
    for volume in status.volumes:
        users = [r for r in status.nodes if r.volume == volume.name and r.ended is None]
        user = f"{users[-1].name} (gen-{users[-1].generation})" if users else "–"
        table.add_row(volume.name, lineage(volume.lineage), user, volume.machine or "–")
    noted = [(v.name, v.set_aside or v.note) for v in status.volumes]
    notes = [Text.assemble((f"{name}: ", "warn"), shorten(note)) for name, note in noted if note]
    return titled("Volumes", table, *notes)


def _service(network: Network, now: datetime) -> RenderableType:
    service, mark = network.status.service, network.status.high_water_mark
    if service.public_key is None:
        return titled("Service", Text("not created yet", style="dim"))
    facts = [
        *([service.status] if service.status and network.status.attempt is None else []),
        f"recoveries {service.recovery_count}",
        *([f"created at {service.create_tx_id}"] if service.create_tx_id else []),
        *([f"open for {since(service.opened_at, now)}"] if service.opened_at else ["never open"]),
        *([f"committed {mark.tx_id}"] if mark is not None and mark.service == service.public_key else []),
    ]
    key = Text.assemble(("key ", "dim"), (service.public_key, "dim"))
    parts: list[RenderableType] = [Text(" · ".join(facts)), key]
    attempt = network.status.attempt
    if attempt is not None and attempt.winner is not None:
        winner = attempt.winner
        offered = f"offered to the members: recovery {winner.recovery_count} · created at {winner.create_tx_id}"
        parts += [Text(offered, style="ask"), Text.assemble(("key ", "dim"), (winner.public_key, "dim"))]
    return titled("Service" if attempt is None else "Service before the recovery", *parts)


def history_section(history: Sequence[AttemptSummary]) -> RenderableType:
    """The attempts that have ended, newest first."""
    table = new_table("attempt", "result", "TxID", "took", "ended (UTC)", "volume")
    for past in history:
        good = past.result is AttemptResult.SUCCEEDED
        table.add_row(
            str(past.number),
            Text(past.result.value, style="good" if good else "warn"),
            past.tx_id or "–",
            _took(past),
            clock(past.ended_at),
            past.winner_volume or "–",
        )
    notes = [Text(f"{past.number}: {shorten(past.message)}", style="dim") for past in history if past.message]
    return titled("History", table, *notes)


def _took(past: AttemptSummary) -> str:
    begun = past.timeline.suspected_at or past.timeline.proven_at
    return span(past.ended_at - begun) if begun is not None else "–"
