"""Histories of a network whose operator has a member of its own: nobody else decides about nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ccf_operator.api.status import NetworkStatus
from ccf_operator.ccf.governance_answers import GovernanceAnswers, MemberAnswer, ProposalAnswer
from ccf_operator.ccf.messages import Action
from ccf_operator.domain import effects as fx
from ccf_operator.domain.members import whom_to_ask
from ccf_operator.domain.observation import Observation, OperatorMemberView
from ccf_operator.domain.quorum import majority
from unit.simulation.ccf_model import OPEN, RECOVERING, WAITING, Process, service_of, status_of
from unit.simulation.history import History, Violation

MEMBER, ALICE = "0e" * 32, "a1" * 32
OPENING_ACTION = "transition_service_to_open"


@dataclass
class Consortium:
    """What the services know of members and proposals, as long as the network lives."""

    acknowledged: bool = False
    open: list[tuple[str, ProposalAnswer]] = field(default_factory=list)
    """Open proposals with the key of the service they were made to."""
    made: int = 0

    def said(self, process: Process) -> GovernanceAnswers:
        """What a node answers."""
        key = service_of(process.log)
        return GovernanceAnswers(
            members=(
                MemberAnswer(ALICE, "Active", "PEM", recovers=True),
                MemberAnswer(MEMBER, "Active" if self.acknowledged else "Accepted", "PEM", recovers=False),
            ),
            recovery_threshold=1,
            proposals=tuple(proposal for service, proposal in self.open if service == key),
            service_status=status_of(process.log),
        )


class GovernedHistory(History):
    """The constitution lets the operator's member trust and remove nodes alone; an opening takes the members.

    With `alone` False it takes them for everything.
    """

    def __init__(self, nodes: int = 3, *, alone: bool = True, **spec: object) -> None:
        member = {"operatorMember": {"secretRef": {"name": "bank-operator"}}}
        super().__init__(nodes, 5, governance=member, **spec)
        self.consortium = Consortium()
        self.alone = alone
        self.late_now = False

    def observe(self, between: Callable[[], object] = lambda: None) -> Observation:
        seen = replace(super().observe(between), operator_member=OperatorMemberView("bank-operator", MEMBER))
        whom = whom_to_ask(seen)
        pod = self.cluster.pods.get(whom.name) if whom is not None else None
        if pod is None or not self.hears(pod) or pod.process is None:
            return seen
        return replace(seen, governance=self.consortium.said(pod.process))

    def do_late(self) -> None:
        self.late_now = True
        super().do_late()
        self.late_now = False

    def carry_out(self, effect: fx.Effect, status: NetworkStatus) -> None:
        match effect:
            case fx.AcknowledgeState(through):
                self.consortium.acknowledged |= self._led(through) is not None
            case fx.Propose(through, actions=actions):
                if (leader := self._led(through)) is not None:
                    self._propose(leader, actions)
            case fx.Withdraw(proposal_id=gone):
                self.consortium.open = [one for one in self.consortium.open if one[1].proposal_id != gone]
            case _:
                super().carry_out(effect, status)

    def _led(self, through: str) -> Process | None:
        """The primary to which a node passes what it is sent."""
        pod = self.cluster.pods.get(through)
        if pod is None or not self.hears(pod) or pod.process is None or not pod.process.log:
            return None
        return self.ccf.leader(service_of(pod.process.log))

    def _propose(self, leader: Process, actions: tuple[Action, ...]) -> None:
        if not self.alone or any(action["name"] == OPENING_ACTION for action in actions):
            self.consortium.made += 1
            made = ProposalAnswer(f"{self.consortium.made:064d}", MEMBER, "Open", frozenset(), actions)
            self.consortium.open.append((service_of(leader.log) or "", made))
            return
        before, after = leader.nodes(), self._after(leader, actions)
        if after is not None:
            self._check_quorum_is_safe(before, after)
            self.ccf.change_nodes(leader, after)

    def _after(self, leader: Process, actions: tuple[Action, ...]) -> frozenset[str] | None:
        """Who is trusted once these actions are applied; None where CCF refuses them all."""
        removed = {a["args"]["node_id"] for a in actions if a["name"] == "remove_node"}
        trusted = {a["args"]["node_id"] for a in actions if a["name"] == "transition_node_to_trusted"}
        if trusted - {p.node_id for p in self.ccf.processes.values() if p.registered}:
            return None
        return (leader.nodes() | trusted) - removed

    def _check_quorum_is_safe(self, before: frozenset[str], after: frozenset[str]) -> None:
        """Of what an operator has just seen, not of a message that comes late."""
        living = {p.node_id for p in self.ccf.processes.values() if p.alive}
        if self.late_now or len(before) == 1:
            return
        if len(before & after & living) < majority(len(after)):
            raise Violation(f"those who stay are no quorum any more: {len(before)} became {len(after)}")

    def trust_and_remove(self) -> None:
        """The members vote for what the status asks them to; where the operator decides alone, nobody is asked."""
        leader, own = self.leader(), self.status.operator_member
        if leader is None or status_of(leader.log) != OPEN or own is None or own.proposal is None:
            return
        assert not self.alone
        for service, proposal in list(self.consortium.open):
            if service == service_of(leader.log) and proposal.proposal_id == own.proposal.id:
                self.consortium.open.remove((service, proposal))
                if (after := self._after(leader, proposal.actions)) is not None:
                    self.ccf.change_nodes(leader, after)

    def accept(self) -> None:
        """The members vote for the opening of the recovered service, where it is proposed."""
        leader = self.recovering_leader()
        if leader is None or status_of(leader.log) != RECOVERING:
            return
        key = service_of(leader.log)
        for service, proposal in self.consortium.open:
            if service == key and proposal.actions[0]["args"]["next_service_identity"] == f"PEM {key}":
                self.ccf.change_status(leader, WAITING)
                self.ccf.spread(leader)
                self.consortium.open = [one for one in self.consortium.open if one[1] is not proposal]
                return
