"""What the status of a CCFNetwork says of its members while something is awaited of them."""

from __future__ import annotations

from pydantic import Field

from ccf_operator.api.base import Moment, StatusModel


class ProposalStatus(StatusModel):
    """A proposal of a member that is open."""

    id: str = Field(description="CCF's id of the proposal.")
    state: str = Field(description="Its state in CCF's words: Open.")
    actions: list[str] = Field(description="What it would do, one sentence for each action.")
    opens: bool = Field(default=False, description="Whether it would open the very service that the operator offers.")
    proposer: str = Field(description="Who made it: name of the member where the spec has it, else its id, shortened.")
    ballots: list[str] = Field(default_factory=list, description="Members whose ballots are in.")
    missing: list[str] = Field(default_factory=list, description="Active members whose ballots are not in.")


class SharesStatus(StatusModel):
    """Recovery shares, as the members' plugins have reported them: CCF tells only whoever submits one."""

    submitted: int = Field(default=0, description="How many are in, by the last report.")
    threshold: int | None = Field(default=None, description="How many are needed.")
    reported_by: list[str] = Field(default_factory=list, description="Members who have reported that theirs are in.")
    at: Moment | None = Field(default=None, description="When the last report was made.")


class MembersStatus(StatusModel):
    """The members of the service."""

    active: int = Field(description="How many have acknowledged the service's state, and can propose and vote.")
    total: int = Field(description="How many there are.")
    not_active: list[str] = Field(default_factory=list, description="Those that have not.")
    recovery: list[str] = Field(default_factory=list, description="Active members that have a recovery share.")


class GovernanceStatus(StatusModel):
    """What the members of a service have done, as its primary says: absent while nothing is awaited of them."""

    service: str = Field(description="SHA-256 of the public key of the service they are members of.")
    recovery_threshold: int | None = Field(default=None, description="How many recovery shares are needed.")
    members: MembersStatus = Field(description="The members.")
    open_proposals: int = Field(default=0, description="How many proposals are open.")
    proposals: list[ProposalStatus] = Field(
        default_factory=list, description="Open proposals, first those that open the service; at most ten."
    )
    shares: SharesStatus | None = Field(
        default=None, description="Recovery shares; only while the service waits for them."
    )
