"""A model of CCF as far as an operator sees it: logs, elections, commits, joining, recovery, and what nodes answer.

Each entry counts as signed. Nothing here knows how decisions are made. What it does is what CCF facts §7 to §9 say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

from ccf_operator.api.status import SilenceCause
from ccf_operator.ccf.answers import (
    Ack,
    ConsensusAnswer,
    ConsensusConfig,
    NetworkAnswer,
    NoAnswer,
    NodeAnswers,
    NodeRow,
    StateAnswer,
)
from ccf_operator.domain.txid import TxID

OPENING, OPEN, RECOVERING, WAITING = "Opening", "Open", "Recovering", "WaitingForRecoveryShares"


@cache
def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """One signed transaction; `what` is unique. The rest is set where it changes."""

    view: int
    what: str
    service: str | None = None
    status: str | None = None
    nodes: frozenset[str] | None = None
    elected: bool = False
    """Whether it is the first of a primary that has just been elected."""


Log = list[Entry]


def end_of(log: Log) -> TxID:
    return TxID(log[-1].view, len(log)) if log else TxID(0, 0)


def service_of(log: Log) -> str | None:
    return next((e.service for e in reversed(log) if e.service is not None), None)


def status_of(log: Log) -> str | None:
    return next((e.status for e in reversed(log) if e.status is not None), None)


def created_at(log: Log) -> TxID | None:
    return next((TxID(e.view, n) for n, e in reversed(list(enumerate(log, 1))) if e.service is not None), None)


def recoveries_in(log: Log) -> int:
    return sum(e.service is not None for e in log) - 1


def previous_service(log: Log) -> str | None:
    keys = [e.service for e in log if e.service is not None]
    return keys[-2] if len(keys) > 1 else None


def has_opened(log: Log) -> bool:
    """Whether the last service in this log was open before the log's end."""
    made = created_at(log)
    return made is not None and any(e.status == OPEN for e in log[made.seqno - 1 :])


def configurations(log: Log) -> list[tuple[int, frozenset[str]]]:
    return [(n, e.nodes) for n, e in enumerate(log, 1) if e.nodes is not None]


@dataclass
class Generation:
    """What one generation of a volume holds: entries after the first `base`, which are in its ancestors."""

    base: int
    entries: Log = field(default_factory=list)


@dataclass
class Process:
    """A CCF process."""

    pod: str
    prefix: Log
    disk: Generation
    target: str | None = None
    alive: bool = True
    frozen: bool = False
    mute: bool = False
    slow: bool = False
    answers_after: float = 0.0
    """Seconds until it answers whoever asks."""
    gets: int = 10**6
    """So many entries at most arrive."""
    side: int = 0
    commit: int = 0
    view: int = 0
    leads: bool = False
    primary: str | None = None
    registered: bool = False
    certificate: str | None = None
    """Of a joiner: of the service it was told to join."""
    partial: bool = False
    """Of a candidate: some of the ledger it was given could not be read."""
    lie: int = 0
    """Of a candidate: what it says wrongly (`Ccf.answers`)."""
    reading: int = 0
    """So many ticks until it has read its private ledger, once that has begun."""
    rotten: bool = False
    """It will not come to the end of that."""
    decrypted: bool = False

    @property
    def node_id(self) -> str:
        return digest(self.pod)

    @property
    def log(self) -> Log:
        return self.prefix + self.disk.entries

    @property
    def runs(self) -> bool:
        return self.alive and not self.frozen

    def append(self, entry: Entry) -> None:
        self.disk.entries.append(entry)

    def take(self, log: Log) -> None:
        """Become a copy of a primary's log: what differs is cut off."""
        assert log[: len(self.prefix)] == self.prefix, "a node never changes what its ancestors hold"
        self.disk.entries[:] = log[len(self.prefix) :]

    def active(self) -> list[tuple[int, frozenset[str]]]:
        """The configurations in which a quorum is needed, as its own log tells."""
        found = configurations(self.log)
        committed = [c for c in found if c[0] <= self.commit]
        return [*committed[-1:], *(c for c in found if c[0] > self.commit)]

    def nodes(self) -> frozenset[str]:
        return self.active()[-1][1] if self.active() else frozenset()


def majority_of(nodes: frozenset[str], some: set[str]) -> bool:
    return len(nodes & some) > len(nodes) // 2


class Ccf:
    """All processes there ever were, and how they talk."""

    def __init__(self) -> None:
        self.processes: dict[str, Process] = {}
        self.written = 0
        self.rows_gone: set[str] = set()
        self.next_joiners_get: list[int] = []
        """How many entries at most each of the next joiners is sent."""

    # Starting

    def start(self, pod: str, disk: Generation) -> Process:
        process = Process(pod, [], disk, view=2)
        key = digest(f"service of {pod}")
        process.append(Entry(2, self._new("create"), key, OPENING, frozenset({process.node_id})))
        return self._lead(process)

    def recover(self, pod: str, base: Log, disk: Generation) -> Process:
        process = Process(pod, list(base), disk, view=base[-1].view + 2)
        key = digest(f"service of {pod}")
        nodes = frozenset({process.node_id})
        process.append(Entry(process.view, self._new("create"), key, RECOVERING, nodes))
        return self._lead(process)

    def join(self, pod: str, target: str, certificate: str | None, disk: Generation) -> Process:
        process = Process(pod, [], disk, target=target, certificate=certificate)
        if self.next_joiners_get:
            process.gets = self.next_joiners_get.pop(0)
        self.processes[pod] = process
        return process

    def _lead(self, process: Process) -> Process:
        process.leads, process.primary, process.commit = True, process.node_id, len(process.log)
        self.processes[process.pod] = process
        return process

    def _new(self, what: str) -> str:
        self.written += 1
        return f"{what} {self.written}"

    # Talking

    def group(self, process: Process) -> list[Process]:
        """Those of the same service that a process can talk to, itself included."""
        key = service_of(process.log)
        return [
            p
            for p in self.processes.values()
            if p.runs
            and p.side == process.side
            and (service_of(p.log) == key or (not p.log and p.node_id in process.nodes()))
        ]

    def leader(self, key: str | None) -> Process | None:
        """Whoever leads a service with a quorum."""
        for process in self.processes.values():
            if process.leads and process.runs and service_of(process.log) == key and self._has_quorum(process):
                return process
        return None

    def _has_quorum(self, process: Process) -> bool:
        there = {p.node_id for p in self.group(process)}
        return all(majority_of(nodes, there) for _, nodes in process.active())

    def tick(self) -> None:
        """Time for what happens by itself: primaries step down, others are elected, joiners ask, logs spread."""
        for process in list(self.processes.values()):
            if process.leads and process.runs and not self._has_quorum(process):
                process.leads, process.primary = False, None
        for process in sorted(self.processes.values(), key=lambda p: (end_of(p.log), p.pod), reverse=True):
            if process.runs and process.log:
                self._maybe_elect(process)
        for process in list(self.processes.values()):
            if process.runs and not process.log:
                self._ask_to_join(process)
        for process in list(self.processes.values()):
            if process.reading and process.runs:
                process.reading -= 1
                if not process.reading:
                    self.end_of_reading(process)
        for process in list(self.processes.values()):
            if process.leads and process.runs:
                self.spread(process)

    def _maybe_elect(self, process: Process) -> None:
        group = self.group(process)
        mine = [p for p in group if p.leads]
        if any(self._has_quorum(p) and p.view >= process.view for p in mine):
            return
        if not any(process.node_id in nodes for _, nodes in process.active()):
            return  # one that is being retired may still lead (CCF facts §7.2)
        votes = {p.node_id for p in group if end_of(p.log) <= end_of(process.log)}
        process.primary = None
        if all(majority_of(nodes, votes) for _, nodes in process.active()):
            for other in group:
                other.leads = False
            process.view = max(p.view for p in group) + 1
            process.leads, process.primary = True, process.node_id
            process.append(Entry(process.view, self._new("election"), elected=True))

    def spread(self, leader: Process, to: Iterable[Process] | None = None) -> None:
        """Replicate to those that are not slow, and commit."""
        for follower in self.group(leader) if to is None else to:
            known = follower is not leader and follower.node_id in self._known(leader)
            if not known or follower.slow or follower.view > leader.view:
                continue
            follower.take(leader.log[: follower.gets])
            follower.view, follower.primary, follower.leads = leader.view, leader.node_id, False
        self._commit(leader)
        for follower in self.group(leader):
            if follower.primary == leader.node_id and follower.log == leader.log:
                follower.commit = max(follower.commit, leader.commit)

    def _known(self, leader: Process) -> frozenset[str]:
        return frozenset[str]().union(*(nodes for _, nodes in leader.active()))

    def _commit(self, leader: Process) -> None:
        log = leader.log
        group = self.group(leader)
        for seqno in range(len(log), leader.commit, -1):
            entry = log[seqno - 1]
            have = {p.node_id for p in group if len(p.log) >= seqno and p.log[seqno - 1] == entry}
            if entry.view == leader.view and all(majority_of(nodes, have) for _, nodes in leader.active()):
                leader.commit = seqno
                return

    def _ask_to_join(self, joiner: Process) -> None:
        target = self.processes.get(joiner.target or "")
        if target is None or not target.runs or target.side != joiner.side or not target.log:
            return
        leader = self.leader(service_of(target.log))
        if leader is None or leader.side != joiner.side:
            return
        if joiner.certificate != f"PEM {service_of(leader.log)}":
            joiner.alive = False  # it cannot verify whom it asks (CCF facts §7.1)
            return
        joiner.registered = True
        if status_of(leader.log) in (OPENING, RECOVERING) and joiner.node_id not in leader.nodes():
            self.change_nodes(leader, leader.nodes() | {joiner.node_id})

    # What members and clients do

    def change_nodes(self, leader: Process, nodes: frozenset[str]) -> None:
        leader.append(Entry(leader.view, self._new("nodes"), nodes=nodes))
        self.spread(leader)

    def change_status(self, leader: Process, status: str) -> None:
        leader.append(Entry(leader.view, self._new(status), status=status))

    def begin_reading(self, leader: Process, ticks: int) -> None:
        """The last share is there: all that know of it read their private ledgers."""
        for process in self.group(leader):
            if process.log:
                process.reading = ticks

    def end_of_reading(self, process: Process) -> None:
        """Only who is primary at the end of its own reading opens the service (CCF facts §8.8)."""
        process.reading = 0
        if process.rotten:
            process.alive = process.leads = False
            return
        process.decrypted = True
        if process.leads and status_of(process.log) == WAITING:
            self.change_status(process, OPEN)

    def write(self, leader: Process, to: Iterable[Process] | None = None) -> tuple[int, Entry]:
        """A client's transaction, replicated to all or only to some."""
        entry = Entry(leader.view, self._new("write"))
        leader.append(entry)
        seqno = len(leader.log)
        self.spread(leader, to)
        return seqno, entry

    # What a node answers

    def answers(self, process: Process) -> NodeAnswers:
        if process.mute or process.frozen:
            return NodeAnswers(problem="timed out", silence=NoAnswer(SilenceCause.NO_REPLY, "connected, then nothing"))
        log = process.log
        if not log:
            state = StateAnswer(process.node_id, "Pending", 0, 0, False)
            return NodeAnswers(reached=True, node_id=process.node_id, state=state, ready_app=False, ready_gov=False)
        key, status, made = service_of(log), status_of(log), created_at(log)
        assert key is not None
        assert status is not None
        public = recoveries_in(log) > 0 and not process.decrypted
        where = "ReadingPrivateLedger" if process.reading else "PartOfPublicNetwork" if public else "PartOfNetwork"
        committed = log[: process.commit]
        previous = previous_service(log)
        removed = process.node_id not in process.nodes()
        primary = None if removed and not process.leads else process.primary
        told = NodeAnswers(
            reached=True,
            node_id=process.node_id,
            state=StateAnswer(process.node_id, where, len(log), 0, False),
            network=NetworkAnswer(status, f"PEM {key}", key, process.view, primary, recoveries_in(log), made),
            nodes=tuple(self._rows(process)),
            consensus=ConsensusAnswer(
                configs=tuple(ConsensusConfig(n, n, nodes) for n, nodes in process.active()),
                acks={p.node_id: Ack(len(p.log), 10) for p in self.group(process) if p is not process},
                membership="Retired" if removed else "Active",
                leadership="Leader" if process.leads else "Follower",
                primary_id=primary,
                view=process.view,
            ),
            commit=end_of(committed) if committed else None,
            ready_app=service_of(committed) == key and status_of(committed) == OPEN,
            ready_gov=True,
            removable=self._removable(process),
            previous_identity=f"PEM {previous}" if previous else None,
            previous_identity_key=previous,
        )
        return _lying(told, process.lie) if status == RECOVERING and len(process.nodes()) == 1 else told

    def _rows(self, process: Process) -> Iterator[NodeRow]:
        trusted = process.nodes()
        ever = frozenset[str]().union(*(nodes for _, nodes in configurations(process.log)))
        for other in self.processes.values():
            where = {"client": f"{other.pod}.bank-nodes:8080"}
            if other.node_id in trusted:
                yield NodeRow(other.node_id, "Trusted", other.node_id == process.primary, where)
            elif other.node_id in ever - self._rows_gone(process):
                yield NodeRow(other.node_id, "Retired", False, where)
            elif other.registered and not other.log and other.alive:
                yield NodeRow(other.node_id, "Pending", False, where)

    def _removable(self, process: Process) -> frozenset[str]:
        """Nodes whose rows may go: their retirement is committed, and marked so.

        A primary marks those whom a proposal removes at once. Those who went with a service that was lost are marked by
        the next reconfiguration or election (CCF facts §7.2).
        """
        committed = process.log[: process.commit]
        found = configurations(committed)
        marked = frozenset[str]()
        for (_, before), (seqno, nodes) in pairwise(found):
            later = any(e.nodes is not None or e.elected for e in committed[seqno:])
            if committed[seqno - 1].service is None or later:
                marked |= before - nodes
        return marked - (found[-1][1] if found else frozenset()) - self._rows_gone(process)

    def _rows_gone(self, process: Process) -> frozenset[str]:
        """As far as a node has heard: one that was removed hears nothing more."""
        return frozenset(self.rows_gone) if process.node_id in process.nodes() else frozenset()


def _lying(told: NodeAnswers, how: int) -> NodeAnswers:
    """What a candidate says instead: another count of recoveries, another service before it, more than it has."""
    network = told.network
    assert network is not None
    assert network.create_tx_id is not None
    match how:
        case 1:
            return replace(told, network=replace(network, recovery_count=network.recovery_count + 1))
        case 2:
            return replace(told, previous_identity_key=digest("another service"))
        case 3:
            beyond = TxID(network.create_tx_id.view, network.create_tx_id.seqno + 7)
            return replace(told, network=replace(network, create_tx_id=beyond))
        case _:
            return told


def read_lineage(generations: Iterable[Generation]) -> Log | None:
    """The log that generations hold together, None if something is missing between two of them."""
    log: Log = []
    for generation in generations:
        if generation.base > len(log):
            return None
        log = log[: generation.base] + generation.entries
    return log


def damaged(generation: Generation, keep: int) -> Generation:
    """The same with all but the first `keep` entries unreadable."""
    return replace(generation, entries=generation.entries[:keep])
