"""A network's history: the operator's looks, what fate, clients and members do, and what must hold at every moment."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import Attempt, AttemptPhase, Command, NetworkStatus, Phase, Winner
from ccf_operator.domain import effects as fx
from ccf_operator.domain.decide import decide
from ccf_operator.domain.observation import DecisionView, Inputs, MemberInput, Observation
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.txid import TxID
from unit.domain.world import assert_told
from unit.simulation.ccf_model import (
    OPEN,
    OPENING,
    RECOVERING,
    WAITING,
    Ccf,
    Entry,
    Process,
    digest,
    majority_of,
    recoveries_in,
    service_of,
    status_of,
)
from unit.simulation.kubernetes_model import Kubernetes, Pod, Violation

INPUTS = Inputs(constitution=(("actions.js", "//"),), members=(MemberInput("alice", "PEM", "PEM", None, None),))


class History:
    """One network on one cluster. Every method is something that can happen; `check` is called after each."""

    def __init__(self, nodes: int = 3, machines: int = 5, **spec: object) -> None:
        self.spec = CCFNetworkSpec.model_validate(
            {
                "nodes": nodes,
                "image": "ccf:7",
                "members": [
                    {"name": "alice", "certificate": {"value": "PEM"}, "encryptionPublicKey": {"value": "PEM"}}
                ],
                "constitution": {"configMapRef": {"name": "constitution"}},
                **spec,
            }
        )
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.generation = 1
        self.deleting = False
        self.gone = False
        self.ccf = Ccf()
        self.cluster = Kubernetes(self.ccf, machines)
        self.status = NetworkStatus()
        self.committed: dict[int, Entry] = {}
        """What clients have seen committed, by seqno."""
        self.decisions: list[DecisionView] = []
        """What people have decided; each names the token it was given for."""
        self.tokens: list[str] = []
        """Tokens that were ever shown."""
        self.late: list[tuple[fx.Effect, NetworkStatus]] = []
        """Effects of an operator that stopped between writing the status and doing them."""
        self.decided: set[fx.Report] = set()
        """Events that were to be published once a status was written, and it was."""
        self.published: set[fx.Report] = set()
        """Those that were."""
        self.asked = 0
        """Plans that were made."""
        self._winners: dict[int, Winner] = {}
        self._opened: dict[str, int] = {}
        """How many recoveries led to each service that was ever open."""
        self._committed_ids: dict[str | None, set[TxID]] = {}
        """What each service committed while it was open, by its key."""
        self._seen_commit: dict[str, int] = {}

    # The operator

    def observe(self) -> Observation:
        return Observation(
            now=self.now,
            namespace="default",
            name="bank",
            uid=self.cluster.network_uid,
            generation=self.generation,
            deleting=self.deleting,
            spec=self.spec,
            status=self.status,
            inputs=INPUTS,
            pods=self.cluster.pod_views(),
            claims=self.cluster.claim_views(),
            config_maps=frozenset(self.cluster.config_maps),
            machines=self.cluster.machine_views(),
            decisions=tuple(self.decisions),
            published=frozenset(self.published),
            answers={
                pod.name: self.ccf.answers(pod.process)
                for pod in self.cluster.pods.values()
                if pod.process is not None and pod.process.alive and pod.seen.running and self._reachable(pod)
            },
        )

    def _reachable(self, pod: Pod) -> bool:
        return pod.machine is not None and self.cluster.machines[pod.machine].on

    def look(self, *, stop_after: int | None = None, lost_update: bool = False) -> Plan:
        """One look of the operator; it may die after some effects, or find that another has written the status."""
        plan = decide(self.observe())
        assert_told(plan.status)
        self.asked += 1
        if not lost_update:
            self.status = _as_persisted(plan.status) if self.asked % 8 == 0 else plan.status
            self.decided |= {effect for effect in plan.effects if isinstance(effect, fx.Report)}
            for number, effect in enumerate(plan.effects):
                if stop_after is not None and number >= stop_after:
                    self.late.append((effect, self.status))
                else:
                    self.carry_out(effect, self.status)
        self.pass_time(min(plan.wake_after, 2.0))
        return plan

    def do_late(self) -> None:
        """What a stopped operator had under way takes effect after all, as far as Kubernetes lets it."""
        late, self.late = self.late, []
        for effect, status in late:
            self.carry_out(effect, status)
        self.check()

    def carry_out(self, effect: fx.Effect, status: NetworkStatus) -> None:
        match effect:
            case fx.CreateVolume(volume):
                self.cluster.create_claim(volume)
            case fx.AnnotateVolume(volume, uid, facts):
                self.cluster.annotate_claim(volume, uid, facts)
            case fx.CreateNode(node):
                self.cluster.create_node(node, status, self.now)
            case fx.DeletePod(name, uid, _):
                self._check_harm(name, uid)
                self.cluster.delete_pod(name, uid)
            case fx.ReleasePod(name, uid):
                self._check_release(name, uid)
                self.cluster.release_pod(name, uid)
            case fx.DeleteConfigMap(name):
                self.cluster.config_maps.discard(name)
            case fx.LabelPod(name, uid, changes):
                self.cluster.label(name, uid, changes)
            case fx.RemoveNodeRow(_, node_id):
                self.ccf.rows_gone.add(node_id)
            case fx.AnswerDecision(_, uid):
                self.decisions = [replace(d, answered=d.answered or d.uid == uid) for d in self.decisions]
            case fx.Report():
                self.published.add(effect)
            case fx.RemoveFinalizer():
                self.gone = True
            case _:
                pass

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.cluster.tick(self.now)
        self.ccf.tick()
        self.check()

    def settle(self, looks: int = 80) -> None:
        """Look until nothing changes any more."""
        before = None
        for _ in range(looks):
            self.look()
            after = (self.status, self.cluster.outline())
            if after == before:
                return
            before = after

    # Who is there

    def processes(self, *, running: bool = True) -> list[Pod]:
        return [p for p in self.cluster.pods.values() if p.process is not None and p.process.alive is running]

    def process(self, name: str) -> Process:
        found = self.cluster.pods[name].process
        assert found is not None
        return found

    def leader(self) -> Process | None:
        """The primary of the service that the status says is the service."""
        return self.ccf.leader(self.status.service.public_key)

    def recovering_leader(self) -> Process | None:
        attempt = self.status.attempt
        winner = attempt.winner if attempt is not None else None
        return self.ccf.leader(winner.public_key) if winner is not None else None

    # Clients and members

    def write(self, *, to: list[str] | None = None) -> None:
        """A client's transaction at whoever leads an open service; it notes what it sees committed."""
        leader = self.leader()
        if leader is None or status_of(leader.log) != OPEN:
            leader = self.recovering_leader()
        if leader is None or status_of(leader.log[: leader.commit]) != OPEN:
            return
        followers = None if to is None else [self.process(n) for n in to if n in self.cluster.pods]
        self.ccf.write(leader, followers)
        self._note_committed(leader)
        self.check()

    def append_in_vain(self, name: str, count: int) -> None:
        """A primary that is cut off takes writes that can never commit, until it notices."""
        process = self.process(name)
        if process.leads and process.runs:
            for _ in range(count):
                process.append(Entry(process.view, f"in vain {name} {len(process.log)}"))

    def _note_committed(self, leader: Process) -> None:
        if status_of(leader.log[: leader.commit]) != OPEN:
            return
        for seqno, entry in enumerate(leader.log[: leader.commit], 1):
            known = self.committed.setdefault(seqno, entry)
            if known != entry:
                raise Violation(f"{known.what} was committed at {seqno}; now {entry.what} is")

    def open(self) -> None:
        """The members open a new service."""
        leader = self.leader()
        if leader is not None and status_of(leader.log) == OPENING:
            self.ccf.change_status(leader, OPEN)
            self.ccf.spread(leader)

    def accept(self) -> None:
        """The members accept the recovered service that the status names, asked or not."""
        leader = self.recovering_leader()
        if leader is not None and status_of(leader.log) == RECOVERING:
            self.ccf.change_status(leader, WAITING)
            self.ccf.spread(leader)

    def submit_shares(self, *, commit: bool = True) -> None:
        """The members submit their shares; the opening may be caught before it commits (CCF facts §8.8)."""
        leader = self.recovering_leader()
        if leader is None or status_of(leader.log) != WAITING or leader.decrypted:
            return
        for process in self.ccf.group(leader):
            process.decrypted = True
        self.ccf.change_status(leader, OPEN)
        if commit:
            self.ccf.spread(leader)

    def trust_and_remove(self) -> None:
        """The members do what the status asks them to about nodes, in one proposal."""
        leader = self.leader()
        if leader is None or status_of(leader.log) != OPEN:
            return
        asked = self.status.next_step
        trusted = {
            p.process.node_id
            for p in self.processes()
            if p.process and p.process.registered and f"transition_node_to_trusted {p.process.node_id}" in asked
        }
        removed = {node for node in leader.nodes() if f"remove_node {node}" in asked}
        if trusted or removed:
            self.ccf.change_nodes(leader, (leader.nodes() | trusted) - removed)

    # What people decide

    def decide(self, action: Action, *, volume: str | None = None, token: str | None = None) -> None:
        """A person decides about what the status shows now, or about what it once showed (`token`)."""
        shown = self.shown_token()
        if (token := token or shown) is None:
            return
        number = len(self.decisions)
        spec = CCFRecoveryDecisionSpec(network="bank", token=token, action=action, volume=volume)
        self.decisions.append(DecisionView(f"decision-{number}", f"uid-decision-{number}", self.now, spec))

    def shown_token(self) -> str | None:
        attempt, paused = self.status.attempt, self.status.paused
        token = attempt.token if attempt is not None else paused.token if paused is not None else None
        if token is not None and token not in self.tokens:
            self.tokens.append(token)
        return token

    def decide_as_told(self) -> None:
        """A person approves what is asked, and resumes what was stopped."""
        attempt = self.status.attempt
        if attempt is not None and attempt.phase is AttemptPhase.AWAITING_APPROVAL:
            self.decide(Action.APPROVE)
        elif attempt is None and self.status.paused is not None:
            self.decide(Action.RESUME)
        elif self.status.found is not None:
            self.decide(Action.ADOPT, token=self.status.found.token)

    def delete_and_apply(self) -> None:
        """The network is deleted by mistake, and applied again."""
        self.deleting = True
        for _ in range(60):
            self.look()
            if self.gone:
                break
        else:
            raise Violation("a deleted network does not go")
        old, self.cluster.network_uid = self.cluster.network_uid, f"{len(self.tokens):05}{self.cluster.network_uid[5:]}"
        self.cluster.collect(old)
        self.status, self.deleting, self.gone = NetworkStatus(), False, False
        self._winners.clear()
        self.decided.clear()

    # Fate

    def kill(self, name: str) -> None:
        self.cluster.kill(name)

    def delete_by_hand(self, name: str) -> None:
        self.cluster.delete_pod(name, self.cluster.pods[name].uid)

    def lose_claim(self, name: str) -> None:
        """A person deletes a claim that no running pod uses."""
        if not any(p.volume == name and p.process and p.process.alive for p in self.cluster.pods.values()):
            self.cluster.claims.pop(name, None)

    def heal(self) -> None:
        """Everything that can come back comes back."""
        for machine in self.cluster.machines.values():
            machine.cut = False
            self.cluster.power_on(machine.name)
        for process in self.ccf.processes.values():
            process.frozen = process.mute = process.slow = False
            process.side = 0

    def see_to_the_end(self, rounds: int = 12, *, decides: bool = False) -> None:
        """Everything heals, and members do what they are asked, until the network runs whole or waits for a person.

        `decides`: the person decides what is asked.
        """
        self.heal()
        for _ in range(rounds):
            self.settle()
            self.pass_time(130)
            self.open()
            self.accept()
            self.submit_shares()
            self.trust_and_remove()
            self.delete_as_told()
            if decides:
                self.decide_as_told()
            if self.is_whole():
                return
        self.settle()

    def delete_as_told(self) -> None:
        """A person deletes the pods that the status says to delete."""
        _, told, pods = self.status.next_step.partition(" delete pod ")
        for name in pods.split() if told else ():
            if name in self.cluster.pods:
                self.delete_by_hand(name)

    def is_whole(self) -> bool:
        fit = sum(record.fit for record in self.status.nodes)
        return self.status.phase is Phase.RUNNING and fit == self.spec.nodes and not self.status.next_step

    # What must hold at every moment

    def check(self) -> None:
        self._check_winner()
        self._check_one_service()
        self._check_mark()
        self._check_one_offer()

    def _check_winner(self) -> None:
        attempt = self.status.attempt
        if attempt is None:
            return
        known = self._winners.get(attempt.number)
        if known is not None and attempt.winner != known:
            raise Violation(f"the winner of attempt {attempt.number} was {known.node}, now {attempt.winner}")
        if attempt.winner is not None and known is None:
            self._winners[attempt.number] = attempt.winner
            self._check_what_is_lost(attempt, attempt.winner)

    def _check_what_is_lost(self, attempt: Attempt, winner: Winner) -> None:
        """A winner holds all that clients saw committed, except where a person was told that it may not."""
        log = self.ccf.processes[winner.node].log
        lost = [n for n, entry in self.committed.items() if len(log) < n or log[n - 1] != entry]
        if lost and (attempt.approval is None or not attempt.approval.possible_loss):
            raise Violation(f"{winner.node} is chosen without {self.committed[lost[0]].what} at {lost[0]}")
        for seqno in lost:
            del self.committed[seqno]

    def _check_one_service(self) -> None:
        """Of the services recovered from one, no two are ever opened."""
        for process in self.ccf.processes.values():
            committed = process.log[: process.commit]
            key = service_of(committed)
            if key is None or status_of(committed) != OPEN or key in self._opened:
                continue
            if recoveries_in(committed) in self._opened.values():
                raise Violation(f"{key[:8]} is the second service that was opened after so many recoveries")
            self._opened[key] = recoveries_in(committed)

    def _check_mark(self) -> None:
        for process in self.ccf.processes.values():
            seen = self._seen_commit.get(process.pod, 0)
            if process.alive and process.commit > seen:
                log = process.log[: process.commit]
                if status_of(log) == OPEN:
                    known = self._committed_ids.setdefault(service_of(log), set())
                    known |= {TxID(e.view, n) for n, e in enumerate(log, 1) if n > seen}
                    self._seen_commit[process.pod] = process.commit
        mark = self.status.high_water_mark
        if mark is not None and TxID.parse(mark.tx_id) not in self._committed_ids.get(mark.service, set()):
            raise Violation(f"the service never committed its high-water mark {mark.tx_id}")

    def _check_one_offer(self) -> None:
        """While members are asked, no candidate runs but the winner: two forks are never both offered."""
        attempt = self.status.attempt
        if attempt is None or attempt.winner is None or attempt.phase is not AttemptPhase.AWAITING_MEMBERS:
            return
        for pod in self.processes():
            of_it = pod.record.attempt == attempt.number and pod.record.command is Command.RECOVER
            if of_it and pod.name != attempt.winner.node:
                raise Violation(f"members are asked while {pod.name} runs beside the winner")

    def _check_harm(self, name: str, uid: str) -> None:
        """Nobody ends a node that a service with clients could still need."""
        pod = self.cluster.pods.get(name)
        process = pod.process if pod is not None and pod.uid == uid else None
        if process is None or not process.alive or not process.log or self.deleting:
            return
        key = service_of(process.log)
        log = process.log[: process.commit]
        if status_of(log) != OPEN or service_of(log) != key:
            return
        alive = {p.node_id for p in self.ccf.processes.values() if p.alive and service_of(p.log) == key}
        fellows = [p for p in self.ccf.processes.values() if p.alive and service_of(p.log) == key]
        newest = max(fellows, key=lambda p: (len(p.log), p.view))
        needed = newest.active()
        if any(process.node_id in nodes for _, nodes in needed) and all(
            majority_of(nodes, alive) for _, nodes in needed
        ):
            raise Violation(f"{name} is ended although its service could go on")

    def _check_release(self, name: str, uid: str) -> None:
        """No finalizer is taken off while a process may run on a machine that works, or its end is not on record."""
        pod = self.cluster.pods.get(name)
        if pod is None or pod.uid != uid or self.deleting:
            return
        if pod.process is not None and pod.process.alive:
            raise Violation(f"{name} is released while it runs")

    def check_nothing_is_lost(self) -> None:
        """All that clients saw committed is in the service that runs now."""
        leader = self.leader()
        assert leader is not None
        log = leader.log
        for seqno, entry in self.committed.items():
            if len(log) < seqno or log[seqno - 1] != entry:
                raise Violation(f"{entry.what} at {seqno} was seen committed and is not there any more")

    def check_is_settled(self) -> None:
        """A network at rest is left alone: the same status at each look, and nothing destroyed or created."""
        self.settle()
        before = self.status
        for _ in range(3):
            plan = self.look()
            if self.status != before:
                raise Violation("a network at rest gets another status at each look")
            busy = [e for e in plan.effects if not isinstance(e, fx.ApplyServices | fx.ApplyIdentity | _APPLIED)]
            if busy:
                raise Violation(f"a network at rest is worked upon: {busy}")
        if self.decided - self.published:
            raise Violation(f"never published: {self.decided - self.published}")
        if self.is_whole():
            self._check_nothing_is_left_over()

    def _check_nothing_is_left_over(self) -> None:
        """A network that runs whole has the records, pods and ConfigMaps of its nodes and no others."""
        nodes = {record.name for record in self.status.nodes}
        there = {pod.name for pod in self.processes()}
        if not nodes == there == set(self.cluster.pods) == self.cluster.config_maps:
            raise Violation(
                f"left over: {nodes ^ there} {set(self.cluster.pods) ^ there} {self.cluster.config_maps ^ there}"
            )


def _as_persisted(status: NetworkStatus) -> NetworkStatus:
    """The status as the API server gives it back."""
    return NetworkStatus.model_validate(json.loads(status.model_dump_json(by_alias=True)))


_APPLIED = fx.ApplyDisruptionBudgets

__all__ = ["History", "Violation", "digest"]
