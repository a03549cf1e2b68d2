"""After the choice: losers go, joiners come, members are asked, and the service opens again.

Once joiners exist the recovering network is a network of its own: the winner's death is a loss only if that network's
quorum is provably lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ccf_operator.api.spec import seconds
from ccf_operator.api.status import Attempt, AttemptPhase, AttemptResult, Command, NodeRecord, Winner
from ccf_operator.domain import attempts
from ccf_operator.domain.awaiting import SERVICE_RECOVERING, Awaited, what_is_awaited
from ccf_operator.domain.candidates import gave_up
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.fencing import FENCED
from ccf_operator.domain.joiners import note_joined, plan_joiners, stop_failed
from ccf_operator.domain.quorum import Loss, cannot_form_again, judge_loss, possible_configurations
from ccf_operator.domain.service import (
    ServiceView,
    ended_nodes,
    keep_configuration,
    keep_high_water_mark,
    keep_service,
    maybe_trusted,
    view_service,
)
from ccf_operator.domain.stranded import keep_stranded
from ccf_operator.domain.transitions import move
from ccf_operator.domain.two_services import ask_which_goes_on
from ccf_operator.domain.txid import TxID
from ccf_operator.domain.unregistered import keep_unregistered

JOINER_PATIENCE = timedelta(seconds=60)
"""How long members are kept waiting for a joiner whose container has not started."""

DEAD_END_PATIENCE = timedelta(seconds=10)
"""How long the state that CCF cannot leave must have been seen: a node passes through it when it opens the service."""

LOSER = "Loser"

DOUBTED = "LossDoubted"
"""Reason of an attempt that waits, for a node of the lost service says something that does not fit its loss."""


def conduct_joining(draft: Draft, attempt: Attempt, winner: Winner, base: ServiceView, loss: Loss) -> ServiceView:
    """Take an attempt whose winner is chosen one look further; the recovering network as seen.

    `base` and `loss` are of the service being recovered, on this very look.
    """
    view = recovering_view(draft, attempt, winner)
    attempt.network = keep_configuration(attempt.network, draft, view)
    keep_stranded(draft, view, joiners(draft, attempt))
    keep_unregistered(draft, view, joiners(draft, attempt))
    attempt.leaderless_since = None if view.primary is not None else attempt.leaderless_since or draft.now
    _note_acceptance(draft, attempt, view)
    if base.primary is not None and not attempt.given_up and not may_have_been_accepted(draft, attempt, winner):
        attempts.abandon(draft, attempt, f"the quorum came back: {base.primary} leads")
    elif view.is_open() and loss.proven:
        attempts.succeed(draft, attempt, winner)
        keep_service(draft, view)
        keep_high_water_mark(draft, view)
    elif not _give_up(draft, attempt, winner, view):
        _go_on(draft, attempt, winner, view, base, loss)
    return view


def recovering_view(draft: Draft, attempt: Attempt, winner: Winner) -> ServiceView:
    """The recovering network, as the winner and its joiners show it."""
    return view_service(draft, winner.public_key, list(_network(draft, attempt, winner)))


def service_status(view: ServiceView) -> str | None:
    """The recovering service's status as its primary says it."""
    return view.leader.network.service_status if view.leader is not None and view.leader.network is not None else None


def losers(draft: Draft, attempt: Attempt, winner: Winner) -> list[NodeRecord]:
    """The candidates that were not chosen; those of earlier attempts too, which members could open as well."""
    return [
        r
        for r in draft.status.nodes
        if r.attempt is not None
        and r.command is Command.RECOVER
        and r.name != winner.node
        and (r.attempt == attempt.number or not _was_given_up_as_lost(draft, r))
    ]


def _was_given_up_as_lost(draft: Draft, record: NodeRecord) -> bool:
    """Whether it is the winner of an attempt whose network provably can never be opened any more."""
    return any(
        past.number == record.attempt
        and past.result is AttemptResult.SUPERSEDED
        and past.winner_volume == record.volume
        for past in draft.status.history
    )


def joiners(draft: Draft, attempt: Attempt) -> list[NodeRecord]:
    """The joiners of the attempt."""
    return [r for r in draft.status.nodes if r.attempt == attempt.number and r.command is Command.JOIN]


def _network(draft: Draft, attempt: Attempt, winner: Winner) -> Iterator[NodeRecord]:
    yield from (r for r in draft.status.nodes if r.name == winner.node)
    yield from joiners(draft, attempt)


def _note_acceptance(draft: Draft, attempt: Attempt, view: ServiceView) -> None:
    draft.status.service.status = service_status(view) or draft.status.service.status
    said = {a.network.service_status for a in view.members.values() if a.network is not None}
    if said - {SERVICE_RECOVERING}:
        attempt.timeline.accepted_at = attempt.timeline.accepted_at or draft.now


def may_have_been_accepted(draft: Draft, attempt: Attempt, winner: Winner) -> bool:
    """Whether the members may have accepted the recovered service; its living primary can say that they have not."""
    awaits = what_is_awaited(recovering_view(draft, attempt, winner))
    if attempt.timeline.accepted_at is not None:
        return True
    return _may_have_been_opened(draft, attempt) if awaits is None else awaits is not Awaited.ACCEPT_SERVICE


def _give_up(draft: Draft, attempt: Attempt, winner: Winner, view: ServiceView) -> bool:
    """End the attempt if its network can never be opened any more; whether it did."""
    loss = judge_recovering_loss(draft, attempt, winner, view)
    if loss.proven:
        if attempt.network is not None and _may_have_been_opened(draft, attempt):
            attempts.leave_unsettled(draft, attempt, winner, attempt.network)
        else:
            attempts.leave_doubtful(draft, attempt, winner)
        attempts.supersede(draft, attempt, f"the recovering network is lost: {loss.why}{_who_gave_up(draft, attempt)}")
    elif _waits_for_the_dead(draft, attempt, winner, view):
        attempts.supersede(draft, attempt, "a joiner ended once it was trusted, and no quorum can form without it")
    elif _is_in_the_dead_end(draft, attempt, view):
        attempts.supersede(
            draft,
            attempt,
            "the shares were submitted, but whoever was to open the service ended before that was committed, and no "
            "node of it can open it any more (CCF facts §8.8); it was never open: "
            f"{attempt.stuck_at} to {view.commit()} have been seen committed since",
        )
    return draft.status.attempt is not attempt


def _who_gave_up(draft: Draft, attempt: Attempt) -> str:
    """What its nodes said that ended by themselves, as on a ledger that cannot be decrypted (CCF facts §4.6)."""
    said = [
        f"{record.name} on {record.volume}: {why}"
        for record in draft.status.nodes
        if record.attempt == attempt.number and record.ended is not None and (why := gave_up(record.ended)) is not None
    ]
    return f" ({'; '.join(said)})" if said else ""


def _may_have_been_opened(draft: Draft, attempt: Attempt) -> bool:
    """Whether members had the time: they were asked, or need not wait for it while the operator is away."""
    asked = attempt.phase is AttemptPhase.AWAITING_MEMBERS or attempt.timeline.accepted_at is not None
    return asked or draft.now - (attempt.timeline.chosen_at or draft.now) > JOINER_PATIENCE


def judge_recovering_loss(draft: Draft, attempt: Attempt, winner: Winner, view: ServiceView) -> Loss:
    """Whether the recovering network has provably lost its quorum."""
    record = draft.status.node(winner.node)
    if view.primary is not None:
        return Loss(False, f"{view.primary} leads with a majority")
    known = attempt.network
    alone = {record.node_id or f"name:{winner.node}"} if record is not None else set()
    committed = set(known.nodes) if known is not None else alone
    told = committed.union(*known.pending) if known is not None else committed
    maybe = maybe_trusted(draft, view, told, joiners(draft, attempt))
    possible = possible_configurations(committed, [set(p) for p in known.pending] if known else [], maybe)
    return judge_loss(possible, ended_nodes(draft), view.testimonies())


def _waits_for_the_dead(draft: Draft, attempt: Attempt, winner: Winner, view: ServiceView) -> bool:
    """Whether all that live of the network say that they wait for nodes that have ended, and that it never opened.

    A quorum is needed in every active configuration, and one that was set is not taken back (CCF facts §0.9). That the
    committed one could still form a majority makes their word good: one of them would know of an opening.
    """
    living = [r for r in _network(draft, attempt, winner) if r.ended is None and r.stop is None]
    said = [view.members.get(r.name) for r in living if r.node_id in _named(attempt) or r.name == winner.node]
    ended = ended_nodes(draft)
    return bool(said) and all(
        answers is not None
        and answers.network is not None
        and answers.network.service_status == SERVICE_RECOVERING
        and answers.consensus is not None
        and any(cannot_form_again(config.nodes, ended) for config in answers.consensus.configs)
        for answers in said
    )


def _named(attempt: Attempt) -> set[str]:
    return set(attempt.network.nodes).union(*attempt.network.pending) if attempt.network is not None else set()


def _is_in_the_dead_end(draft: Draft, attempt: Attempt, view: ServiceView) -> bool:
    """Whether the network stays where only a node could open it that was primary when its own reading ended.

    One look proves nothing: a node passes through this state when it opens the service. Two looks at one primary in one
    view, with all the time between them that it would have needed, and every look between them the same, do.
    """
    leader = view.leader
    if what_is_awaited(view) is not Awaited.DEAD_END or leader is None or leader.commit is None:
        attempt.stuck_since, attempt.stuck_at = None, None
        return False
    if attempt.stuck_at is None or TxID.parse(attempt.stuck_at).view != leader.commit.view:
        attempt.stuck_since, attempt.stuck_at = draft.now, str(leader.commit)
        draft.report(
            "DeadEndSuspected", f"attempt {attempt.number}: it awaits shares that it cannot take", warning=True
        )
    return attempt.stuck_since is not None and draft.now - attempt.stuck_since > DEAD_END_PATIENCE


def _go_on(draft: Draft, attempt: Attempt, winner: Winner, view: ServiceView, base: ServiceView, loss: Loss) -> None:
    """Losers go, joiners come, members are asked; all of it only as long as the loss is proven."""
    attempt.reason, attempt.message = "", ""
    if not loss.proven:
        _doubt(draft, attempt, winner, base, loss)
        return
    for record in losers(draft, attempt, winner):
        record.stop = record.stop or LOSER
    _stop_the_old(draft)
    _note_joined(draft, attempt, view)
    _want_joiners(draft, attempt, winner, view)
    if any(record.ended is None for record in losers(draft, attempt, winner)):
        return
    attempt.timeline.losers_gone_at = attempt.timeline.losers_gone_at or draft.now
    if attempt.phase is AttemptPhase.JOINING and view.leader is not None and _joiners_settled(draft, attempt, winner):
        move(attempt, AttemptPhase.AWAITING_MEMBERS)
        attempt.timeline.joined_at = draft.now
        draft.report("AwaitingMembers", f"attempt {attempt.number}: the members must accept the recovered service")


def _doubt(draft: Draft, attempt: Attempt, winner: Winner, base: ServiceView, loss: Loss) -> None:
    """Nothing is destroyed or offered, but what a person has given up."""
    if attempt.given_up:
        _stop_the_old(draft)
        attempt.reason, attempt.message = DOUBTED, f"what is left of the service before it is being ended: {loss.why}"
    elif may_have_been_accepted(draft, attempt, winner):
        ask_which_goes_on(draft, attempt, winner, base, loss)
    else:
        attempt.reason, attempt.message = DOUBTED, f"nothing more is done while {loss.why}"


def _stop_the_old(draft: Draft) -> None:
    """What is left of the lost service can commit nothing: it goes, now or when its machine is back."""
    for record in draft.alive():
        if record.attempt is None and record.stop is None:
            record.stop, record.fit = FENCED, False


def _note_joined(draft: Draft, attempt: Attempt, view: ServiceView) -> None:
    if view.leader is None or not view.configs:
        return
    for record in draft.alive():
        mine = record.attempt == attempt.number and record.name in view.members
        if mine and record.node_id in view.configs[-1].nodes:
            note_joined(draft, record, view.leader)


def _want_joiners(draft: Draft, attempt: Attempt, winner: Winner, view: ServiceView) -> None:
    """Joiners before the members vote: CCF trusts them at once then, and not after (CCF facts §7.1)."""
    target, leader = draft.status.node(view.primary or ""), view.leader
    if target is None or leader is None or leader.network is None or service_status(view) != SERVICE_RECOVERING:
        return
    stop_failed(draft, joiners(draft, attempt), _named(attempt))
    there = sum(r.ended is None and r.stop is None for r in _network(draft, attempt, winner))
    missing = draft.seen.spec.nodes - there
    plan_joiners(draft, missing, target, leader.network.service_certificate, attempt.number)


def _joiners_settled(draft: Draft, attempt: Attempt, winner: Winner) -> bool:
    living = [r for r in _network(draft, attempt, winner) if r.ended is None and r.stop is None]
    short = len(living) < draft.seen.spec.nodes
    chosen = attempt.timeline.chosen_at or draft.now
    return not awaited(draft, attempt) and (not short or draft.now - chosen > JOINER_PATIENCE)


def awaited(draft: Draft, attempt: Attempt) -> list[NodeRecord]:
    """The joiners that members are kept waiting for: that have not caught up, and may still do so soon."""
    deadline = timedelta(seconds=seconds(draft.seen.spec.recovery.candidate_deadline))
    return [
        r
        for r in joiners(draft, attempt)
        if r.ended is None
        and r.stop is None
        and r.joined_at is None
        and draft.now - r.planned_at <= (deadline if _has_started(draft, r) else JOINER_PATIENCE)
    ]


def _has_started(draft: Draft, record: NodeRecord) -> bool:
    pod = draft.pod(record)
    return pod is not None and pod.ccf.running
