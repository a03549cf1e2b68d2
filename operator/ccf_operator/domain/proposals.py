"""What the operator's member signs: what is due, what of it is open already, and how soon it is signed again.

Nothing is remembered of what was signed but the last message, in the status, written before it is sent: whether a
proposal was made is seen by what is open, and whether it was applied by the nodes and the service.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ccf_operator.api.operator_member_status import AwaitedProposal, LastSigned, OperatorMemberStatus
from ccf_operator.api.status import AttemptPhase, NodeRecord, Verdict
from ccf_operator.ccf.action_words import OPENING, explain_all
from ccf_operator.ccf.actions import (
    certificate_seconds,
    remove_node,
    since_yesterday,
    transition_node_to_trusted,
    transition_service_to_open,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.governance_answers import GovernanceAnswers, MemberAnswer, ProposalAnswer
from ccf_operator.ccf.messages import Action
from ccf_operator.ccf.same_actions import canonical
from ccf_operator.domain.awaiting import Awaited, what_is_awaited
from ccf_operator.domain.backoff import wait_after
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AcknowledgeState, Propose, SignAsMember, Withdraw
from ccf_operator.domain.members import fits
from ccf_operator.domain.node_change import Membership, NodeChange, next_change
from ccf_operator.domain.operator_member import ACCEPTED, Standing, standing
from ccf_operator.domain.reasons import MemberReason
from ccf_operator.domain.service import ServiceView, ended_nodes
from ccf_operator.domain.topology import Governance

TRUST = "transition_node_to_trusted"
OURS = frozenset({OPENING, TRUST, "remove_node"})
"""The actions of all that the operator ever proposes."""

STALE = timedelta(days=30)
"""How long ago the certificate of a node to be trusted may begin, for it to be proposed so: it ends a while after."""
BREATH = timedelta(seconds=1)
"""Least time between two messages of whatever kind."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)
"""Time before the same message is signed again: doubled each time, up to the longest."""


@dataclass(frozen=True)
class _Due:
    """Where something may be signed now: at a node of a service; and what should be proposed there, if anything.

    `fair` is what may be part of a proposal that is open: a node that is silent for a look makes nothing wrong, and
    members' ballots would be lost with what was withdrawn for it.
    """

    through: str
    service: str
    actions: tuple[Action, ...] = ()
    fair: tuple[Action, ...] = ()


def act_as_member(draft: Draft, view: ServiceView, recovering: ServiceView | None, asked: Governance) -> None:
    """Sign what is due as the operator's member, and write how it stands. `asked` is what is to be decided of nodes."""
    _note_refusal(draft)
    how = standing(draft)
    own = _keep_status(draft, how)
    said = draft.seen.governance
    if how is None or own is None or how.member is None or said is None or not fits(said, recovering or view):
        return
    due = _opening(draft, recovering) if draft.status.attempt is not None else _node_change(draft, view, asked)
    if due is None:
        own.proposal = None
        return
    own.proposal = _awaited(draft, said, due, how.member)
    message = _next_message(due, said, how.member, draft.now)
    if message is not None:
        _sign(draft, own, message)
    elif own.last_signed is not None:
        own.last_signed.refusal = None


def _note_refusal(draft: Draft) -> None:
    """What CCF had against what was signed last."""
    view, own = draft.seen.operator_member, draft.status.operator_member
    if view is not None and own is not None and own.last_signed is not None:
        own.last_signed.refusal = view.refused.get(own.last_signed.token, own.last_signed.refusal)


def _keep_status(draft: Draft, how: Standing | None) -> OperatorMemberStatus | None:
    """Whose key it is and whether it can be used; for a moment in which the service was not asked, as it was."""
    view, before = draft.seen.operator_member, draft.status.operator_member
    if view is None or how is None:
        draft.status.operator_member = None
        return None
    own = OperatorMemberStatus(member_id=view.member_id, usable=how.reason is MemberReason.USABLE)
    draft.status.operator_member = own
    if before is None:
        return own
    own.last_signed = before.last_signed
    if how.reason is MemberReason.NOT_ASKED and before.member_id == view.member_id:
        own.usable, own.proposal = before.usable, before.proposal
    return own


def _awaited(draft: Draft, said: GovernanceAnswers, due: _Due, member: MemberAnswer) -> AwaitedProposal | None:
    """The open proposal of what is due about nodes, whoever made it; else the member's own of a part of it."""
    if draft.status.attempt is not None:
        return None
    whole = (one for one in said.proposals if _does_just(one, due, draft.now))
    part = (one for one in _own(said, member) if not _is_outdated(one, due, draft.now))
    found = next(whole, None) or next(part, None)
    if found is None:
        return None
    return AwaitedProposal(
        id=found.proposal_id, what=explain_all(found.actions, draft.node_names()), ballots=len(found.ballots)
    )


def _own(said: GovernanceAnswers, member: MemberAnswer) -> list[ProposalAnswer]:
    """What the member has proposed, as far as the operator would."""
    return [p for p in said.proposals if p.proposer_id == member.member_id and _is_ours(p.actions)]


def _next_message(due: _Due, said: GovernanceAnswers, member: MemberAnswer, now: datetime) -> SignAsMember | None:
    if member.status == ACCEPTED:
        token = _token(due.service, member.member_id, "ack")
        return AcknowledgeState(due.through, member.member_id, token)
    own = _own(said, member)
    if (outdated := next((p for p in own if _is_outdated(p, due, now)), None)) is not None:
        token = _token(due.service, member.member_id, "withdraw", outdated.proposal_id)
        return Withdraw(due.through, member.member_id, token, outdated.proposal_id)
    if not due.actions or own or any(_does_just(p, due, now) for p in said.proposals):
        return None
    token = _token(due.service, member.member_id, "propose", *sorted(map(canonical, due.actions)))
    return Propose(due.through, member.member_id, token, due.actions)


def _is_ours(actions: Sequence[Action]) -> bool:
    return bool(actions) and all(action.get("name") in OURS for action in actions)


def _does_just(proposal: ProposalAnswer, due: _Due, now: datetime) -> bool:
    """Whether it does what is due, and nothing else."""
    return bool(due.actions) and _meanings(proposal, now) == {canonical(action) for action in due.actions}


def _meanings(proposal: ProposalAnswer, now: datetime) -> set[str]:
    return {_meaning(action, now) for action in proposal.actions}


def _meaning(action: Action, now: datetime) -> str:
    """What two actions share that do the same, wherever the operator could have proposed either.

    It never would trust a node from a time that is not there yet, or long past: its certificate would not be valid.
    """
    args = action.get("args")
    if action.get("name") != TRUST or not isinstance(args, dict):
        return canonical(action)
    begins = certificate_seconds(args.get("valid_from"))
    in_order = begins is not None and 0 <= now.timestamp() - begins <= STALE.total_seconds()
    return canonical(action) if in_order else f"{canonical(action)}, from an odd time"


def _is_outdated(proposal: ProposalAnswer, due: _Due, now: datetime) -> bool:
    """Whether something in it is not right any more, or it could say more; what members have voted for is left as long
    as it is right."""
    wanted = {canonical(action) for action in due.actions}
    fair = wanted.union(canonical(action) for action in due.fair)
    proposed = _meanings(proposal, now)
    return not proposed <= fair or not (wanted <= proposed or proposal.ballots)


def _opening(draft: Draft, recovering: ServiceView | None) -> _Due | None:
    """The opening of the winner's service, once the members may be asked for it (rule 10); never of another.

    Nothing while a loss is doubted or a person must choose: with whatever tool members vote, they then find nothing of
    the operator's to vote for.
    """
    attempt = draft.status.attempt
    if attempt is None or attempt.winner is None or recovering is None or recovering.primary is None:
        return None
    if attempt.phase is not AttemptPhase.AWAITING_MEMBERS:
        return None
    if what_is_awaited(recovering) is not Awaited.ACCEPT_SERVICE:
        return None
    if attempt.reason:
        return _Due(recovering.primary, recovering.key)
    leader = recovering.leader
    if leader is None or leader.network is None:
        return None
    if leader.previous_identity is None or leader.previous_identity_key != attempt.base_service:
        return None
    action = transition_service_to_open(leader.network.service_certificate, leader.previous_identity)
    return _Due(recovering.primary, recovering.key, (action,))


def _node_change(draft: Draft, view: ServiceView, asked: Governance) -> _Due | None:
    """The next change of the nodes of a service that is open and well; to one not yet open nothing is proposed."""
    leader = view.leader
    if leader is None or view.primary is None or leader.node_id is None:
        return None
    if draft.status.service.opened_at is None:
        return _Due(view.primary, view.key)
    well = draft.status.quorum.verdict in (Verdict.HEALTHY, Verdict.DEGRADED) and view.is_open()
    if not well or len(view.configs) != 1 or draft.status.start is not None:
        return None
    now = Membership(view.configs[0].nodes, ended_nodes(draft), _following(view, leader), leader.node_id)
    waiting = [record.node_id for record in asked.trust if record.node_id is not None and _is_alive(draft, record)]
    due = next_change(now, waiting, asked.spare, draft.seen.spec.nodes)
    return _Due(view.primary, view.key, _actions(draft, leader, due), _actions(draft, leader, _fair(draft, now, asked)))


def _fair(draft: Draft, now: Membership, asked: Governance) -> NodeChange:
    """The change, if all that have not provably ended were heard on this look."""
    all_heard = replace(now, following=now.trusted - now.ended)
    waiting = [record.node_id for record in asked.trust if record.node_id is not None]
    return next_change(all_heard, waiting, asked.spare, draft.seen.spec.nodes)


def _actions(draft: Draft, leader: NodeAnswers, change: NodeChange) -> tuple[Action, ...]:
    rows = {row.node_id: row.status for row in leader.nodes}
    since = since_yesterday(draft.now.timestamp())
    return (
        *(remove_node(node) for node in change.remove if rows.get(node) == "Trusted"),
        *(transition_node_to_trusted(node, since) for node in change.trust),
    )


def _following(view: ServiceView, leader: NodeAnswers) -> frozenset[str]:
    """Nodes that say on this look that they follow the primary, in its view; itself included."""
    assert leader.consensus is not None
    opinion = (leader.node_id, leader.consensus.view)
    return frozenset(
        said.node_id
        for said in view.members.values()
        if said.node_id is not None
        and said.consensus is not None
        and (said.consensus.primary_id, said.consensus.view) == opinion
    )


def _is_alive(draft: Draft, record: NodeRecord) -> bool:
    """Whether a joiner has said on this very look, proving its id, that it waits to be trusted."""
    pod, said = draft.pod(record), draft.answers(record)
    if pod is None or pod.deleting or not pod.ccf.running or said is None:
        return False
    return said.node_id == record.node_id and said.state is not None and said.state.state == "Pending"


def _sign(draft: Draft, own: OperatorMemberStatus, message: SignAsMember) -> None:
    before = own.last_signed
    again = before if before is not None and before.token == message.token else None
    wait = wait_after(again.tries, FIRST_WAIT, LONGEST_WAIT) if again is not None else BREATH
    if before is not None and draft.now - before.at < wait:
        return
    what = _in_words(draft, message)
    own.last_signed = LastSigned(
        token=message.token,
        what=what,
        at=draft.now,
        tries=again.tries + 1 if again else 1,
        refusal=again.refusal if again else None,
    )
    draft.do(message)
    if again is None:
        draft.report("OperatorMemberSigns", f"as member {message.member_id[:8]}…: {'; '.join(what)}")


def _in_words(draft: Draft, message: SignAsMember) -> list[str]:
    match message:
        case AcknowledgeState():
            return ["acknowledge the service's state"]
        case Withdraw(proposal_id=proposal_id):
            return [f"withdraw proposal {proposal_id[:8]}…, which is not right any more"]
        case Propose(actions=actions):
            return explain_all(actions, draft.node_names())


def _token(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
