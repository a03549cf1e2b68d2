"""A CCFRecoveryDecision: what a person decides about a disaster recovery, once, in an object that stays as a record.

Its `token` is the one that the network's status shows for what is being decided, so a decision can never apply to
another recovery, nor to another loss, than the one its author has seen.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from ccf_operator.api.base import ApiModel, Moment, StatusModel
from ccf_operator.api.spec import OBJECT_NAME_PATTERN


class Action(StrEnum):
    """What is decided."""

    APPROVE = "Approve"
    ABORT = "Abort"
    RESUME = "Resume"
    EXCLUDE = "Exclude"
    PIN = "Pin"
    ADOPT = "Adopt"
    DISOWN = "Disown"
    START = "Start"


class DecisionState(StrEnum):
    """What became of a decision; there is none until the operator has looked at it."""

    APPLIED = "Applied"
    REFUSED = "Refused"


NetworkName = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=100)]
VolumeName = Annotated[str, StringConstraints(pattern=OBJECT_NAME_PATTERN, max_length=253)]
Reason = Annotated[str, StringConstraints(max_length=1000)]


class CCFRecoveryDecisionSpec(ApiModel):
    """What a person decides."""

    network: NetworkName = Field(description="Name of the CCFNetwork, in this namespace.")
    token: Token = Field(
        description="The token that the status of the network shows for what is decided: status.attempt.token, "
        "status.start.token, status.paused.token, status.found.token or status.recoveryToken. A decision with another "
        "token is refused."
    )
    action: Action = Field(
        description="Approve: recover the best ledger in spite of what may be missing, as status.attempt.possibleLoss "
        "says (in mode Manual also where nothing is). Abort: end the attempt, remove all that it made and begin no "
        "other before a Resume; or call off a Start before nodes are ended. Exclude: leave a volume out of this "
        "attempt. Pin: choose this volume's ledger, if it recovers. Adopt: recover the network whose volumes were "
        "found. Disown: leave the volumes that were found alone for ever and start a new service. Start: recover the "
        "service now, once, in any mode; where its quorum is not lost for good, all its nodes are ended first."
    )
    volume: VolumeName | None = Field(
        default=None,
        description="The PersistentVolumeClaim to Exclude or Pin; with Adopt, one that shows which service is meant "
        "where volumes of several were found.",
    )
    reason: Reason | None = Field(default=None, description="Why, for the record: it is kept in the network's history.")


class CCFRecoveryDecisionStatus(StatusModel):
    """What became of the decision."""

    state: DecisionState | None = Field(default=None, description="Absent until the operator has looked at it.")
    message: str = Field(default="", description="What was done, or why it was refused.")
    at: Moment | None = Field(default=None, description="When.")
