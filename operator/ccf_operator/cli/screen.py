"""A network on one screen: from what is known to what is printed, without looking anything up."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from ccf_operator.api.status import NodeRecord, Phase, Verdict
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.cli.advice import NOBODY, advise
from ccf_operator.cli.attempt_view import attempt_section, history_section
from ccf_operator.cli.governance_view import Governance, members_section, written_section
from ccf_operator.cli.network import Network
from ccf_operator.cli.output import Commands, Rows, marked, titled
from ccf_operator.cli.words import by_number, lineage, shorten, since
from ccf_operator.domain.conditions import ConditionType
from ccf_operator.domain.txid import TxID

_PHASES = {
    Phase.RUNNING: "good",
    Phase.DEGRADED: "warn",
    Phase.BLOCKED: "bad",
    Phase.AWAITING_OPEN: "ask",
    Phase.AWAITING_MEMBERS: "ask",
}
_LAST_ATTEMPTS = 3
"""How many of those that have ended are shown."""
_VERDICTS = {Verdict.HEALTHY: "good", Verdict.DEGRADED: "warn", Verdict.SUSPECTED: "warn", Verdict.LOST: "bad"}


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
    elif network.status.governance is not None:
        sections.append(written_section(network.status.governance))
    sections.append(_quorum(network, now))
    if network.status.attempt is not None:
        sections.append(attempt_section(network, network.status.attempt, now))
    sections += [_nodes(network, live, now), _volumes(network), _service(network, now)]
    if network.status.history:
        sections.append(_history(network, flags))
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
    said = status.message if status.found is None else status.message.partition(". ")[0]  # the volumes follow below
    return Group(line, Text(shorten(said))) if said else line


def _next(network: Network, flags: Sequence[str]) -> RenderableType:
    advice = advise(network, flags)
    who = Text.assemble((advice.who, "ask"), ": ") if advice.who != NOBODY else Text("")
    return titled("Next", who.append(shorten(advice.what)), Commands(advice.commands))


def _quorum(network: Network, now: datetime) -> RenderableType:
    quorum, attempt = network.status.quorum, network.status.attempt
    chosen = attempt is not None and attempt.winner is not None
    age = since(quorum.since, now)
    verdict = Text.assemble(
        (quorum.verdict.value, _VERDICTS.get(quorum.verdict, "dim")),
        (f" for {age}" if age else "", "dim"),
        f"  {shorten(quorum.message)}" if quorum.message not in ("", network.status.message) else "",
    )
    rows = Rows("node", "seen", "ago", network=network.name)
    for evidence in sorted(quorum.evidence, key=lambda one: by_number(one.node)):
        rows.add(shorten(evidence.node), shorten(evidence.detail or evidence.seen), since(evidence.at, now))
    shown = bool(quorum.evidence) and quorum.verdict is not Verdict.HEALTHY and not chosen
    return titled("Quorum before the recovery" if chosen else "Quorum", verdict, *([rows] if shown else []))


def _nodes(network: Network, live: Mapping[str, NodeAnswers], now: datetime) -> RenderableType:
    status = network.status
    shown, past = _shown_nodes(network)
    rows = Rows("node", "role", "state", "machine", "commit", "lag", network=network.name)
    commits = [answers.commit for answers in live.values() if answers.commit is not None]
    front = max(commits, default=None)
    for record in shown:
        answers = live.get(record.name)
        rows.add(
            record.name,
            _role(record, answers),
            _state(record, answers, now),
            record.machine.name if record.machine else "–",
            str(answers.commit) if answers and answers.commit else "–",
            _lag(answers, front),
        )
    for pod in network.strangers:
        rows.add(pod.name, "–", Text("not the operator's!", style="bad"), pod.machine or "–", "–", "–")
    parts: list[RenderableType] = [rows] if shown or network.strangers else [Text("none yet", style="dim")]
    parts += [marked(f"{record.name}:", shorten(record.note), "warn") for record in shown if record.note]
    parts += [marked(f"{pod.name}:", _about_stranger(live.get(pod.name)), "bad") for pod in network.strangers]
    if past:
        parts.append(Text(f"{past} earlier node{'s have' if past > 1 else ' has'} ended", style="dim"))
    ready = status.ready_nodes
    return titled(f"Nodes  {ready} serve clients" if ready else "Nodes", *parts)


def _about_stranger(answers: NodeAnswers | None) -> str:
    service = f"of service {answers.network.service_key[:8]}…; " if answers and answers.network else ""
    return f"{service}find out who made it; members sign nothing for it"


def _shown_nodes(network: Network) -> tuple[list[NodeRecord], int]:
    """Nodes that run or are still part of the service, and how many more there have been. While a recovery goes on,
    nobody counts on those that have ended any more: the evidence tells of them."""
    status = network.status
    counted = set(status.configuration.nodes) if status.configuration and not status.attempt else set()
    shown = [r for r in status.nodes if r.ended is None or r.node_id in counted]
    return sorted(shown, key=lambda record: by_number(record.name)), len(status.nodes) - len(shown)


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
        found = Rows("volume", "holds", network=network.name)
        for claim in status.found.volumes:
            found.add(claim.name, shorten(claim.shows))
        return titled("Volumes of an earlier network of this name", found)
    if not status.volumes:
        return titled("Volumes", Text("none yet", style="dim"))
    rows = Rows("volume", "generations", "used by", "machine", network=network.name)
    for volume in status.volumes:
        users = [r for r in status.nodes if r.volume == volume.name and r.ended is None]
        user = f"{users[-1].name} (gen-{users[-1].generation})" if users else "–"
        rows.add(volume.name, lineage(volume.lineage), user, volume.machine or "–")
    noted = [(v.name, v.set_aside or v.note) for v in status.volumes]
    notes = [marked(f"{name}:", shorten(note), "warn") for name, note in noted if note]
    return titled("Volumes", rows, *notes)


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
    key = Text.assemble(("key ", "dim"), service.public_key)
    parts: list[RenderableType] = [Text(" · ".join(facts)), key]
    attempt = network.status.attempt
    if attempt is not None and attempt.winner is not None:
        winner = attempt.winner
        offered = f"offered to the members: recovery {winner.recovery_count} · created at {winner.create_tx_id}"
        parts += [Text(offered, style="ask"), Text.assemble(("key ", "dim"), winner.public_key)]
    parts += _operator_member(network)
    return titled("Service" if attempt is None else "Service before the recovery", *parts)


def _operator_member(network: Network) -> list[RenderableType]:
    """Whether the operator can act as a member, where it has one."""
    conditions = network.status.conditions
    found = next((one for one in conditions if one.type == ConditionType.OPERATOR_MEMBER_USABLE), None)
    if found is None:
        return []
    return [marked("operator's member:", shorten(found.message), "warn" if found.status == "False" else "dim")]


def _history(network: Network, flags: Sequence[str]) -> RenderableType:
    """The last attempts, and where to see those before."""
    history = network.status.history
    section = history_section(network.name, history[:_LAST_ATTEMPTS])
    if len(history) <= _LAST_ATTEMPTS:
        return section
    more = shlex.join(["kubectl", "ccf", "recovery", "history", network.name, *flags])
    return Group(section, Commands(((more, f"the {len(history) - _LAST_ATTEMPTS} before"),)))
