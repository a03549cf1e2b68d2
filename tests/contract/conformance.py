"""One vocabulary of events for the model of CCF that random histories rest on, and for simulated nodes.

What a script does to both must come to the same observable state: what an operator hears when it asks each node.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Protocol

from ccf_operator.ccf import governance
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.client import ask, remove_row
from ccf_operator.domain.txid import TxID
from contract.sandbox import RunningNode, Sandbox, until
from unit.simulation import ccf_model
from unit.simulation.ccf_model import Ccf, Generation, Process

TICKS = 12
"""Rounds of the model after which everything has happened that happens by itself."""


@dataclass(frozen=True)
class Observed:
    """What one node says, with names in place of ids and keys; what depends on luck, as who is elected, is left out."""

    state: str | None
    service: str | None = None
    recoveries: int | None = None
    knows_primary: bool = False
    configuration: frozenset[str] = frozenset()
    rows: frozenset[tuple[str, str]] = frozenset()
    open_to_clients: bool | None = None
    has_last_write: bool | None = None
    """Whether it knows the last write to be committed."""
    created_after_last_write: bool | None = None
    """Whether its service was created on a ledger that holds the last write."""
    removable: frozenset[str] = frozenset()
    previous: str | None = None
    """The node that created the service before this one."""


class Consortium(Protocol):
    """Nodes by name, and what can happen to them. `leader` in place of a name is whoever leads."""

    async def start(self, name: str) -> None: ...
    async def join(self, name: str, target: str) -> None: ...
    async def open(self) -> None: ...
    async def change(self, *, trust: Iterable[str] = (), remove: Iterable[str] = ()) -> None: ...
    async def write(self) -> None: ...
    async def kill(self, *names: str) -> None: ...
    async def cut(self, name: str) -> None: ...
    async def heal(self) -> None: ...
    async def recover(self, name: str, of: str) -> None: ...
    async def submit_shares(self) -> None: ...
    async def delete_row(self, name: str) -> None: ...


def observed(said: NodeAnswers, names: dict[str, str], services: dict[str, str], last_write: TxID | None) -> Observed:
    """`names` of node ids and `services` of public keys."""
    state = said.state.state if said.state is not None else None
    if said.network is None or said.consensus is None:
        return Observed(state)
    commit, created = said.commit, said.network.create_tx_id
    return Observed(
        state=state,
        service=said.network.service_status,
        recoveries=said.network.recovery_count,
        knows_primary=said.network.primary_id is not None,
        configuration=frozenset(names[one] for one in said.consensus.configs[-1].nodes)
        if said.consensus.configs
        else frozenset(),
        rows=frozenset((names[row.node_id], row.status) for row in said.nodes),
        open_to_clients=said.ready_app,
        has_last_write=commit is not None and commit >= last_write if last_write is not None else None,
        created_after_last_write=created is not None and created > last_write if last_write is not None else None,
        removable=frozenset(names[one] for one in said.removable),
        previous=services[said.previous_identity_key] if said.previous_identity_key is not None else None,
    )


def differences(simulated: dict[str, Observed], model: dict[str, Observed]) -> list[str]:
    """In what the nodes' answers differ, a line for each field."""
    if simulated.keys() != model.keys():
        return [f"simulated {sorted(simulated)}, model {sorted(model)}"]
    return [
        f"{name}.{key.name}: simulated {getattr(simulated[name], key.name)}, model {getattr(model[name], key.name)}"
        for name in simulated
        for key in fields(Observed)
        if getattr(simulated[name], key.name) != getattr(model[name], key.name)
    ]


@dataclass
class Model:
    """The model, in which all that happens by itself happens at once."""

    ccf: Ccf = field(default_factory=Ccf)
    last_write: TxID | None = None

    def _one(self, name: str) -> Process:
        return self._leading() if name == "leader" else self.ccf.processes[name]

    def _leading(self) -> Process:
        [leader] = filter(None, (self.ccf.leader(key) for key in self._services()))
        return leader

    def _services(self) -> set[str | None]:
        return {ccf_model.service_of(p.log) for p in self.ccf.processes.values() if p.runs and p.log}

    def _settle(self) -> None:
        for _ in range(TICKS):
            self.ccf.tick()

    async def start(self, name: str) -> None:
        self.ccf.start(name, Generation(0))
        self._settle()

    async def join(self, name: str, target: str) -> None:
        certificate = f"PEM {ccf_model.service_of(self._one(target).log)}"
        self.ccf.join(name, self._one(target).pod, certificate, Generation(0))
        self._settle()

    async def open(self) -> None:
        leader = self._leading()
        recovering = ccf_model.status_of(leader.log) == ccf_model.RECOVERING
        self.ccf.change_status(leader, ccf_model.WAITING if recovering else ccf_model.OPEN)
        self._settle()

    async def change(self, *, trust: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        leader = self._leading()
        added = {self._one(name).node_id for name in trust}
        gone = {self._one(name).node_id for name in remove}
        self.ccf.change_nodes(leader, (leader.nodes() | added) - gone)
        self._settle()

    async def write(self) -> None:
        leader = self._leading()
        seqno, entry = self.ccf.write(leader)
        self.last_write = TxID(entry.view, seqno)
        self._settle()

    async def kill(self, *names: str) -> None:
        for process in [self._one(name) for name in names]:
            process.alive = False
        self._settle()

    async def cut(self, name: str) -> None:
        self._one(name).side = 1
        self._settle()

    async def heal(self) -> None:
        for process in self.ccf.processes.values():
            process.side = 0
        self._settle()

    async def recover(self, name: str, of: str) -> None:
        base = self._one(of).log
        self.ccf.recover(name, base, Generation(len(base)))
        self._settle()

    async def submit_shares(self) -> None:
        leader = self._leading()
        self.ccf.begin_reading(leader, 1)
        self._settle()

    async def delete_row(self, name: str) -> None:
        self.ccf.rows_gone.add(self._one(name).node_id)
        self._settle()

    def observe(self) -> dict[str, Observed]:
        """What each living node says."""
        names = {p.node_id: p.pod for p in self.ccf.processes.values()}
        services = {ccf_model.digest(f"service of {pod}"): pod for pod in self.ccf.processes}
        return {
            p.pod: observed(self.ccf.answers(p), names, services, self.last_write)
            for p in self.ccf.processes.values()
            if p.alive
        }


@dataclass
class Simulated:
    """Simulated nodes, in which things take their time."""

    sandbox: Sandbox
    last_write: TxID | None = None
    services: dict[str, str] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    previous_certificate: str | None = None

    @property
    def living(self) -> dict[str, RunningNode]:
        return {name: one for name, one in self.sandbox.nodes.items() if name not in self.dead}

    async def _one(self, name: str) -> RunningNode:
        return await self._leading() if name == "leader" else self.sandbox.nodes[name]

    async def _leading(self) -> RunningNode:
        """The one that is believed by most of the living."""
        found: list[RunningNode] = []

        async def agreed() -> bool:
            said = [(await self._ask(one)).network for one in self.living.values()]
            ids = [one.primary_id for one in said if one is not None and one.primary_id is not None]
            most = max(ids, key=ids.count, default="")
            found[:] = [one for one in self.living.values() if one.node.node_id == most]
            return bool(found) and 2 * ids.count(most) >= len(ids)

        await until(agreed)
        return found[0]

    async def _ask(self, one: RunningNode) -> NodeAnswers:
        host, _, port = one.node.address("operator").rpartition(":")
        return await ask(host, int(port), expected_node_id=None, timeout=5.0)

    async def _made(self, name: str) -> None:
        one = self.sandbox.nodes[name]
        await self.sandbox.serving(one)
        network = (await self._ask(one)).network
        assert network is not None
        self.services[network.service_key] = name

    async def start(self, name: str) -> None:
        await self._made((await self.sandbox.start(name)).name)

    async def join(self, name: str, target: str) -> None:
        await self.sandbox.join(name, await self._one(target))

    async def open(self) -> None:
        leader = await self._leading()
        if self.previous_certificate is None:
            await self.sandbox.activate(leader)
        await self.sandbox.open(leader, previous=self.previous_certificate)

    async def change(self, *, trust: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        valid_from = governance.certificate_time(time.time())
        actions = [
            governance.transition_node_to_trusted((await self._one(one)).node.node_id, valid_from) for one in trust
        ]
        actions += [governance.remove_node((await self._one(one)).node.node_id) for one in remove]
        await self.sandbox.propose(await self._leading(), *actions)

    async def write(self) -> None:
        passed = await self.sandbox.propose(await self._leading(), governance.trigger_ledger_chunk())
        assert passed.transaction_id is not None
        self.last_write = TxID.parse(passed.transaction_id)

    async def kill(self, *names: str) -> None:
        for one in [await self._one(name) for name in names]:
            one.node.kill()
            self.dead.add(one.name)

    async def cut(self, name: str) -> None:
        apart = await self._one(name)
        for one in self.living.values():
            if one is not apart:
                one.node.links.cut.add(apart.node.node_id)
                apart.node.links.cut.add(one.node.node_id)

    async def heal(self) -> None:
        for one in self.living.values():
            one.node.links.cut.clear()

    async def recover(self, name: str, of: str) -> None:
        old = self.sandbox.nodes[of]
        self.previous_certificate = (old.directory / "service_cert.pem").read_text()
        await self.sandbox.recover(name, self.previous_certificate, ledger=old.ledger)
        await self._made(name)

    async def submit_shares(self) -> None:
        await self.sandbox.submit_shares(await self._leading())

    async def delete_row(self, name: str) -> None:
        leader = await self._leading()
        host, _, port = leader.node.address("operator").rpartition(":")
        await remove_row(host, int(port), leader.node.node_id, self.sandbox.nodes[name].node.node_id)

    async def quiet(self) -> bool:
        """Whether all that was appended is committed, wherever there is somebody to commit it."""
        for one in self.living.values():
            said = await self._ask(one)
            primary = said.network.primary_id if said.network is not None else None
            if primary is not None and (said.commit is None or said.commit.seqno != one.node.store.current.seqno):
                return False
        return True

    async def observe(self) -> dict[str, Observed]:
        """What each living node says."""
        names = {one.node.node_id: name for name, one in self.sandbox.nodes.items()}
        return {
            name: observed(await self._ask(one), names, self.services, self.last_write)
            for name, one in self.living.items()
        }
