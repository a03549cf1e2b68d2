"""Many Rafts on a simulated network, all of it decided by one seed; what must always hold is checked at every step."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from simulator.kv import TxID
from simulator.raft import (
    Appended,
    BecameLeader,
    Committed,
    ConfigurationsCommitted,
    EntryRejected,
    Leadership,
    LostLeadership,
    Raft,
)
from simulator.raft_messages import Message, decode, encode

ELECTION = 1.0
HEARTBEAT = 0.1
TICK = 0.02
SIGNATURE_DELAY = 0.2

Rows = dict[str, dict[str, Any]]


class MemoryLog:
    """A log in memory. Entries are JSON: view, seqno, kind, and the nodes table's rows if they changed."""

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self.entries: list[bytes] = []
        self.chain: list[str] = []  # for each seqno a digest of everything up to it
        self.committed = 0
        for entry in entries:
            self.append(entry)
        self.committed = self.last

    @property
    def last(self) -> int:
        return len(self.entries)

    def view_at(self, seqno: int) -> int:
        return int(json.loads(self.entries[seqno - 1])["view"])

    def read(self, first: int, last: int) -> Sequence[bytes]:
        assert 1 <= first <= last <= self.last
        return self.entries[first - 1 : last]

    def append(self, entry: bytes) -> Appended:
        fields = json.loads(entry)
        if fields["seqno"] != self.last + 1:
            raise EntryRejected(f"{fields['seqno']} after {self.last}")
        self.entries.append(entry)
        before = self.chain[-1] if self.chain else ""
        self.chain.append(hashlib.sha256(before.encode() + entry).hexdigest())
        return Appended(TxID(fields["view"], fields["seqno"]), fields["kind"] == "signature", trusted(fields["rows"]))

    def truncate(self, seqno: int) -> None:
        assert self.committed <= seqno <= self.last
        del self.entries[seqno:], self.chain[seqno:]

    def commit(self, seqno: int) -> Collection[str]:
        assert self.committed < seqno <= self.last
        news = [json.loads(entry)["rows"] or {} for entry in self.entries[self.committed : seqno]]
        self.committed = seqno
        return {node for rows in news for node, row in rows.items() if row.get("retired_committed")}

    def rows(self, upto: int | None = None) -> Rows:
        for entry in reversed(self.entries[:upto]):
            rows: Rows | None = json.loads(entry)["rows"]
            if rows is not None:
                return rows
        return {}


def trusted(rows: Rows | None) -> Mapping[str, str] | None:
    if rows is None:
        return None
    return {node: row["address"] for node, row in rows.items() if row["status"] == "Trusted"}


class SimulatedPeer:
    """A node around a Raft: signs, marks retired nodes, as a CCF node does."""

    def __init__(self, network: Network, name: str, entries: Iterable[bytes] = ()) -> None:
        self.network = network
        self.name = name
        self.log = MemoryLog(entries)
        self.raft = Raft(
            name,
            self.log,
            lambda to, message: network.carry(name, to, message),
            random=Random(f"{network.seed}/{name}"),
            now=network.now,
            message_timeout=HEARTBEAT,
            election_timeout=ELECTION,
            max_uncommitted=50,
        )
        self.unsigned_since = network.now
        self.clean_up_wanted = False
        self.history: list[tuple[float, Leadership, int]] = []

    def write(self, kind: str = "write", rows: Rows | None = None) -> TxID:
        """Add an entry as the leader. Raises NotLeader."""
        view, seqno = self.raft.view, self.log.last + 1
        number = next(self.network.numbers)
        entry = json.dumps({"view": view, "seqno": seqno, "kind": kind, "rows": rows, "number": number}).encode()
        if not self.unsigned():
            self.unsigned_since = self.network.now
        txid = self.raft.replicate(entry, self.network.now)
        self.network.check(self)
        return txid

    def change(self, change: Callable[[Rows], None]) -> TxID:
        """Add an entry that changes the nodes table."""
        rows = {node: dict(row) for node, row in self.log.rows().items()}
        change(rows)
        return self.write(rows=rows)

    def sign(self) -> None:
        self.write("signature")

    def unsigned(self) -> bool:
        return bool(self.log.last) and json.loads(self.log.entries[-1])["kind"] != "signature"

    def step(self) -> None:
        self.raft.tick(self.network.now)
        self.handle_events()
        raft = self.raft
        if raft.is_leader and self.clean_up_wanted:
            self.clean_up_wanted = False
            self.mark_retired()
        if raft.is_leader and self.unsigned() and self.network.now - self.unsigned_since >= SIGNATURE_DELAY:
            self.sign()
        self.history.append((self.network.now, raft.leadership, raft.view))

    def handle_events(self) -> None:
        for event in self.raft.take_events():
            match event:
                case BecameLeader():
                    self.network.elected(self, event.view)
                    self.clean_up_wanted = True
                    if self.log.last:
                        self.sign()
                case ConfigurationsCommitted():
                    self.clean_up_wanted = True
                case Committed():
                    self.network.committed_by(self, event.txid)
                case LostLeadership():
                    pass
        self.network.check(self)

    def mark_retired(self) -> None:
        committed = self.log.rows(self.log.committed)
        gone = [
            node
            for node, row in self.log.rows().items()
            if row["status"] == committed.get(node, {}).get("status") == "Retired" and not row.get("retired_committed")
        ]

        def mark(rows: Rows) -> None:
            for node in gone:
                rows[node]["retired_committed"] = True

        if gone:
            self.change(mark)


@dataclass
class Weather:
    loss: float = 0.0
    delay: tuple[float, float] = (0.001, 0.01)  # random within: later messages overtake earlier ones


class Network:
    """Time, nodes and messages. Any seed gives the same run again."""

    def __init__(self, seed: int = 1, weather: Weather | None = None) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.weather = weather or Weather()
        self.now = 0.0
        self.numbers = itertools.count()
        self.peers: dict[str, SimulatedPeer] = {}
        self.down: set[str] = set()
        self.cut: set[tuple[str, str]] = set()
        self.sent: list[tuple[float, str, str, Message]] = []
        self.leaders: dict[int, str] = {}
        self.truth: list[str] = []  # digest of everything up to each committed seqno
        self._entries: dict[TxID, str] = {}
        self._in_flight: list[tuple[float, int, str, str, bytes]] = []

    # Nodes.

    def found(self, name: str = "a") -> SimulatedPeer:
        """The first node of a service."""
        peer = self.add(name)
        peer.raft.become_primary(2, self.now)
        peer.write(rows={name: {"address": f"{name}:1", "status": "Trusted"}})
        return peer

    def add(self, name: str, entries: Iterable[bytes] = ()) -> SimulatedPeer:
        self.peers[name] = SimulatedPeer(self, name, entries)
        return self.peers[name]

    def join(self, name: str) -> SimulatedPeer:
        """A trusted joiner: its row is written by the primary, and it knows that it is trusted."""
        self.primary().change(lambda rows: rows.update({name: {"address": f"{name}:1", "status": "Trusted"}}))
        peer = self.add(name)
        peer.raft.become_backup(self.now)
        return peer

    def service(self, *names: str) -> SimulatedPeer:
        """A service of these nodes, all of them up to date; returns its primary."""
        primary = self.found(names[0])
        self.run(0.5)
        for name in names[1:]:
            self.join(name)
            self.run(1.0)
        assert [set(one.nodes) for one in primary.raft.configurations] == [set(names)]
        return primary

    def retire(self, name: str) -> TxID:
        return self.primary().change(lambda rows: rows[name].update(status="Retired"))

    def primary(self) -> SimulatedPeer:
        """The leader with the greatest view among the nodes that are up."""
        leaders = [peer for peer in self.alive() if peer.raft.is_leader]
        assert leaders, [(peer.name, peer.raft.leadership, peer.raft.view) for peer in self.alive()]
        return max(leaders, key=lambda peer: peer.raft.view)

    def alive(self) -> list[SimulatedPeer]:
        return [peer for name, peer in self.peers.items() if name not in self.down]

    # Faults.

    def kill(self, *names: str) -> None:
        self.down.update(names)

    def stop_removed(self) -> None:
        """Kill, as operators must (CCF facts §0.10), nodes whose removal is complete or whose trust was rolled back."""
        best = max(self.alive(), key=lambda peer: peer.raft.last).log
        committed = best.rows(best.committed)
        self.kill(*(node for node, row in committed.items() if row.get("retired_committed")))
        self.kill(*(self.peers.keys() - best.rows().keys()))

    def partition(self, *sides: Collection[str]) -> None:
        """Cut every connection between nodes of different sides."""
        for one, other in itertools.permutations(sides, 2):
            self.cut.update(itertools.product(one, other))

    def heal(self) -> None:
        self.cut.clear()

    # Time.

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += TICK
            while self._in_flight and self._in_flight[0][0] <= self.now:
                _, _, sender, to, data = heapq.heappop(self._in_flight)
                if to in self.peers and to not in self.down and (sender, to) not in self.cut:
                    self.peers[to].raft.receive(sender, decode(data), self.now)
                    self.peers[to].handle_events()
            for peer in self.alive():
                peer.step()

    def run_until(self, condition: Callable[[], bool], within: float) -> float:
        """Seconds it took."""
        start = self.now
        while not condition():
            assert self.now - start < within, f"not within {within} s (seed {self.seed})"
            self.run(TICK)
        return self.now - start

    def carry(self, sender: str, to: str, message: Message) -> None:
        self.sent.append((self.now, sender, to, message))
        if self.random.random() < self.weather.loss:
            return
        arrival = self.now + self.random.uniform(*self.weather.delay)
        heapq.heappush(self._in_flight, (arrival, next(self.numbers), sender, to, encode(message)))

    # What must always hold.

    def elected(self, peer: SimulatedPeer, view: int) -> None:
        assert self.leaders.setdefault(view, peer.name) == peer.name, f"two leaders in view {view} (seed {self.seed})"
        assert peer.log.chain[: len(self.truth)] == self.truth, f"{peer.name} leads without what is committed"

    def committed_by(self, peer: SimulatedPeer, txid: TxID) -> None:
        chain = peer.log.chain[: txid.seqno]
        shared = min(len(chain), len(self.truth))
        assert chain[:shared] == self.truth[:shared], f"{peer.name} commits something else (seed {self.seed})"
        if len(chain) > len(self.truth):
            self.truth = chain

    def check(self, peer: SimulatedPeer) -> None:
        """Logs match: an id stands for one entry after one history."""
        raft = peer.raft
        assert raft.last.seqno == peer.log.last
        assert raft.committed.seqno == peer.log.committed
        chain = peer.log.chain
        for seqno in range(max(1, peer.log.last - 20), peer.log.last + 1):
            txid = TxID(peer.log.view_at(seqno), seqno)
            assert raft.view_at(seqno) == txid.view
            assert self._entries.setdefault(txid, chain[seqno - 1]) == chain[seqno - 1], f"{txid} twice"
