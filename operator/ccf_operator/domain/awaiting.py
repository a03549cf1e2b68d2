"""What a recovered service awaits before it is open, told by the state of its primary (CCF facts §8.2, §8.8).

A node's state and its service's status mean something only together: `WaitingForRecoveryShares` is said before the
shares are there, while the ledger is being decrypted, and for ever by a service that can no longer be opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.service import ServiceView

SERVICE_RECOVERING, WAITING_FOR_SHARES = "Recovering", "WaitingForRecoveryShares"
READING_PUBLIC_DONE, READING_PRIVATE, PART_OF_NETWORK = "PartOfPublicNetwork", "ReadingPrivateLedger", "PartOfNetwork"


class Awaited(StrEnum):
    """What must come next for a recovered service to be open."""

    ACCEPT_SERVICE = "AcceptService"
    RECOVERY_SHARES = "RecoveryShares"
    DECRYPTING = "Decrypting"
    OPENING = "Opening"
    DEAD_END = "DeadEndSuspected"


@dataclass(frozen=True)
class Progress:
    """How far the node that is farthest behind has decrypted its ledger, in seqnos."""

    done: int
    target: int


def what_is_awaited(view: ServiceView) -> Awaited | None:
    """What the recovered service awaits; None while it has no agreed primary that says so."""
    leader = view.leader
    if leader is None or leader.network is None or leader.state is None:
        return None
    status, state = leader.network.service_status, leader.state.state
    if status == SERVICE_RECOVERING:
        return Awaited.ACCEPT_SERVICE
    if status != WAITING_FOR_SHARES:
        return Awaited.OPENING
    if state == READING_PUBLIC_DONE:
        return Awaited.RECOVERY_SHARES
    if state != PART_OF_NETWORK or any(said.state.state == READING_PRIVATE for said in _voters(view) if said.state):
        # Whoever is still reading may be the primary when it is done, and opens the service then.
        return Awaited.DECRYPTING
    return Awaited.DEAD_END if _commits_in_its_own_view(leader) else Awaited.OPENING


def _commits_in_its_own_view(leader: NodeAnswers) -> bool:
    """Whether all that the primary has from before its election is committed: no earlier opening can come to light."""
    return leader.consensus is not None and leader.commit is not None and leader.commit.view == leader.consensus.view


def progress(view: ServiceView) -> Progress | None:
    """How far decryption is; None where nobody is decrypting, or says how far."""
    found = [
        Progress(said.state.last_recovered_seqno, said.state.recovery_target_seqno)
        for said in view.members.values()
        if said.state is not None
        and said.state.state == READING_PRIVATE
        and said.state.last_recovered_seqno is not None
        and said.state.recovery_target_seqno is not None
    ]
    return min(found, key=lambda p: (p.done, p.target), default=None)


def _voters(view: ServiceView) -> Iterator[NodeAnswers]:
    voters = frozenset[str]().union(*(config.nodes for config in view.configs))
    return (said for said in view.members.values() if said.node_id in voters)
