"""Whether the operator can act as the member that the spec names, and why not."""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.ccf.governance_answers import GovernanceAnswers, MemberAnswer
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.observation import OperatorMemberView
from ccf_operator.domain.reasons import MemberReason

ACCEPTED = "Accepted"
"""Status of a member that has not acknowledged the service's state (CCF facts §6.3)."""


@dataclass(frozen=True)
class Standing:
    """How the operator's member stands."""

    reason: MemberReason
    message: str
    member: MemberAnswer | None = None
    """The member as the service knows it; None where it may not be used."""


def standing(draft: Draft) -> Standing | None:
    """How the operator's member stands on this look; None where the spec names none."""
    view = draft.seen.operator_member
    if view is None:
        return None
    if view.problem is not None or view.member_id is None:
        return Standing(view.problem or MemberReason.SECRET_UNUSABLE, view.detail)
    said = draft.seen.governance
    if said is None or not said.members:
        why = f": {said.problem}" if said is not None and said.problem else ""
        return Standing(
            MemberReason.NOT_ASKED, f"whether the service knows member {_short(view.member_id)} is not seen{why}"
        )
    return _in_the_consortium(draft, view, said)


def _in_the_consortium(draft: Draft, view: OperatorMemberView, said: GovernanceAnswers) -> Standing:
    title = f"member {_short(view.member_id or '')} of Secret {view.secret}"
    member = next((one for one in said.members if one.member_id == view.member_id), None)
    if member is None:
        return Standing(
            MemberReason.NOT_A_MEMBER,
            f"the service knows no {title}; the members propose and vote set_member with its certificate, without an "
            "encryption key",
        )
    if member.recovers:
        return Standing(
            MemberReason.RECOVERY_MEMBER,
            f"{title} has an encryption key; give the operator a member that has none, and so no recovery share",
        )
    if (refusal := _refusal(draft)) is not None:
        return Standing(MemberReason.REFUSED, refusal, member)
    if member.status == ACCEPTED:
        return Standing(MemberReason.NOT_ACTIVE, f"{title} has not acknowledged the service's state yet", member)
    return Standing(MemberReason.USABLE, f"the operator proposes as {title}", member)


def _refusal(draft: Draft) -> str | None:
    own = draft.status.operator_member
    last = own.last_signed if own is not None else None
    if last is None or last.refusal is None:
        return None
    return f"CCF refused to {'; '.join(last.what)}: {last.refusal}"


def _short(member_id: str) -> str:
    return f"{member_id[:8]}…"
