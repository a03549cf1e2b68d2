"""What a service says of its members and of what they have proposed: frozen data (CCF facts §6).

Ids are CCF's: a member id is the lower-case hex SHA-256 of the member's certificate (DER).
"""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.ccf.messages import Action


@dataclass(frozen=True)
class MemberAnswer:
    """A member. `status` is Accepted, until it has acknowledged the state, or Active; `recovers`: it has an encryption
    key, so that it takes part in recoveries, as `recovery_role` says (Participant, Owner, NonParticipant)."""

    member_id: str
    status: str
    certificate: str
    recovers: bool
    recovery_role: str | None = None
    data: object | None = None


@dataclass(frozen=True)
class ProposalRow:
    """A proposal as the list of proposals has it; `ballots`: how many are in."""

    proposal_id: str
    proposer_id: str
    state: str
    ballots: int


@dataclass(frozen=True)
class ProposalAnswer:
    """A proposal. `ballots`: ids of the members who have voted; `actions` as they were proposed."""

    proposal_id: str
    proposer_id: str
    state: str
    ballots: frozenset[str]
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class GovernanceAnswers:
    """What one node said of its service's governance in one look.

    `proposals` are the open ones only. `service_status`, in CCF's words, is what it was after all else had been read,
    so that this belongs to no later state of the service. `problem` says why something is missing, empty if nothing
    is: whatever rests on something being absent must look at it first.
    """

    members: tuple[MemberAnswer, ...] = ()
    recovery_threshold: int | None = None
    proposals: tuple[ProposalAnswer, ...] = ()
    problem: str = ""
    service_status: str | None = None
