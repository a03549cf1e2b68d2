"""A network of the simulation, driven by names: what tests of whole decisions do to it and ask of it."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from datetime import datetime

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import Attempt, NetworkStatus, Phase, Verdict
from ccf_operator.domain import effects as fx
from ccf_operator.domain.observation import DecisionView, Observation
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.txid import TxID
from ccf_operator.render import labels
from unit.simulation.ccf_model import Ccf, Entry, Process, digest, end_of, service_of, status_of
from unit.simulation.history import History
from unit.simulation.kubernetes_model import FIRST_UID, Claim, Explorer, Machine, Pod

UID = FIRST_UID

__all__ = ["UID", "Service", "World", "digest"]


class _Noted(History):
    """A history that notes the answers to decisions, and which nodes were ended while they ran."""

    def __init__(self, nodes: int, machines: int, **spec: object) -> None:
        super().__init__(nodes, machines, **spec)
        self.answered: dict[str, list[tuple[str, str]]] = {}
        self.deleted_running: list[str] = []

    def carry_out(self, effect: fx.Effect, status: NetworkStatus) -> None:
        if isinstance(effect, fx.AnswerDecision):
            self.answered.setdefault(effect.decision, []).append((effect.state.value, effect.message))
        if isinstance(effect, fx.DeletePod) and any(pod.name == effect.pod for pod in self.processes()):
            self.deleted_running.append(effect.pod)
        super().carry_out(effect, status)


class _Claims(MutableMapping[str, Claim]):
    """The claims; whoever takes one away is a person."""

    def __init__(self, history: History) -> None:
        self._history = history

    def __getitem__(self, name: str) -> Claim:
        return self._history.cluster.claims[name]

    def __setitem__(self, name: str, claim: Claim) -> None:
        self._history.cluster.claims[name] = claim

    def __delitem__(self, name: str) -> None:
        self._history.lost_claims.add((name, self._history.cluster.claims.pop(name).uid))

    def __iter__(self) -> Iterator[str]:
        return iter(self._history.cluster.claims)

    def __len__(self) -> int:
        return len(self._history.cluster.claims)


@dataclass(frozen=True)
class Service:
    """A CCF service, as its nodes' logs have it."""

    ccf: Ccf
    key: str

    @property
    def _newest(self) -> Process:
        mine = [p for p in self.ccf.processes.values() if service_of(p.log) == self.key]
        return max(mine, key=lambda p: (p.commit, end_of(p.log)))

    @property
    def commit(self) -> TxID:
        return end_of(self._newest.log[: self._newest.commit])

    @property
    def members(self) -> frozenset[str]:
        return self._newest.nodes()

    @property
    def status(self) -> str | None:
        return status_of(self._newest.log)


class World:
    """Drive it with `settle`, look at `status`, break things with `kill`, `silence`, `del world.claims[name]`."""

    def __init__(self, nodes: int = 3, **spec: object) -> None:
        self.history = _Noted(nodes, 9, **spec)

    # What it is made of

    @property
    def status(self) -> NetworkStatus:
        return self.history.status

    @status.setter
    def status(self, status: NetworkStatus) -> None:
        self.history.status = status

    @property
    def spec(self) -> CCFNetworkSpec:
        return self.history.spec

    @spec.setter
    def spec(self, spec: CCFNetworkSpec) -> None:
        self.history.spec = spec

    @property
    def generation(self) -> int:
        return self.history.generation

    @generation.setter
    def generation(self, generation: int) -> None:
        self.history.generation = generation

    @property
    def now(self) -> datetime:
        return self.history.now

    @now.setter
    def now(self, now: datetime) -> None:
        self.history.now = now

    @property
    def deleting(self) -> bool:
        return self.history.deleting

    @deleting.setter
    def deleting(self, deleting: bool) -> None:
        self.history.deleting = deleting

    @property
    def gone(self) -> bool:
        return self.history.gone

    @property
    def claims(self) -> _Claims:
        return _Claims(self.history)

    @property
    def pods(self) -> dict[str, Pod]:
        return self.history.cluster.pods

    @property
    def explorers(self) -> dict[str, Explorer]:
        return self.history.cluster.explorers

    @property
    def machines(self) -> dict[str, Machine]:
        return self.history.cluster.machines

    @property
    def annotations(self) -> dict[str, dict[str, str]]:
        """Of the claims that have any."""
        return {name: claim.annotations for name, claim in self.claims.items() if claim.annotations}

    @property
    def ledgers(self) -> dict[tuple[str, int], list[Entry]]:
        """What each generation of each volume holds."""
        return {
            (name, number): list(generation.entries)
            for name, claim in self.claims.items()
            for number, generation in claim.generations.items()
        }

    @property
    def answered(self) -> dict[str, list[tuple[str, str]]]:
        return self.history.answered

    @property
    def deleted_running(self) -> list[str]:
        return self.history.deleted_running

    @property
    def services(self) -> list[Service]:
        """Every service that was ever made, candidates' too, the oldest first."""
        made = {digest(f"service of {name}") for name in self.history.ccf.processes}
        keys = (e.service for p in self.history.ccf.processes.values() for e in p.log if e.service in made)
        return [Service(self.history.ccf, key) for key in dict.fromkeys(keys) if key is not None]

    @property
    def service(self) -> Service:
        assert self.status.service.public_key is not None
        return Service(self.history.ccf, self.status.service.public_key)

    @property
    def recovering(self) -> Service:
        """The service of the winner."""
        assert self.attempt.winner is not None
        return Service(self.history.ccf, self.attempt.winner.public_key)

    @property
    def attempt(self) -> Attempt:
        """The attempt in progress; there must be one."""
        assert self.status.attempt is not None
        return self.status.attempt

    def observe(self) -> Observation:
        return self.history.observe()

    def phase(self) -> Phase:
        return self.status.phase

    def verdict(self) -> Verdict:
        return self.status.quorum.verdict

    def serving(self) -> list[str]:
        marked = {pod.name for pod in self.pods.values() if pod.labels.get(labels.TRAFFIC) == "true"}
        return [name for name in self.living() if name in marked]

    def living(self) -> list[str]:
        return sorted(pod.name for pod in self.history.processes())

    def primary_of(self, service: Service) -> str | None:
        leader = self.history.ccf.leader(service.key)
        return leader.node_id if leader is not None else None

    # What happens

    def step(self, crash_after: int | None = None) -> Plan:
        """One look; `crash_after` n: the operator dies after n effects."""
        plan = self.history.look(stop_after=crash_after)
        self.history.late.clear()
        return plan

    def settle(self, limit: int = 80) -> None:
        """Look until nothing changes any more."""
        self.history.settle(limit)

    def running(self) -> World:
        """Create, open, settle."""
        self.settle()
        self.open()
        self.settle()
        return self

    def kill(self, *pods: str) -> None:
        for name in pods:
            self.history.kill(name)
        self.history.pass_time(0)

    def silence(self, *pods: str) -> None:
        for name in pods:
            self.history.process(name).mute = True

    def speak(self, *pods: str) -> None:
        for name in pods:
            self.history.process(name).mute = False

    def boot_again(self) -> None:
        """All machines have booted since their nodes started, as a look would show that comes too late."""
        for machine in self.machines.values():
            machine.boot += 1

    def forget_annotations(self) -> None:
        for claim in self.claims.values():
            claim.annotations.clear()

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
        self.history.cluster.network_uid = "f" + self.history.cluster.network_uid[1:]
        self.history.deleting = self.history.gone = False
        self.history.cluster.identity = None
        self.history.lose_status()

    def lose_status(self) -> None:
        """The status is gone, the object stays."""
        self.history.lose_status()

    # What members and clients do

    def open(self) -> None:
        self.history.open()
        self.history.pass_time(0)

    def write(self, count: int = 1) -> TxID:
        """Commit transactions in the open service; the last one's TxID."""
        return self.write_to(self.service, count)

    def write_to(self, service: Service, count: int = 1) -> TxID:
        for _ in range(count):
            leader = self.history.ccf.leader(service.key)
            assert leader is not None, "nobody leads it"
            self.history.ccf.write(leader)
            self.history.note_committed(leader)
        return service.commit

    def accept(self) -> None:
        """The members accept the recovered service of the winner and submit their shares."""
        self.vote()
        self.submit()
        self.decrypted()

    def vote(self) -> None:
        assert self.recovering.status == "Recovering"
        self.history.accept()
        self.history.pass_time(0)

    def submit(self) -> None:
        """The members submit their shares; every node begins to decrypt its ledger."""
        leader = self._recovering_leader()
        assert status_of(leader.log) == "WaitingForRecoveryShares", "it takes no shares"
        assert not leader.decrypted, "it takes no shares any more"
        assert not leader.reading, "it takes no shares while it reads"
        self.history.submit_shares(reading=10**9)

    def decrypted(self) -> None:
        self._end_of_reading()
        self.history.pass_time(0)

    def lose_the_opening(self) -> None:
        """The primary has decrypted and dies before the opening is committed (CCF facts §8.8)."""
        leader = self._end_of_reading()
        self.kill(leader.pod)

    def trust(self, name: str, *, remove: str | None = None) -> None:
        """The members trust a pending node and remove another, in one proposal."""
        leader = self.history.leader()
        assert leader is not None
        gone = {digest(remove)} if remove is not None else set()
        self.change_members((leader.nodes() | {digest(name)}) - gone)

    def change_members(self, nodes: frozenset[str]) -> None:
        leader = self.history.leader()
        assert leader is not None
        self.history.ccf.change_nodes(leader, nodes)
        self.history.pass_time(0)

    def decide(self, action: Action, token: str, *, volume: str | None = None, reason: str | None = None) -> str:
        """A person makes a decision; its name."""
        if action is Action.START:
            self.history.given_up.add(self.status.service.public_key)
        name = f"decision-{len(self.history.decisions)}"
        spec = CCFRecoveryDecisionSpec(network="bank", token=token, action=action, volume=volume, reason=reason)
        self.history.decisions.append(DecisionView(name, f"uid-{name}", self.now, spec, "kubectl-create"))
        return name

    def answer(self, decision: str) -> str:
        """What became of a decision: its one state."""
        states = {state for state, _ in self.answered[decision]}
        assert len(states) == 1, f"{decision} was answered {self.answered[decision]}"
        return states.pop()

    def _recovering_leader(self) -> Process:
        leader = self.history.recovering_leader()
        assert leader is not None
        return leader

    def _end_of_reading(self) -> Process:
        leader = self._recovering_leader()
        assert leader.reading, "nobody reads"
        for process in sorted(self.history.ccf.group(leader), key=lambda p: p.leads):
            self.history.ccf.end_of_reading(process)
        return leader
