"""A member's business with the service: one message, or two where the second rests on the answer to the first.

The same steps are taken whether the key is in a file here or in an HSM elsewhere: what differs is who signs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ccf_operator.ccf import messages
from ccf_operator.ccf.governance import Answer
from ccf_operator.ccf.messages import Request


class Then(StrEnum):
    """What is signed next, on the answer to what was signed before."""

    NOTHING = "nothing"
    ACKNOWLEDGE = "acknowledge"
    VOTE_YES = "vote-yes"


@dataclass(frozen=True)
class Business:
    """What a member is about to sign: in words, one line each, the first message, and what follows it."""

    title: str
    lines: tuple[str, ...]
    request: Request
    then: Then = Then.NOTHING


@dataclass(frozen=True)
class Done:
    """A message that CCF took, and its answer."""

    request: Request
    answer: Answer

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {"type": self.request.type, "transactionId": self.answer.transaction_id, "answer": self.answer.body}


def document(network: str, member: str, done: Sequence[Done], nothing: str = "") -> dict[str, Any]:
    """What a member has done, for programs. `nothing`: why nothing was left to sign."""
    return {
        "network": network,
        "member": member,
        "signed": [one.document() for one in done],
        **({"message": nothing} if nothing else {}),
    }


def follow_up(then: Then, member: str, reply: Mapping[str, Any] | None, created_at: int) -> Request | None:
    """The next message to sign, if there is one."""
    if then is Then.ACKNOWLEDGE and reply is not None:
        return messages.acknowledgement(member, str(reply["stateDigest"]), created_at)
    if then is Then.VOTE_YES and reply is not None and reply.get("proposalState") == "Open":
        return messages.ballot(member, str(reply["proposalId"]), messages.YES, created_at)
    return None


def outcome(request: Request, reply: Mapping[str, Any] | None) -> str:
    """What CCF's answer means, in a sentence."""
    said = reply or {}
    if request.type == "ack":
        return "acknowledged: the member is active"
    if request.type == "state_digest":
        return f"state digest {said.get('stateDigest')}"
    if request.type in ("proposal", "ballot"):
        count = int(said.get("ballotCount", 0))
        ballots = f"{count} ballot{'' if count == 1 else 's'} in"
        identity = f"{str(said.get('proposalId'))[:8]}…"
        state = said.get("proposalState")
        if state == "Accepted":
            return f"proposal {identity} is accepted and applied"
        if state == "Open":
            return f"proposal {identity} is open, {ballots}: it waits for other members"
        return f"proposal {identity} is {state}, {ballots}"
    if request.type == "withdrawal":
        return f"proposal {str(request.proposal_id)[:8]}… is withdrawn"
    if request.type == "recovery_share":
        return str(said.get("message", "the share is in"))
    return "sent"
