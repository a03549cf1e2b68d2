"""What the operator does as a member of the consortium, as the status of a CCFNetwork has it."""

from __future__ import annotations

from pydantic import Field

from ccf_operator.api.base import Moment, StatusModel


class LastSigned(StatusModel):
    """What the operator has signed last; written before it is sent, so that it is never sent again without a pause."""

    token: str = Field(description="Stands for exactly this message to exactly this service.")
    what: list[str] = Field(description="What it says, one sentence each.")
    at: Moment = Field(description="When it was last signed.")
    tries: int = Field(default=1, description="How often it was signed; each time the next one waits longer.")
    refusal: str | None = Field(default=None, description="What CCF had against it, in CCF's words.")


class AwaitedProposal(StatusModel):
    """A proposal of what is due about nodes, which members must vote for."""

    id: str = Field(description="CCF's id of the proposal.")
    what: list[str] = Field(description="What it would do, one sentence for each action.")
    ballots: int = Field(description="How many members have voted.")


class OperatorMemberStatus(StatusModel):
    """The member of `spec.governance.operatorMember`."""

    member_id: str | None = Field(
        default=None, description="CCF's id of the member: SHA-256 of the certificate in the Secret."
    )
    usable: bool = Field(
        default=False, description="Whether the operator proposes what is due, so that no member has to."
    )
    proposal: AwaitedProposal | None = Field(
        default=None, description="What is proposed about nodes and waits for the members' votes."
    )
    last_signed: LastSigned | None = Field(default=None, description="What the operator has signed last.")
