"""The verdict about quorum, with its evidence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from ccf_operator.api.spec import seconds
from ccf_operator.api.status import Command, QuorumEvidence, QuorumStatus, Verdict
from ccf_operator.domain.apart import is_apart, what_is_apart
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.ends import in_words
from ccf_operator.domain.quorum import Loss, judge_loss, possible_configurations
from ccf_operator.domain.service import ServiceView, ended_nodes, maybe_trusted
from ccf_operator.domain.silence import in_words_together, is_told, told, what_is_silent
from ccf_operator.domain.suspects import seen_of_pod


def judge_base_loss(draft: Draft, view: ServiceView) -> Loss:
    """Whether the open service has provably lost its quorum, on this look alone."""
    configuration = draft.status.configuration
    if view.primary is not None:
        return Loss(False, f"{view.primary} leads with a majority")
    adopted = draft.status.adopted
    if adopted is not None:
        return Loss(True, f"a person has given up the earlier network and adopted its volumes ({adopted.decision})")
    if configuration is None:
        return Loss(False, "no committed configuration is known")
    known = set(configuration.nodes).union(*configuration.pending)
    joiners = [r for r in draft.own_nodes() if r.command is Command.JOIN]
    possible = possible_configurations(
        set(configuration.nodes),
        [set(p) for p in configuration.pending],
        maybe_trusted(draft, view, known, joiners),
    )
    return judge_loss(possible, ended_nodes(draft), view.testimonies())


def keep_verdict(draft: Draft, view: ServiceView, loss: Loss) -> None:
    """Write the verdict. Silence alone changes it, and only after the quorum-loss window; a proven end does at once."""
    quorum = draft.status.quorum
    quorum.evidence = _keep_times(quorum.evidence, _evidence(draft, view))
    if view.primary is not None:
        quorum.unseen_since = None
        missing = _missing(draft, view, quorum.evidence)
        verdict = Verdict.DEGRADED if missing else Verdict.HEALTHY
        message = f"{view.primary} leads" + (f", without {', '.join(missing)}{_silent(draft)}" if missing else "")
    else:
        quorum.unseen_since = quorum.unseen_since or draft.now
        if loss.proven:
            verdict, message = Verdict.LOST, loss.why
        elif draft.now - quorum.unseen_since < _window(draft):
            verdict, message = quorum.verdict, f"no quorum seen; {loss.why}"
        else:
            verdict, message = Verdict.SUSPECTED, f"no quorum seen; {loss.why}{_silent(draft)}"
    if quorum.verdict is not verdict:
        quorum.since = draft.now
        _report(draft, quorum, verdict, message)
    quorum.verdict, quorum.message = verdict, message


def _silent(draft: Draft) -> str:
    """Which nodes of the service run and do not answer, and why."""
    said = in_words_together(told(draft, draft.own_nodes()))
    return f"; {said}" if said else ""


def _window(draft: Draft) -> timedelta:
    return timedelta(seconds=seconds(draft.seen.spec.recovery.quorum_loss_window))


def _missing(draft: Draft, view: ServiceView, evidence: Iterable[QuorumEvidence]) -> list[str]:
    """Titles of the nodes of the configuration that have ended, or have taken no part for a window."""
    nodes = draft.status.configuration.nodes if draft.status.configuration else []
    return [
        seen.node
        for node, seen in zip(nodes, evidence, strict=True)
        if not _takes_part(draft, view, node) and (_has_ended(draft, node) or draft.now - seen.at >= _window(draft))
    ]


def _has_ended(draft: Draft, node: str) -> bool:
    record = draft.by_node_id(node)
    return record is not None and record.ended is not None


def _takes_part(draft: Draft, view: ServiceView, node: str) -> bool:
    record = draft.by_node_id(node)
    answers = view.members.get(record.name) if record is not None else None
    leader = view.leader.node_id if view.leader is not None else None
    return answers is not None and answers.consensus is not None and answers.consensus.primary_id == leader


def _report(draft: Draft, quorum: QuorumStatus, verdict: Verdict, message: str) -> None:
    if verdict is Verdict.HEALTHY:
        if quorum.verdict is not Verdict.UNKNOWN:
            draft.report("QuorumHealthy", message)
    elif verdict is Verdict.LOST:
        draft.report("QuorumLost", message, warning=True)
    elif verdict is Verdict.SUSPECTED:
        draft.report("QuorumSuspected", message, warning=True)
    elif verdict is Verdict.DEGRADED:
        draft.report("QuorumDegraded", message, warning=True)


def _evidence(draft: Draft, view: ServiceView) -> list[QuorumEvidence]:
    nodes = draft.status.configuration.nodes if draft.status.configuration else []
    return [
        QuorumEvidence(
            node=draft.title(node), seen=_seen_of(draft, view, node), at=draft.now, detail=_detail(draft, view, node)
        )
        for node in nodes
    ]


def _detail(draft: Draft, view: ServiceView, node: str) -> str:
    record = draft.by_node_id(node)
    if record is None:
        return ""
    if is_told(draft, record):
        return what_is_silent(record)
    return what_is_apart(view) if is_apart(draft, view, record) else ""


def _seen_of(draft: Draft, view: ServiceView, node: str) -> str:
    record = draft.by_node_id(node)
    if record is None:
        return "not known to the operator"
    if record.ended is not None:
        return f"ended: {in_words(record.ended)}"
    answers = view.members.get(record.name)
    if answers is None or answers.consensus is None:
        if draft.answers(record) is not None:
            return "answers, takes no part yet"
        return "; ".join(filter(None, ("no answer", seen_of_pod(record, draft.pod(record)))))
    primary = answers.consensus.primary_id
    if primary is None:
        return "answers, sees no primary"
    return "answers, leads" if primary == node else f"answers, follows {draft.title(primary)}"


def _keep_times(before: Iterable[QuorumEvidence], after: list[QuorumEvidence]) -> list[QuorumEvidence]:
    """A detail that is found out later does not make what was seen a new one."""
    known = {(e.node, e.seen): e.at for e in before}
    return [e.model_copy(update={"at": known.get((e.node, e.seen), e.at)}) for e in after]
