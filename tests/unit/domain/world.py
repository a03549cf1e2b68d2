"""A small model of Kubernetes and CCF, as far as decisions see them.

It knows nothing of how decisions are made: it carries out effects and shows what a look would show.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import Command, NetworkStatus, Phase, Verdict
from ccf_operator.ccf.answers import (
    Ack,
    ConsensusAnswer,
    ConsensusConfig,
    NetworkAnswer,
    NodeAnswers,
    NodeRow,
    StateAnswer,
)
from ccf_operator.domain import effects as fx
from ccf_operator.domain.decide import decide
from ccf_operator.domain.observation import (
    ClaimView,
    ContainerView,
    DecisionView,
    Inputs,
    MachineView,
    Observation,
    PodView,
    Terminated,
)
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.reasons import MEANINGS
from ccf_operator.domain.txid import TxID
from ccf_operator.render import labels, names

UID = "0f1e2d3c-0000-0000-0000-000000000000"

_DOCUMENTED = {(phase, meaning.reason.value) for meaning in MEANINGS for phase in meaning.phases}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def assert_told(status: NetworkStatus) -> None:
    """What holds of every status: its reason is documented, and whoever must act is told what to do."""
    assert (status.phase, status.reason) in _DOCUMENTED
    said = {condition.type: condition.status for condition in status.conditions}
    assert not said["Reconciling"] == said["Stalled"] == "True"
    assert said["Stalled"] == "False" or status.next_step


@dataclass
class Ledger:
    """What one generation of a volume holds: where it ends, whose it is, which configurations it records."""

    end: TxID
    service: str
    recovery_count: int
    configurations: list[tuple[int, frozenset[str]]]
    opened: bool = False


@dataclass
class Service:
    """One CCF service; `state` is what its nodes say where its status does not tell."""

    key: str
    status: str
    recovery_count: int
    created: TxID
    previous: str | None = None
    commit: TxID = field(default_factory=lambda: TxID(2, 1))
    configurations: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    state: str | None = None
    elections: int = 0
    has_shares: bool = True
    """Whether the service it recovers was ever open: only then do shares of its ledger secret exist."""

    @property
    def view(self) -> int:
        return self.created.view + self.elections

    @property
    def members(self) -> frozenset[str]:
        return self.configurations[-1][1] if self.configurations else frozenset()


@dataclass
class Process:
    """A CCF process in a pod."""

    pod: str
    service: Service
    trusted: bool
    ledger: Ledger
    silent: bool = False

    @property
    def node_id(self) -> str:
        return digest(self.pod)


@dataclass
class Pod:
    name: str
    uid: str
    volume: str
    machine: str
    labels: dict[str, str]
    process: Process | None = None
    owner_uid: str = UID
    explored: str | None = None
    finalizer: bool = True
    deleting: bool = False
    exit_code: int | None = None
    stage_exit: int = 0
    stage_message: str = ""


class World:
    """Drive it with `settle`, look at `status`, break things with `kill`, `silence`, `lose_claim`, `lose_machine`."""

    def __init__(self, nodes: int = 3, **spec: object) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
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
        self.status = NetworkStatus()
        self.generation = 1
        self.deleting = False
        self.gone = False
        self.pods: dict[str, Pod] = {}
        self.uid = UID
        self.claims: dict[str, str] = {}
        self.annotations: dict[str, dict[str, str]] = {}
        self.config_maps: set[str] = set()
        self.machines = {
            f"machine-{n}": MachineView(f"machine-{n}", f"uid-{n}", True, f"boot-{n}", False) for n in range(9)
        }
        self.machine_of: dict[str, str] = {}
        self.ledgers: dict[tuple[str, int], Ledger] = {}
        self.services: list[Service] = []
        self.decisions: dict[str, DecisionView] = {}
        self.answered: dict[str, list[tuple[str, str]]] = {}
        self.events: list[fx.Report] = []
        self.deleted_running: list[str] = []
        self.pod_uids = 0

    # What a look shows

    def observe(self) -> Observation:
        return Observation(
            now=self.now,
            namespace="default",
            name="bank",
            uid=self.uid,
            generation=self.generation,
            deleting=self.deleting,
            spec=self.spec,
            status=self.status,
            inputs=Inputs(),
            pods={pod.name: self._view(pod) for pod in self.pods.values()},
            claims={
                name: ClaimView(name, uid, "Bound", f"pv-{name}", {}, self.annotations.get(name, {}))
                for name, uid in self.claims.items()
            },
            config_maps=frozenset(self.config_maps),
            machines=dict(self.machines),
            decisions=tuple(self.decisions.values()),
            answers={p.name: self._answers(p.process) for p in self.pods.values() if self._running(p) and p.process},
        )

    def _running(self, pod: Pod) -> bool:
        return pod.exit_code is None and pod.process is not None

    def _view(self, pod: Pod) -> PodView:
        staged = Terminated(pod.stage_exit, message=pod.stage_message)
        ended = Terminated(pod.exit_code) if pod.exit_code is not None else None
        return PodView(
            name=pod.name,
            uid=pod.uid,
            labels=pod.labels,
            finalizers=(labels.POD_FINALIZER,) if pod.finalizer else (),
            deleting=pod.deleting,
            created_at=self.now,
            phase="Running",
            ready=True,
            ip="10.0.0.1",
            machine=pod.machine,
            owner_uid=pod.owner_uid,
            explorer=ContainerView(terminated=Terminated(0, message=pod.explored) if pod.explored else None),
            stage=ContainerView(terminated=staged),
            ccf=ContainerView(running=self._running(pod), started_at=self.now, terminated=ended),
        )

    def quorum_of(self, service: Service) -> bool:
        alive = {p.node_id for p in self._alive(service) if p.trusted}
        return all(len(alive & nodes) > len(nodes) // 2 for _, nodes in service.configurations)

    def _alive(self, service: Service) -> list[Process]:
        found = [pod.process for pod in self.pods.values() if self._running(pod) and pod.process is not None]
        return [p for p in found if p.service is service]

    def primary_of(self, service: Service) -> str | None:
        alive = sorted(p.node_id for p in self._alive(service) if p.trusted and p.node_id in service.members)
        return alive[0] if alive and self.quorum_of(service) else None

    def _answers(self, process: Process) -> NodeAnswers:
        if process.silent:
            return NodeAnswers(problem="timed out")
        service, trusted = process.service, process.trusted
        primary = self.primary_of(service)
        view = service.view
        rows = tuple(
            NodeRow(p.node_id, "Trusted" if p.trusted else "Pending", p.node_id == primary, {"client": f"{p.pod}.x:1"})
            for p in self._alive(service)
        )
        open_now = service.status == "Open"
        public = "PartOfNetwork" if open_now or service.recovery_count == 0 else "PartOfPublicNetwork"
        state = service.state or public
        if not trusted:
            return NodeAnswers(
                reached=True,
                node_id=process.node_id,
                state=StateAnswer(process.node_id, "Pending", 0, 0, False),
                ready_app=False,
                ready_gov=False,
            )
        return NodeAnswers(
            reached=True,
            node_id=process.node_id,
            state=StateAnswer(process.node_id, state, service.commit.seqno, 0, False),
            network=NetworkAnswer(
                service.status,
                f"PEM {service.key}",
                service.key,
                view,
                primary,
                service.recovery_count,
                service.created,
            ),
            nodes=rows,
            consensus=ConsensusAnswer(
                configs=tuple(ConsensusConfig(seqno, seqno, nodes) for seqno, nodes in service.configurations[-1:]),
                acks={p.node_id: Ack(service.commit.seqno, 10) for p in self._alive(service) if p is not process},
                membership="Active",
                leadership="Leader" if primary == process.node_id else "Follower",
                primary_id=primary,
                view=view,
            ),
            commit=service.commit,
            ready_app=open_now,
            ready_gov=True,
            previous_identity=f"PEM {service.previous}" if service.previous else None,
            previous_identity_key=service.previous,
            removable=frozenset(),
        )

    # What effects do

    def step(self, crash_after: int | None = None) -> Plan:
        """One look, one decision, its status and its effects; `crash_after` n: the operator dies after n effects."""
        plan = decide(self.observe())
        assert_told(plan.status)
        self.status = NetworkStatus.model_validate(json.loads(plan.status.model_dump_json(by_alias=True)))
        for number, effect in enumerate(plan.effects):
            if crash_after is not None and number >= crash_after:
                break
            self.carry_out(effect)
        self.now += timedelta(seconds=min(plan.wake_after, 2))
        return plan

    def settle(self, limit: int = 60) -> None:
        """Look until nothing changes any more."""
        for _ in range(limit):
            before = (self.status.model_dump_json(), repr(self.pods), repr(self.annotations))
            self.step()
            if (self.status.model_dump_json(), repr(self.pods), repr(self.annotations)) == before:
                return

    def carry_out(self, effect: fx.Effect) -> None:
        match effect:
            case fx.CreateVolume(volume):
                self.claims.setdefault(volume, f"claim-{volume}")
            case fx.AnnotateVolume(volume, uid, facts):
                if self.claims.get(volume) == uid:
                    self.annotations.setdefault(volume, {})[labels.RECOVERY_FACTS] = facts
            case fx.ExploreVolume(volume, claim_uid):
                self._explore(volume, claim_uid)
            case fx.CreateNode(node):
                self._create_node(node)
            case fx.DeletePod(name, uid, _):
                if (pod := self.pods.get(name)) is not None and pod.uid == uid:
                    if self._running(pod):
                        self.deleted_running.append(name)
                    pod.deleting = True
                    if not pod.finalizer:
                        del self.pods[name]
                    if self.machines.get(pod.machine) is not None and self.machines[pod.machine].ready:
                        pod.exit_code = 0 if pod.exit_code is None else pod.exit_code
            case fx.ReleasePod(name, uid):
                if (pod := self.pods.get(name)) is not None and pod.uid == uid:
                    del self.pods[name]
            case fx.DeleteConfigMap(name):
                self.config_maps.discard(name)
            case fx.LabelPod(name, uid, changes):
                if (pod := self.pods.get(name)) is not None and pod.uid == uid:
                    for key, value in changes:
                        if value is None:
                            pod.labels.pop(key, None)
                        else:
                            pod.labels[key] = value
            case fx.AnswerDecision(name, uid, state, message):
                assert self.decisions[name].uid == uid
                answers = self.answered.setdefault(name, [])
                answers.append((state.value, message))
                self.decisions[name] = replace(self.decisions[name], answered=True)
            case fx.RemoveFinalizer():
                self.gone = True
            case fx.Report():
                self.events.append(effect)
            case _:
                pass

    def _explore(self, volume: str, claim_uid: str) -> None:
        """A pod reads the volume: the newest ledger there of a service that was open, and whose it is."""
        assert self.claims[volume] == claim_uid
        name = names.explorer("bank", claim_uid)
        if name in self.pods:
            return
        self.pod_uids += 1
        pod = Pod(name, f"pod-{self.pod_uids}", volume, "machine-0", {labels.ROLE: "explorer"}, owner_uid=self.uid)
        pod.finalizer = False
        self.pods[name] = pod
        here = {n: ledger for (where, n), ledger in self.ledgers.items() if where == volume}
        opened = {n: it for n, it in here.items() if self._was_open(it.service)}
        facts = None
        if opened:
            newest = max(opened)
            facts = {
                "lineage": [newest],
                "nextGeneration": max(here) + 1,
                "serviceCertificate": f"PEM {opened[newest].service}",
                "serviceKey": opened[newest].service,
                "recoveryCount": opened[newest].recovery_count,
            }
        pod.explored = json.dumps({"facts": facts, "problems": []})

    def _was_open(self, key: str) -> bool:
        return any(service.key == key and service.status == "Open" for service in self.services)

    def _create_node(self, name: str) -> None:
        if name in self.pods:
            return
        record = self.status.node(name)
        assert record is not None, "a node is created only when it is on record"
        assert record.volume in self.claims, "a node is created only when its volume exists"
        users = [p for p in self.pods.values() if p.volume == record.volume and self._running(p)]
        assert not users, f"{name} started on {record.volume} while {users} may write to it"
        self.config_maps.add(name)
        self.pod_uids += 1
        machine = self.machine_of.setdefault(record.volume, f"machine-{len(self.machine_of)}")
        pod = Pod(name, f"pod-{self.pod_uids}", record.volume, machine, {labels.ROLE: "node"}, owner_uid=self.uid)
        self.pods[name] = pod
        assert (record.volume, record.generation) not in self.ledgers, "a generation is written by exactly one node"
        if record.command is Command.START:
            service = Service(digest(f"service {name}"), "Opening", 0, TxID(2, 1))
            self.services.append(service)
            self._run(pod, service, record.generation, trusted=True)
        elif record.command is Command.JOIN:
            service = next(s for s in self.services if f"PEM {s.key}" == record.service_certificate)
            assert service.status in ("Opening", "Open", "Recovering"), "no joiner while shares are awaited"
            self._run(pod, service, record.generation, trusted=service.status in ("Opening", "Recovering"))
        else:
            self._recover(pod, record.volume, record.generation)

    def _run(self, pod: Pod, service: Service, generation: int, *, trusted: bool) -> None:
        ledger = Ledger(service.commit, service.key, service.recovery_count, list(service.configurations))
        self.ledgers[pod.volume, generation] = ledger
        pod.process = Process(pod.name, service, trusted, ledger)
        if trusted:
            self._change_members(service, service.members | {pod.process.node_id})

    def _recover(self, pod: Pod, volume: str, generation: int) -> None:
        assert self.status.attempt is not None
        candidate = next(c for c in self.status.attempt.candidates if c.volume == volume)
        base = self.ledgers[volume, candidate.lineage[-1]]
        created = TxID(base.end.view + 2, base.end.seqno + 1)
        service = Service(
            digest(f"service {pod.name}"), "Recovering", base.recovery_count + 1, created, base.service, created
        )
        service.has_shares = base.opened
        self.services.append(service)
        pod.stage_message = json.dumps(
            {
                "version": 1,
                "survey": {
                    "lastSigned": str(base.end),
                    "committedEnd": 1,
                    "sound": True,
                    "opened": base.opened,
                    **self._doubts(volume, candidate.doubtful, base),
                    "configurations": [sorted(nodes) for _, nodes in base.configurations[-4:]],
                    "configurationSeqnos": [seqno for seqno, _ in base.configurations[-4:]],
                },
            }
        )
        ledger = Ledger(created, service.key, service.recovery_count, [])
        self.ledgers[volume, generation] = ledger
        pod.process = Process(pod.name, service, True, ledger)
        self._change_members(service, frozenset({pod.process.node_id}))

    def _doubts(self, volume: str, doubtful: list[int], base: Ledger) -> dict[str, list[str]]:
        """What generations of failed attempts show."""
        beside = [self.ledgers[volume, number] for number in doubtful if (volume, number) in self.ledgers]
        opened = sorted({one.service for one in beside if one.opened and one.recovery_count > base.recovery_count})
        return {"openedLater": opened, "doubts": [f"service {key} was opened" for key in opened]}

    def _change_members(self, service: Service, nodes: frozenset[str]) -> None:
        seqno = service.commit.seqno + 1
        service.configurations = [(seqno, nodes)]
        self._advance(service, TxID(service.view, seqno), configuration=(seqno, nodes))

    def _advance(self, service: Service, to: TxID, *, configuration: tuple[int, frozenset[str]] | None = None) -> None:
        service.commit = to
        for process in self._alive(service):
            if process.trusted and not process.silent:
                process.ledger.end = to
                if configuration is not None:
                    process.ledger.configurations.append(configuration)

    # What members, clients and fate do

    @property
    def service(self) -> Service:
        key = self.status.service.public_key
        return next(s for s in self.services if s.key == key)

    @property
    def recovering(self) -> Service:
        """The service of the winner."""
        assert self.status.attempt is not None
        assert self.status.attempt.winner is not None
        key = self.status.attempt.winner.public_key
        return next(s for s in self.services if s.key == key)

    def open(self) -> None:
        self._open(self.service)

    def _open(self, service: Service) -> None:
        service.status, service.state = "Open", None
        for process in self._alive(service):
            process.ledger.opened = process.ledger.opened or (process.trusted and not process.silent)

    def write(self, count: int = 1) -> TxID:
        """Commit transactions in the open service; the last one's TxID."""
        assert self.quorum_of(self.service)
        return self.write_to(self.service, count)

    def write_to(self, service: Service, count: int = 1) -> TxID:
        self._advance(service, TxID(service.view, service.commit.seqno + count))
        return service.commit

    def accept(self) -> None:
        """The members accept the recovered service of the winner and submit their shares."""
        self.vote()
        self.submit()
        self.decrypted()

    def vote(self) -> None:
        assert self.recovering.status == "Recovering"
        self.recovering.status = "WaitingForRecoveryShares"

    def submit(self) -> None:
        """The members submit their shares; every node begins to decrypt its ledger."""
        service = self.recovering
        assert (service.status, service.state) == ("WaitingForRecoveryShares", None), "it takes no shares"
        assert service.has_shares, "a service that was never open has no shares"
        service.state = "ReadingPrivateLedger"

    def decrypted(self) -> None:
        assert self.recovering.state == "ReadingPrivateLedger"
        self._open(self.recovering)

    def lose_the_opening(self) -> None:
        """The primary has decrypted and dies before the opening is committed (CCF facts §8.8)."""
        service = self.recovering
        assert service.state == "ReadingPrivateLedger"
        primary = self.primary_of(service)
        service.state = "PartOfNetwork"
        self.kill(*(p.pod for p in self._alive(service) if p.node_id == primary))

    def trust(self, name: str, *, remove: str | None = None) -> None:
        """The members trust a pending node and remove another, in one proposal."""
        process = self.pods[name].process
        assert process is not None
        process.trusted = True
        gone = {digest(remove)} if remove is not None else set()
        process.ledger.end = process.service.commit
        self._change_members(process.service, (process.service.members | {process.node_id}) - gone)

    def decide(self, action: Action, token: str, *, volume: str | None = None, reason: str | None = None) -> str:
        """A person makes a decision; its name."""
        name = f"decision-{len(self.decisions)}"
        spec = CCFRecoveryDecisionSpec(network="bank", token=token, action=action, volume=volume, reason=reason)
        self.decisions[name] = DecisionView(name, f"uid-{name}", self.now, spec, "kubectl-create")
        return name

    def answer(self, decision: str) -> str:
        """What became of a decision: its one state."""
        states = {state for state, _ in self.answered[decision]}
        assert len(states) == 1, f"{decision} was answered {self.answered[decision]}"
        return states.pop()

    def delete(self) -> None:
        """Delete the network object; its pods end and are released, its volumes stay."""
        self.deleting = True
        for _ in range(20):
            if self.gone:
                return
            self.step()
        raise AssertionError("the deletion hangs")

    def create_again(self) -> None:
        """Apply the same manifest once more: another object, of which nothing is known."""
        self.uid = "f" + self.uid[1:]
        self.deleting = self.gone = False
        self.status = NetworkStatus()

    def lose_status(self) -> None:
        """The status is gone, the object stays."""
        self.status = NetworkStatus()

    def phase(self) -> Phase:
        return self.status.phase

    def verdict(self) -> Verdict:
        return self.status.quorum.verdict

    def serving(self) -> list[str]:
        return sorted(p.name for p in self.pods.values() if p.labels.get(labels.TRAFFIC) == "true" and self._running(p))

    def living(self) -> list[str]:
        return sorted(p.name for p in self.pods.values() if self._running(p))

    def kill(self, *pods: str) -> None:
        led = {s.key: self.primary_of(s) for s in self.services}
        for name in pods:
            self.pods[name].exit_code = 137
        for service in self.services:
            primary = self.primary_of(service)
            if primary is not None and primary != led[service.key]:
                service.elections += 1
                self.write_to(service)

    def silence(self, *pods: str) -> None:
        for name in pods:
            process = self.pods[name].process
            assert process is not None
            process.silent = True

    def speak(self, *pods: str) -> None:
        for name in pods:
            process = self.pods[name].process
            assert process is not None
            process.silent = False

    def running(self) -> World:
        """Create, open, settle."""
        self.settle()
        self.open()
        self.settle()
        return self
