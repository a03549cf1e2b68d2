"""What the members have done of what is awaited of them: whom to ask about it, and what is kept in the status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ccf_operator.api.governance_status import GovernanceStatus, MembersStatus, ProposalStatus
from ccf_operator.api.status import Attempt, AttemptPhase, NodeRecord, Phase
from ccf_operator.ccf.action_words import OPENING, explain_all, key_in
from ccf_operator.ccf.governance_answers import GovernanceAnswers, MemberAnswer, ProposalAnswer
from ccf_operator.ccf.identity import called
from ccf_operator.ccf.messages import Action, member_id
from ccf_operator.domain.awaiting import Awaited, what_is_awaited
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.joining import DOUBTED, recovering_view
from ccf_operator.domain.observation import MemberInput, Observation
from ccf_operator.domain.reasons import Reason
from ccf_operator.domain.service import ServiceView, view_own_service
from ccf_operator.domain.shares import keep_shares

ACTIVE = "Active"
NON_PARTICIPANT = "NonParticipant"
THE_OPERATOR = "the operator"
"""How the member is called whose key the operator has; nobody waits for it, for it never votes."""
SHOWN = 10
"""Open proposals that the status names: any member may make as many as it likes."""
_NOT_NOW = (DOUBTED, Reason.TWO_SERVICES)
"""Reasons of an attempt for which members had better wait, though they have been asked."""
LONGEST = 300
"""Characters of what an action would do."""


def are_awaited(draft: Draft, awaits: Awaited | None) -> bool:
    """Whether the service waits for its members. `awaits`: what a recovered one awaits, None where nobody says so."""
    status, attempt = draft.status, draft.status.attempt
    if attempt is not None:
        waits = attempt.phase is AttemptPhase.AWAITING_MEMBERS and attempt.reason not in _NOT_NOW
        return waits and awaits in (None, Awaited.ACCEPT_SERVICE, Awaited.RECOVERY_SHARES)
    return status.phase is Phase.AWAITING_OPEN and status.service.opened_at is None


def whom_to_ask(seen: Observation) -> NodeRecord | None:
    """The node to be asked about members and proposals: the primary that the nodes agree on in this very look.

    None where there is none, or nothing rests on what it would say.
    """
    draft = Draft(seen, seen.status)  # nothing is changed in it
    view = _service_with_members(draft)
    if view is None or view.leader is None or not view.leader.ready_gov or view.primary is None:
        return None
    return draft.status.node(view.primary)


def _service_with_members(draft: Draft) -> ServiceView | None:
    attempt = draft.status.attempt
    if attempt is not None:
        if attempt.winner is None:
            return None
        view = recovering_view(draft, attempt, attempt.winner)
        awaits = what_is_awaited(view)
        return view if are_awaited(draft, awaits) or _may_have_to_withdraw(draft, attempt, awaits) else None
    if not are_awaited(draft, None) and draft.seen.spec.governance.operator_member is None:
        return None
    return view_own_service(draft)


def _may_have_to_withdraw(draft: Draft, attempt: Attempt, awaits: Awaited | None) -> bool:
    """Whether the operator's member may have proposed what members had better not vote for now."""
    asked = attempt.phase is AttemptPhase.AWAITING_MEMBERS and awaits is Awaited.ACCEPT_SERVICE
    return asked and draft.seen.spec.governance.operator_member is not None


def keep_governance(draft: Draft, view: ServiceView, recovering: ServiceView | None) -> None:
    """Write what the members have done; what was known stays where nobody could be asked in this look."""
    service = recovering or view
    awaits = what_is_awaited(recovering) if recovering is not None else None
    if not are_awaited(draft, awaits):
        draft.status.governance = None
        return
    known = draft.status.governance
    if known is not None and known.service != service.key:
        known = None
    said = draft.seen.governance
    current = _as_status(draft, said, service.key) if said is not None and fits(said, service) else known
    if current is not None and awaits is Awaited.RECOVERY_SHARES:
        reports = [report for report in draft.seen.share_reports if report.service == service.key]
        before = known.shares if known is not None else None
        names = names_of(draft.seen.inputs.members)
        current.shares = keep_shares(before, reports, current.recovery_threshold, names)
    draft.status.governance = current


def fits(said: GovernanceAnswers, service: ServiceView) -> bool:
    """Whether all was read, and of the service as it is in this look: a proposal that has just been accepted is not
    open any more, and it must not be said then that nobody has made one."""
    network = service.leader.network if service.leader is not None else None
    return not said.problem and network is not None and said.service_status == network.service_status


def _as_status(draft: Draft, said: GovernanceAnswers, service: str) -> GovernanceStatus:
    own = draft.seen.operator_member.member_id if draft.seen.operator_member is not None else None
    names = {**names_of(draft.seen.inputs.members), **({own: THE_OPERATOR} if own is not None else {})}
    people = [member for member in said.members if member.member_id != own]
    active = [member for member in people if member.status == ACTIVE]
    proposals = [_proposal(draft, one, active, names, service) for one in said.proposals]
    return GovernanceStatus(
        service=service,
        recovery_threshold=said.recovery_threshold,
        members=MembersStatus(
            active=len(active),
            total=len(people),
            not_active=named((m.member_id for m in people if m.status != ACTIVE), names),
            recovery=named((m.member_id for m in active if _has_share(m)), names),
        ),
        open_proposals=len(proposals),
        proposals=sorted(proposals, key=lambda one: (not one.opens, -len(one.ballots), one.id))[:SHOWN],
    )


def _has_share(member: MemberAnswer) -> bool:
    return member.recovers and member.recovery_role != NON_PARTICIPANT


def _proposal(
    draft: Draft, one: ProposalAnswer, active: list[MemberAnswer], names: Mapping[str, str], service: str
) -> ProposalStatus:
    known = {**draft.node_names(), **names}
    sentences = [_legible(sentence[:LONGEST]) for sentence in explain_all(one.actions[:SHOWN], known)]
    if len(one.actions) > SHOWN:
        sentences.append(f"and {len(one.actions) - SHOWN} more")
    return ProposalStatus(
        id=one.proposal_id,
        state=one.state,
        actions=sentences,
        opens=any(_opens(draft, action, service) for action in one.actions),
        proposer=named([one.proposer_id], names)[0],
        ballots=named(one.ballots, names),
        missing=named((m.member_id for m in active if m.member_id not in one.ballots), names),
    )


def _legible(text: str) -> str:
    """The text with a mark for all that is no character to read: what a member writes must neither steer the terminals
    of those who read the status, nor be what no status can hold (half a surrogate pair)."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _opens(draft: Draft, action: Action, service: str) -> bool:
    """Whether it opens the service with this key, and as the one that goes on from the service that was lost."""
    args = action.get("args")
    if action["name"] != OPENING or not isinstance(args, dict) or key_in(args.get("next_service_identity")) != service:
        return False
    attempt = draft.status.attempt
    return attempt is None or key_in(args.get("previous_service_identity")) == attempt.base_service


def names_of(members: Iterable[MemberInput]) -> Mapping[str, str]:
    """The spec's members by their ids in CCF; one whose certificate does not parse is left out."""
    found = {}
    for member in members:
        try:
            found[member_id(member.certificate)] = member.name
        except ValueError:
            continue
    return found


def named(members: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Names of members given by id, sorted; of one that the spec does not have, the beginning of its id."""
    return sorted(called(member, names) for member in members)
