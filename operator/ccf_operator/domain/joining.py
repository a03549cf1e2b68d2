"""After the choice: losers go, joiners come, members are asked, and the service opens again.

Once joiners exist the recovering network is a network of its own: the winner's death is a loss only if that network's
quorum is provably lost.
"""

from __future__ import annotations

from datetime import timedelta

from ccf_operator.api.status import Attempt, AttemptPhase, Command, NodeRecord, Winner
from ccf_operator.domain import attempts
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.fencing import FENCED
from ccf_operator.domain.quorum import Loss, judge_loss, possible_configurations
from ccf_operator.domain.service import ServiceView, ended_nodes, keep_configuration, view_service
from ccf_operator.domain.topology import has_caught_up, has_target, plan_joiner

JOINER_PATIENCE = timedelta(seconds=60)
"""How long members are kept waiting for a joiner whose container has not started."""

JOINER_BACKOFF = timedelta(seconds=5)
"""Least time between the end of a joiner and the start of the next during a recovery."""

LOSER = "Loser"


def recovering_view(draft: Draft, attempt: Attempt, winner: Winner) -> ServiceView:
    """The recovering network, as the winner and its joiners show it."""
    mine = [r for r in draft.status.nodes if r.attempt == attempt.number]
    return view_service(draft, winner.public_key, [r for r in mine if r.name == winner.node or _joins(r)])


def _joins(record: NodeRecord) -> bool:
    return record.command is Command.JOIN


def conduct_joining(draft: Draft, attempt: Attempt, winner: Winner, base: ServiceView) -> ServiceView:
    """Take an attempt whose winner is chosen one look further; the recovering network as seen."""
    view = recovering_view(draft, attempt, winner)
    attempt.network = keep_configuration(attempt.network, draft, view)
    if (loss := judge_recovering_loss(draft, attempt, winner, view)).proven:
        attempts.supersede(draft, attempt, f"the recovering network is lost: {loss.why}")
        return view
    _stop_losers(draft, attempt, winner)
    _stop_the_old(draft)
    _note_joined(draft, attempt, view)
    _want_joiners(draft, attempt, winner, view)
    if _losers_gone(draft, attempt, winner):
        attempt.timeline.losers_gone_at = attempt.timeline.losers_gone_at or draft.now
        if view.is_open():
            attempts.succeed(draft, attempt, winner)
            return view
        if attempt.phase is AttemptPhase.JOINING and _joiners_settled(draft, attempt):
            attempt.phase = AttemptPhase.AWAITING_MEMBERS
            attempt.timeline.joined_at = draft.now
            draft.report("AwaitingMembers", f"attempt {attempt.number}: the members must accept the recovered service")
    draft.status.service.status = service_status(view) or draft.status.service.status
    if attempt.timeline.accepted_at is None and service_status(view) in ("WaitingForRecoveryShares", "Open"):
        attempt.timeline.accepted_at = draft.now
    return view


def service_status(view: ServiceView) -> str | None:
    """The recovering service's status as its primary says it."""
    return view.leader.network.service_status if view.leader is not None and view.leader.network is not None else None


def judge_recovering_loss(draft: Draft, attempt: Attempt, winner: Winner, view: ServiceView) -> Loss:
    """Whether the recovering network has provably lost its quorum."""
    record = draft.status.node(winner.node)
    if view.primary is not None:
        return Loss(False, f"{view.primary} leads with a majority")
    known = attempt.network
    alone = {record.node_id or f"name:{winner.node}"} if record is not None else set()
    committed = set(known.nodes) if known is not None else alone
    joiners = {
        r.node_id or f"name:{r.name}"
        for r in draft.status.nodes
        if r.attempt == attempt.number and _joins(r) and r.pod_uid is not None and r.node_id not in committed
    }
    possible = possible_configurations(committed, [set(p) for p in known.pending] if known else [], joiners)
    return judge_loss(possible, ended_nodes(draft), view.testimonies())


def _losers(draft: Draft, attempt: Attempt, winner: Winner) -> list[NodeRecord]:
    return [
        r
        for r in draft.status.nodes
        if r.attempt == attempt.number and r.command is Command.RECOVER and r.name != winner.node
    ]


def _stop_losers(draft: Draft, attempt: Attempt, winner: Winner) -> None:
    for record in _losers(draft, attempt, winner):
        if record.stop is None:
            record.stop = LOSER


def _stop_the_old(draft: Draft) -> None:
    """What is left of the lost service can commit nothing: it goes, now or when its machine is back."""
    for record in draft.alive():
        if record.attempt is None and record.stop is None:
            record.stop, record.fit = FENCED, False


def _losers_gone(draft: Draft, attempt: Attempt, winner: Winner) -> bool:
    return all(record.ended is not None for record in _losers(draft, attempt, winner))


def _note_joined(draft: Draft, attempt: Attempt, view: ServiceView) -> None:
    leader = view.leader
    if leader is None or not view.configs:
        return
    for record in draft.alive():
        mine = record.attempt == attempt.number and record.name in view.members
        if mine and record.joined_at is None and record.node_id in view.configs[-1].nodes:
            record.joined_at = draft.now if has_caught_up(record, leader) else None


def _want_joiners(draft: Draft, attempt: Attempt, winner: Winner, view: ServiceView) -> None:
    """Joiners before the members vote: CCF trusts them at once then, and not after (CCF facts §7.1)."""
    target = draft.status.node(view.primary or "")
    if target is None or service_status(view) != "Recovering":
        return
    trusted = set(attempt.network.nodes).union(*attempt.network.pending) if attempt.network else set()
    for record in draft.status.nodes:
        hopeless = record.ended is not None or not has_target(draft, record)
        failed = _joins(record) and hopeless and record.node_id not in trusted
        if record.attempt == attempt.number and failed and record.stop is None:
            record.stop = "NotJoined"
    mine = [r for r in draft.status.nodes if r.attempt == attempt.number and _joins(r)]
    if any(r.ended is not None and draft.now - r.ended.at < JOINER_BACKOFF for r in mine):
        return
    missing = draft.seen.spec.nodes - 1 - sum(r.ended is None and r.stop is None for r in mine)
    reserved = _volumes_losers_free(draft, attempt, winner)
    certificate = view.leader.network.service_certificate if view.leader and view.leader.network else None
    for _ in range(missing - reserved if missing > 0 else 0):
        if certificate is not None:
            plan_joiner(draft, target, certificate, attempt.number)


def _volumes_losers_free(draft: Draft, attempt: Attempt, winner: Winner) -> int:
    """Losers that are about to end: joiners take over their volumes, so that volumes do not multiply."""
    return sum(
        record.ended is None and record.name in draft.seen.pods and not _silent(draft, record)
        for record in _losers(draft, attempt, winner)
    )


def _silent(draft: Draft, record: NodeRecord) -> bool:
    machine = (draft.seen.machines or {}).get(record.machine.name) if record.machine is not None else None
    return machine is None or not machine.ready


def _joiners_settled(draft: Draft, attempt: Attempt) -> bool:
    joiners = [r for r in draft.alive() if r.attempt == attempt.number and _joins(r) and r.stop is None]
    waited_for = [r for r in joiners if r.joined_at is None and not _has_long_not_started(draft, r)]
    short = len(joiners) < draft.seen.spec.nodes - 1
    chosen = attempt.timeline.chosen_at or draft.now
    return not waited_for and (not short or draft.now - chosen > JOINER_PATIENCE)


def _has_long_not_started(draft: Draft, record: NodeRecord) -> bool:
    pod = draft.pod(record)
    started = pod is not None and pod.ccf.running
    return not started and draft.now - record.planned_at > JOINER_PATIENCE
