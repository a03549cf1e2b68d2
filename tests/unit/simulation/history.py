"""A network's history: the operator's looks, what fate, clients and members do, and what must hold at every moment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import AttemptPhase, NetworkStatus, Phase, PodState, SilenceCause
from ccf_operator.ccf.answers import NoAnswer, NodeAnswers
from ccf_operator.domain import effects as fx
from ccf_operator.domain.decide import decide
from ccf_operator.domain.ends import may_live
from ccf_operator.domain.identity import IdentityView
from ccf_operator.domain.observation import DecisionView, Inputs, MemberInput, Observation, OperatorView
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.reasons import Reason
from ccf_operator.kube.errors import Forbidden
from ccf_operator.reconcile.asking import CHANCE_SECONDS
from ccf_operator.reconcile.refusals import Refusals, made_of, refusal
from unit.simulation.ccf_model import (
    OPEN,
    OPENING,
    RECOVERING,
    WAITING,
    Ccf,
    Entry,
    Process,
    digest,
    status_of,
)
from unit.simulation.invariants import Invariants
from unit.simulation.kubernetes_model import IMAGE, Kubernetes, Pod, Violation
from unit.simulation.told import assert_refusals_are_told, assert_told

NOTHING_HEARD = NodeAnswers(silence=NoAnswer(SilenceCause.TIMED_OUT, "connection timed out"))
INPUTS = Inputs(constitution=(("actions.js", "//"),), members=(MemberInput("alice", "PEM", "PEM", None, None),))


class History:
    """One network on one cluster. Every method is something that can happen; `check` is called after each."""

    def __init__(self, nodes: int = 3, machines: int = 5, **spec: object) -> None:
        self.spec = CCFNetworkSpec.model_validate(
            {
                "nodes": nodes,
                "image": IMAGE,
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
        self.given_up: set[str | None] = set()
        """Keys of services whose nodes people have had ended."""
        self.late: list[tuple[fx.Effect, NetworkStatus]] = []
        """Effects of an operator that stopped between writing the status and doing them."""
        self.decided: set[fx.Report] = set()
        """Events that were to be published once a status was written, and it was."""
        self.published: set[fx.Report] = set()
        """Those that were."""
        self.dies_after: int | None = None
        """After so many more effects the operator stops, once, and another starts."""
        self.leaves_late = False
        """Whether what that one had under way takes effect during the next look, or not at all."""
        self.asked = 0
        """Plans that were made."""
        self.lost_claims: set[tuple[str, str]] = set()
        """Claims that people have deleted, with their UIDs."""
        self.of_two = Action.APPROVE
        """What a person decides where there are two services: to go on with the recovered one, or with the other."""
        self.cut_off_since: datetime | None = None
        """Since when the operator reaches no node of this network, nor of another."""
        self.asked_at: dict[str, datetime] = {}
        """Since when nodes have been asked that have not answered yet."""
        self.had_their_chance: set[str] = set()
        """Nodes that have not answered in their full time."""
        self.refused: frozenset[type[fx.Effect]] = frozenset()
        """Kinds of effects that the API server refuses."""
        self.refusals = Refusals(self._seconds)
        self.statuses: list[NetworkStatus] = []
        """All that were written, the newest last, since the status was last lost."""
        self.must = Invariants()

    # The operator

    def _seconds(self) -> float:
        return self.now.timestamp()

    def observe(self, between: Callable[[], object] = lambda: None) -> Observation:
        """What a look shows; `between` happens after the cluster was asked, and before its nodes are."""
        pods, claims, machines = self.cluster.pod_views(), self.cluster.claim_views(), self.cluster.machine_views()
        running = [pod for pod in self.cluster.pods.values() if self._is_asked(pod)]
        between()
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
            pods=pods,
            claims=claims,
            config_maps=frozenset(self.cluster.config_maps),
            identity=self.cluster.identity,
            machines=machines,
            persistent_volumes=self.cluster.volume_views(),
            namespace_terminating=self.cluster.namespace_terminating,
            decisions=tuple(self.decisions),
            published=frozenset(self.published),
            refusals=self.refusals.standing,
            answers={
                pod.name: self._answers(pod, pod.process)
                for pod in running
                if pod.process is not None and pod.process.alive and self._reachable(pod)
            },
            operator=OperatorView(pods=len(running), networks=2, unreached_since=self.cut_off_since),
        )

    def _is_asked(self, pod: Pod) -> bool:
        """Whether the operator asks a pod's node; one that was rejected is asked where it was known."""
        record = self.status.node(pod.name)
        known = pod.rejected is not None and record is not None and record.node_id is not None
        return pod.seen.running or (known and pod.seen.terminated is None)

    def cut_operator_off(self) -> None:
        """The operator reaches no node any more, as behind a network policy or on a machine that lost its pod network.

        The nodes reach one another, clients reach them, and kubelets and the API server all of it.
        """
        self.cut_off_since = self.cut_off_since or self.now

    def _answers(self, pod: Pod, process: Process) -> NodeAnswers:
        if self.cut_off_since is not None:
            return NOTHING_HEARD
        record = self.status.node(pod.name)
        if pod.impostor and record is not None and record.node_id is not None:
            return NodeAnswers(impostor=True, problem=f"expected node {record.node_id[:8]}, found node 12345678")
        return self._not_yet(process) or self.ccf.answers(process)

    def _not_yet(self, process: Process) -> NodeAnswers | None:
        """What is heard of a node that takes its time (`reconcile.asking`); None: it answers."""
        name = process.pod
        asked = self.asked_at.setdefault(name, self.now)
        waited = (self.now - asked).total_seconds()
        if waited < min(process.answers_after, CHANCE_SECONDS):
            return NodeAnswers(problem="it has been asked", awaited=name not in self.had_their_chance)
        del self.asked_at[name]
        if process.answers_after < CHANCE_SECONDS:
            self.had_their_chance.discard(name)
            return None
        self.had_their_chance.add(name)
        return NodeAnswers(problem="timed out", silence=NoAnswer(SilenceCause.NO_REPLY, "connected, then nothing"))

    def hears(self, pod: Pod) -> bool:
        """Whether a pod's own node answers the operator."""
        process, there = pod.process, self.cluster.pods.get(pod.name) is pod
        heard = process is not None and process.runs and not process.mute and not process.answers_after
        heard = heard and not pod.impostor
        return there and self._is_asked(pod) and heard and self._reachable(pod) and self.cut_off_since is None

    def _reachable(self, pod: Pod) -> bool:
        return pod.machine is not None and self.cluster.machines[pod.machine].on

    def look(
        self,
        *,
        stop_after: int | None = None,
        lost_update: bool = False,
        between: Callable[[], object] = lambda: None,
    ) -> Plan:
        """One look of the operator; it may die after some effects, or find that another has written the status.

        `between` happens while it looks.
        """
        seen = self.observe(between)
        plan = decide(seen)
        assert_told(plan.status)
        assert_refusals_are_told(seen, plan.status)
        self.asked += 1
        if not lost_update:
            if plan.status != self.status:
                self.statuses.append(plan.status)
            self.status = _as_persisted(plan.status) if self.asked % 8 == 0 else plan.status
            self.must.check_written(self)
            self.decided |= {effect for effect in plan.effects if isinstance(effect, fx.Report)}
            left_behind = [(effect, self.status) for effect in self._do(plan, seen, stop_after)]
            if self.leaves_late:
                self.do_late()
            self.late += left_behind
        self.pass_time(min(plan.wake_after, 2.0))
        return plan

    def _do(self, plan: Plan, seen: Observation, stop_after: int | None) -> list[fx.Effect]:
        """Carry out a plan until the operator stops; what is left of it."""
        self.refusals.keep(plan.effects)
        if stop_after is None and self.dies_after is not None:
            stop_after, left = self.dies_after, self.dies_after - len(plan.effects)
            self.dies_after = left if left >= 0 else None
        for effect in plan.effects[:stop_after]:
            self._try(effect, seen)
        if stop_after is None:
            return []
        self.refusals = Refusals(self._seconds)  # another operator knows nothing of what this one was refused
        return list(plan.effects[stop_after:])

    def _try(self, effect: fx.Effect, seen: Observation) -> None:
        """Carry out an effect, unless it waits for its next try or the API server refuses it."""
        if not self.refusals.is_due(effect, made_of(effect, seen)):
            return
        if type(effect) in self.refused:
            no = refusal(effect, Forbidden("a policy says no", status=403), seen, passing=False)
            self.refusals.refuse(no, made_of(effect, seen), urgent=self.status.attempt is not None)
        else:
            self.carry_out(effect, self.status)
            self.refusals.done(effect)

    def do_late(self) -> None:
        """What a stopped operator had under way takes effect after all, as far as Kubernetes lets it."""
        late, self.late = self.late, []
        for effect, status in late:
            self.carry_out(effect, status)
        self.check()

    def carry_out(self, effect: fx.Effect, status: NetworkStatus) -> None:
        if isinstance(effect, fx.ReleasePod | fx.DeletePod) and self.cluster.would_take_along(effect.pod):
            if isinstance(effect, fx.ReleasePod) and status is not self.status:
                return  # the claim is read once more before a pod is let go
            if isinstance(effect, fx.ReleasePod) or effect.pod in self.cluster.explorers:
                raise Violation(f"{effect.pod} is let go, and the ledger that it holds goes along")
        match effect:
            case fx.CreateVolume(volume):
                self.cluster.create_claim(volume)
            case fx.ReclaimVolume(volume, persistent_volume):
                self.cluster.reclaim(volume, persistent_volume)
            case fx.ApplyIdentity(instead_of):
                self._tell_clients(instead_of, status)
            case fx.AnnotateVolume(volume, uid, facts):
                self.must.nothing_older_is_written(self, volume, facts, status)
                self.cluster.annotate_claim(volume, uid, facts)
            case fx.ExploreVolume(volume, claim_uid):
                self.cluster.explore(volume, claim_uid, self.now)
            case fx.CreateNode(node):
                image = self.spec.image
                self.cluster.create_node(node, status, self.now, image, is_late=status is not self.status)
            case fx.DeletePod(name, uid, _):
                self.must.rule_2_nothing_needed_is_ended(self, name, uid, status)
                self.cluster.delete_pod(name, uid)
            case fx.ReleasePod(name, uid):
                self.must.rule_2_nothing_is_released_that_runs(self, name, uid, status)
                self.cluster.release_pod(name, uid)
            case fx.DeleteConfigMap(name):
                self.cluster.config_maps.discard(name)
            case fx.LabelPod(name, uid, changes):
                self.cluster.label(name, uid, changes)
            case fx.RemoveNodeRow(_, node_id):
                if self.cut_off_since is None:
                    self.ccf.rows_gone.add(node_id)
            case fx.AnswerDecision(_, uid, state, message):
                self.decisions = [
                    replace(d, state=state.value, message=message) if d.uid == uid else d for d in self.decisions
                ]
            case fx.Report():
                self.published.add(effect)
            case fx.RemoveFinalizer():
                self.gone = True
            case _:
                pass

    def _tell_clients(self, instead_of: IdentityView | None, status: NetworkStatus) -> None:
        service, told = status.service, self.cluster.identity
        wanted = IdentityView(service.public_key, service.recovery_count, service.create_tx_id)
        # Server-side apply is at a version, and the status is looked at once more: what is late comes to nothing.
        if status.service == self.status.service and (told in (None, instead_of, wanted) or status is self.status):
            self.must.clients_are_told_nothing_older(told, wanted, status)
            self.cluster.identity = wanted

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        had_claims = bool(self.cluster.claims)
        self.cluster.tick(self.now)
        if had_claims:
            self._note_last_claim()
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
        self.note_committed(leader)
        self.check()

    def append_in_vain(self, name: str, count: int) -> None:
        """A primary that is cut off takes writes that can never commit, until it notices."""
        process = self.process(name)
        if process.leads and process.runs:
            for _ in range(count):
                process.append(Entry(process.view, f"in vain {name} {len(process.log)}"))

    def note_committed(self, leader: Process) -> None:
        """What clients of an open service see."""
        if status_of(leader.log[: leader.commit]) != OPEN or self.must.is_forgone(leader):
            return
        for seqno, entry in enumerate(leader.log[: leader.commit], 1):
            known = self.committed.setdefault(seqno, entry)
            if known != entry and not self.must.may_part(self):
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

    def submit_shares(self, *, reading: int = 0, commit: bool = True) -> None:
        """The members submit their shares; the ledger is read for so many ticks.

        The opening may be caught before it commits (CCF facts §8.8).
        """
        leader = self.recovering_leader()
        if leader is None or status_of(leader.log) != WAITING or leader.decrypted or leader.reading:
            return
        self.ccf.begin_reading(leader, reading)
        if reading:
            return
        for process in sorted(self.ccf.group(leader), key=lambda p: p.leads):
            self.ccf.end_of_reading(process)
        if commit and leader.alive:
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
        nodes = (leader.nodes() | trusted) - removed
        if nodes != leader.nodes():  # to trust a node once more changes nothing
            self.ccf.change_nodes(leader, nodes)

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
        token = (
            attempt.token if attempt is not None else paused.token if paused is not None else self.status.recovery_token
        )
        if token is not None and token not in self.tokens:
            self.tokens.append(token)
        return token

    def start_recovery(self) -> None:
        """A person wants the service recovered, whatever becomes of its nodes."""
        if self.status.recovery_token is not None:
            self.given_up.add(self.status.service.public_key)
            self.decide(Action.START, token=self.status.recovery_token)

    def decide_as_told(self) -> None:
        """A person approves what is asked, and resumes what was stopped; what an old status asks counts for nothing."""
        attempt = self.status.attempt if self.status.outdated is None else None
        if attempt is not None and attempt.reason == Reason.TWO_SERVICES:
            self.decide(self.of_two)
        elif attempt is not None and attempt.phase is AttemptPhase.AWAITING_APPROVAL:
            self.decide(Action.APPROVE)
        elif attempt is None and self.status.paused is not None and self.status.outdated is None:
            self.decide(Action.RESUME)
        elif (found := self.status.found) is not None and any(volume.service for volume in found.volumes):
            counts = {volume.name: volume.recovery_count or 0 for volume in found.volumes}
            self.decide(
                Action.ADOPT, token=found.token, volume=max(found.to_choose_from, key=counts.__getitem__, default=None)
            )
        elif found is not None and found.token is not None and self.status.outdated is None:
            self._give_up_all()
            self.decide(Action.DISOWN, token=found.token)
        elif self.status.recovery_token is not None and self.status.recovery_token in self.status.next_step:
            self.start_recovery()

    def _give_up_all(self) -> None:
        self.committed.clear()
        self.must.start_over()

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
        self.must.forget_status()
        self.decided.clear()

    # Fate

    def lose_status(self) -> None:
        """Somebody wipes the status; where no volume and no node is left either, nothing tells of a past."""
        if not (self.cluster.claims or self.cluster.pods or self.cluster.config_maps):
            self._give_up_all()
        self.statuses.clear()
        self._replace_status(NetworkStatus())

    def put_back(self, age: int) -> None:
        """Somebody puts an older status back: that of so many writes before."""
        if self.statuses and not self.deleting:
            self.put_back_this(self.statuses[max(0, len(self.statuses) - 1 - age)])

    def put_back_this(self, status: NetworkStatus) -> None:
        """Somebody puts this status back."""
        self.cluster.forgetful = True
        self._replace_status(status)
        self._note_last_claim()

    def edit_status(self, **fields: object) -> None:
        """Somebody edits the status."""
        self.cluster.forgetful = True
        self._replace_status(self.status.model_copy(update=fields, deep=True))
        self._note_last_claim()

    def _replace_status(self, status: NetworkStatus) -> None:
        self.status = _as_persisted(status)
        self.must.forget_status(self.status)
        self.decided.clear()

    def kill(self, name: str) -> None:
        self.cluster.kill(name)

    def delete_by_hand(self, name: str) -> None:
        self.cluster.delete_pod(name, self.cluster.pods[name].uid)

    def lose_claim(self, name: str) -> None:
        """A person deletes a claim that no running pod uses; after the last one only the status tells of a past."""
        if not any(p.volume == name and p.process and p.process.alive for p in self.cluster.pods.values()):
            self.lost_claims.add((name, self.cluster.claims.pop(name).uid))
            self._note_last_claim()

    def _note_last_claim(self) -> None:
        """With the last claim goes what tells of a past, where the status is gone too."""
        if not self.cluster.claims and self.status.service.public_key is None:
            self._give_up_all()

    def delete_claims(self, *names: str, retained: bool) -> None:
        """A person deletes claims, in use or not."""
        for name in names:
            self.cluster.begin_to_delete_claim(name, retained=retained)
            self.lost_claims.add((name, self.cluster.claims[name].uid))

    def keep_as_told(self) -> None:
        """A person keeps the volumes that the status says to keep, and gives claims theirs again."""
        for text in re.findall(r"kubectl patch pv ([^-]\S*(?: [^-\s]\S*)*) (-p|--type json)", self.status.next_step):
            for volume in text[0].split():
                if text[1] == "-p":
                    self.cluster.retain(volume)
                else:
                    self.cluster.rebind(volume)

    def heal(self) -> None:
        """Everything that can come back comes back."""
        self.cut_off_since = None
        self.refused = frozenset()
        self.correct_image()
        for machine in self.cluster.machines.values():
            machine.cut = machine.cordoned = False
            self.cluster.power_on(machine.name)
            self.cluster.take_back(machine.name)
        self.cluster.sticks.clear()
        self.free_stuck()
        for pod in self.cluster.pods.values():
            pod.impostor = False
        for process in self.ccf.processes.values():
            process.frozen = process.mute = process.slow = False
            process.answers_after = 0.0
            process.side = 0

    def correct_image(self, image: str = IMAGE) -> None:
        """Somebody gives the spec another image, which makes another pod of what has not started."""
        if self.spec.image != image:
            self.spec = self.spec.model_copy(update={"image": image})
            self.generation += 1

    def free_stuck(self) -> None:
        """What kept pods from becoming is mended; of one that has lost its sandbox nothing is ever started again."""
        for pod in self.cluster.pods.values():
            if pod.stuck is not PodState.STAGED and not pod.never_was and pod.image == IMAGE:
                pod.stuck = None

    def see_to_the_end(self, rounds: int = 24, *, decides: bool = False) -> None:
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
            self.keep_as_told()
            self.say_what_has_ended()
            if decides:
                self.decide_as_told()
            if self.is_whole():
                return
        self.settle()

    def delete_as_told(self) -> None:
        """A person deletes the pods that the status says to delete, and lets go of those that run no more."""
        _, told, pods = self.status.next_step.partition(" delete pod ")
        for name in pods.replace(";", " ").split() if told else ():
            if name in self.cluster.pods:
                self.delete_by_hand(name)
        for name in re.findall(r"patch pod (\S+) --type json", self.status.next_step):
            if (process := self.cluster.pods[name].process) is None or not process.alive:
                self.cluster.release_pod(name, self.cluster.pods[name].uid)

    def say_what_has_ended(self) -> None:
        """A person says, as they are told to, that nodes run no more whose pods went before their ends were seen.

        Their machines are well, so the word is taken back once it was heard.
        """
        if "node.kubernetes.io/out-of-service" not in self.status.next_step:
            return
        for record in self.status.nodes:
            runs = any(p.pod == record.name and p.alive for p in self.ccf.processes.values())
            machine = record.machine.name if record.machine is not None else ""
            if may_live(record) and record.pod_uid and not self._may_be_reported(record.name) and not runs:
                self.cluster.give_up(machine, deleted=False, lingers=True)
                self.look()
                self.cluster.take_back(machine)

    def _may_be_reported(self, name: str) -> bool:
        """Whether the end of a node may yet be seen: its pod is there, and its kubelet has not given it up for good."""
        pod = self.cluster.pods.get(name)
        return pod is not None and not (pod.rejected is not None and pod.deleting and pod.seen.terminated is None)

    def is_whole(self) -> bool:
        fit = sum(record.fit for record in self.status.nodes)
        told = self.status.phase is Phase.RUNNING and fit == self.spec.nodes and not self.status.next_step
        return told and self.leader() is not None

    def must_be_asked(self) -> bool:
        """Whether it waits for a person's word although no volume has lost anything, and rightly.

        Either all of a recovering network died while nobody looked, and too few of its ledgers can tell whether it
        opened; or members had trusted joiners of which the operator had heard nothing when the recovery began.
        """
        attempt = self.status.attempt
        if attempt is None:
            return False
        if attempt.reason == Reason.MAY_HAVE_OPENED:
            return True
        tried = {candidate.volume for candidate in attempt.candidates}
        others = (self.ccf.processes.get(record.name) for record in self.status.nodes if record.volume not in tried)
        unheard = any(process is not None and process.log for process in others)
        return unheard and attempt.reason == Reason.APPROVAL_REQUIRED

    # What must hold

    def check(self) -> None:
        """At every moment."""
        self.must.check(self)

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
        """A network that runs whole has the records, pods and ConfigMaps of its nodes and no others.

        But what went before its end was seen is on record for ever, for nobody knows that it has ended.
        """
        unseen = {r.name for r in self.status.nodes if r.ended is None and not self._may_be_reported(r.name)}
        nodes = {record.name for record in self.status.nodes} - unseen
        there = {pod.name for pod in self.processes()}
        files = (self.cluster.config_maps - unseen) | (self.cluster.deleted_config_maps & nodes)
        if self.cluster.explorers or not nodes == there == set(self.cluster.pods) - unseen == files:
            raise Violation(
                f"left over: {nodes ^ there} {set(self.cluster.pods) ^ there} {self.cluster.config_maps ^ there}"
            )


def _as_persisted(status: NetworkStatus) -> NetworkStatus:
    """The status as the API server gives it back."""
    return NetworkStatus.model_validate(json.loads(status.model_dump_json(by_alias=True)))


_APPLIED = fx.ApplyTrustedBudget | fx.ApplyRecoveryBudget | fx.RemoveRecoveryBudget

__all__ = ["History", "Violation", "digest"]
