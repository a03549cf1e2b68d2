"""CCF's consensus as a pure state machine: views, elections, replication, commit, reconfiguration.

No input or output, no clock, no global randomness. Times are seconds of any monotonic clock; they may not go back.
One Raft belongs to one node that takes part: a Pending node has none (CCF facts §0, §1.1, §7, §9).

Rules of CCF that differ from textbook Raft: only signatures are committable; logs are compared by their last
signature; a new leader drops what it holds unsigned and commits nothing before a signature of its own view; a commit
needs a majority in every active configuration; a leader without acknowledgements of a majority for one election timeout
steps down in its own view (CheckQuorum); nothing survives a restart, since no node returns. Pre-votes are not sent.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Protocol, assert_never

from simulator.kv import TxID
from simulator.raft_messages import (
    AppendEntries,
    AppendEntriesResponse,
    Message,
    ProposeRequestVote,
    RequestVote,
    RequestVoteResponse,
)
from simulator.view_history import ViewHistory

TxStatus = Literal["Unknown", "Pending", "Committed", "Invalid"]

MAX_BATCH_ENTRIES = 200
MAX_BATCH_BYTES = 256 * 1024
MAX_BATCHES_AT_ONCE = 16
"""To one follower in one go; it gets the rest as it acknowledges, and with the heartbeats."""
PROMPT_BYTES = 20_000
"""A leader does not wait for the next heartbeat once it has this much to replicate."""


class Leadership(enum.StrEnum):
    NONE = "None"
    LEADER = "Leader"
    FOLLOWER = "Follower"
    CANDIDATE = "Candidate"


class Membership(enum.StrEnum):
    ACTIVE = "Active"
    RETIRED = "Retired"


class RetirementPhase(enum.StrEnum):
    ORDERED = "Ordered"
    SIGNED = "Signed"
    COMPLETED = "Completed"
    RETIRED_COMMITTED = "RetiredCommitted"


class NotLeader(Exception):
    """This node may not add to the log (now)."""


class EntryRejected(Exception):
    """`Log.append`: the entry is malformed, does not follow, or is not signed as it should be. The log is unchanged."""


class EntriesUnavailable(Exception):
    """`Log.read`: the host's ledger cannot give these entries (CCF facts §8.8)."""


@dataclass(frozen=True)
class Appended:
    """What one entry is to consensus."""

    txid: TxID
    is_signature: bool
    nodes: Mapping[str, str] | None
    """Trusted nodes (id -> node-to-node "host:port") after an entry that wrote to the nodes table; None for others."""


class Log(Protocol):
    """A node's log: its store and its ledger directory together."""

    @property
    def last(self) -> int:
        """Seqno of the last entry; 0 if empty."""

    def view_at(self, seqno: int) -> int:
        """View of the entry at `seqno`, which the log holds."""

    def read(self, first: int, last: int) -> Sequence[bytes]:
        """Entries `first`..`last`, which the log holds. Raises EntriesUnavailable."""

    def append(self, entry: bytes) -> Appended:
        """Apply to the store and write to the ledger the entry after `last`. Raises EntryRejected."""

    def truncate(self, seqno: int) -> None:
        """Forget the entries after `seqno` (never below what was committed)."""

    def commit(self, seqno: int) -> Collection[str]:
        """Entries up to `seqno` are committed for good.

        Returns the ids of nodes whose row said `retired_committed` in one of the entries that became committed.
        """


@dataclass(frozen=True)
class BecameLeader:
    """Append a signature in view `view` now, and mark retired nodes as CCF's retired-nodes clean-up does."""

    view: int


@dataclass(frozen=True)
class LostLeadership:
    view: int


@dataclass(frozen=True)
class Committed:
    txid: TxID


@dataclass(frozen=True)
class ConfigurationsCommitted:
    """An old configuration ended. A leader marks retired nodes now (clean-up)."""


Event = BecameLeader | LostLeadership | Committed | ConfigurationsCommitted


@dataclass(frozen=True)
class Configuration:
    seqno: int
    nodes: Mapping[str, str]  # id -> node-to-node "host:port"

    @property
    def quorum(self) -> int:
        return len(self.nodes) // 2 + 1


@dataclass
class _Peer:
    sent: int  # highest seqno sent
    matched: int  # highest seqno known to match
    last_ack: float


class Raft:
    """Call `tick` every few milliseconds, `receive` for each message, `replicate` for each new entry of a leader; then
    handle `take_events()`.

    `send` must not block, fail or call back. `log` may hold entries already; they count as committed.
    """

    def __init__(
        self,
        node_id: str,
        log: Log,
        send: Callable[[str, Message], None],
        *,
        random: Random,
        now: float,
        message_timeout: float = 0.1,
        election_timeout: float = 5.0,
        max_uncommitted: int = 10_000,
    ) -> None:
        self.node_id = node_id
        self._log = log
        self._send = send
        self._random = random
        self._now = now
        self._message_timeout = message_timeout
        self._election_timeout = election_timeout
        self._max_uncommitted = max_uncommitted

        self._view = 0
        self._last = log.last
        self._commit = log.last
        self._history = ViewHistory.of_log(log.last, log.view_at)
        self._committable: deque[int] = deque()  # signatures after the commit point
        self._configurations: list[Configuration] = []
        self._peers: dict[str, _Peer] = {}
        self._leadership = Leadership.NONE
        self._leader: str | None = None
        self._voted_for: str | None = None
        self._votes: set[str] = set()
        self._may_roll_back = False
        self._should_sign = False
        self._unsent_bytes = 0
        self._ticking = False
        self._election_at = now
        self._heartbeat_at = now
        self._phase: RetirementPhase | None = None
        self._retired_at: int | None = None
        self._retirement_signed_at: int | None = None
        self._events: list[Event] = []

    # What a node asks.

    @property
    def view(self) -> int:
        """Current view; entries of a leader carry it."""
        return self._view

    @property
    def last(self) -> TxID:
        return TxID(self._view_of(self._last), self._last)

    @property
    def committed(self) -> TxID:
        return TxID(self._view_of(self._commit), self._commit)

    @property
    def is_leader(self) -> bool:
        """True if `replicate` is allowed ("can replicate")."""
        return self._leadership is Leadership.LEADER

    @property
    def leader(self) -> str | None:
        """Id of the primary, as far as this node knows."""
        return self._leader

    @property
    def leadership(self) -> Leadership:
        return self._leadership

    @property
    def membership(self) -> Membership:
        return Membership.ACTIVE if self._phase is None else Membership.RETIRED

    @property
    def retirement_phase(self) -> RetirementPhase | None:
        """None unless retired."""
        return self._phase

    @property
    def ticking(self) -> bool:
        """True once a signed configuration of the log contains this node: it may call elections."""
        return self._ticking

    @property
    def should_sign(self) -> bool:
        """A new leader has not signed in its view yet."""
        return self.is_leader and self._should_sign

    @property
    def at_capacity(self) -> bool:
        """So much is uncommitted that users' writes get 503 TooManyPendingTransactions."""
        return 0 < self._max_uncommitted <= self._last - self._commit

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """Active ones, oldest first; more than one while a reconfiguration is not committed."""
        return tuple(self._configurations)

    @property
    def view_starts(self) -> tuple[TxID, ...]:
        """First transaction of every view in the log (`view_history`)."""
        return self._history.starts

    def view_at(self, seqno: int) -> int | None:
        """View of the transaction at `seqno`; None if the log does not hold it."""
        return self._view_of(seqno) or None

    def status(self, txid: TxID) -> TxStatus:
        """What `/node/tx` says."""
        is_committed = txid.seqno <= self._commit
        if self._view_of(txid.seqno) == txid.view:
            return "Committed" if is_committed else "Pending"
        if is_committed or self.committed.view > txid.view:
            return "Invalid"
        return "Unknown"

    def details(self, now: float) -> dict[str, Any]:
        """`details` of `/node/consensus` (CCF facts §1.1)."""
        details: dict[str, Any] = {
            "configs": [
                {
                    "idx": one.seqno,
                    "rid": one.seqno,
                    "nodes": {node: {"address": address} for node, address in one.nodes.items()},
                }
                for one in self._configurations
            ],
            "acks": {
                node: {
                    "seqno": peer.matched,
                    "last_received_ms": int((now - peer.last_ack) * 1000) if self.is_leader else 0,
                }
                for node, peer in self._peers.items()
            },
            "membership_state": str(self.membership),
            "leadership_state": str(self._leadership),
            "primary_id": self._leader,
            "current_view": self._view,
            "reconfiguration_type": "OneTransaction",
            "ticking": self._ticking,
        }
        if self._phase is not None:
            details["retirement_phase"] = str(self._phase)
        return details

    def take_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    # What a node tells.

    def become_primary(self, view: int, now: float) -> None:
        """Lead without election, at once after construction; the create transaction follows with `replicate`.

        Only for the first node of a service (view 2) or of a recovered one (recovered view + 2).
        """
        if self._leadership is not Leadership.NONE:
            raise ValueError(f"{self.node_id} is already {self._leadership}")
        self._now = now
        self._view = view
        self._become_leader()

    def become_backup(self, now: float) -> None:
        """A joiner that has been trusted, at once after construction: wait for a leader's entries."""
        if self._leadership is not Leadership.NONE:
            raise ValueError(f"{self.node_id} is already {self._leadership}")
        self._now = now
        self._become_follower()

    def tick(self, now: float) -> None:
        """Time passes: heartbeats, elections, CheckQuorum."""
        self._now = now
        if self.is_leader:
            if now >= self._heartbeat_at:
                self._send_to_all()
            if not all(self._hears_quorum(one) for one in self._configurations):
                self._become_follower()
        elif self._ticking and self._phase is not RetirementPhase.RETIRED_COMMITTED and now >= self._election_at:
            self._become_candidate()

    def replicate(self, entry: bytes, now: float) -> TxID:
        """Append the leader's own next entry, made for view `view`, and replicate it soon.

        Raises NotLeader; EntryRejected from the log.
        """
        if not self.is_leader:
            raise NotLeader(f"{self.node_id} is {self._leadership} in view {self._view}")
        self._now = now
        appended = self._log.append(entry)
        if appended.txid != TxID(self._view, self._last + 1):
            self._log.truncate(self._last)
            raise EntryRejected(f"{appended.txid} in view {self._view} after {self._last}")
        self._record(appended)
        self._unsent_bytes += len(entry)
        if self._unsent_bytes >= PROMPT_BYTES:
            self._send_to_all()
        if not self._others():
            self._advance_commit()
        return appended.txid

    def receive(self, sender: str, message: Message, now: float) -> None:
        """A message of node `sender`, whose identity the transport has proven."""
        self._now = now
        match message:
            case AppendEntries():
                self._on_append_entries(sender, message)
            case AppendEntriesResponse():
                self._on_append_entries_response(sender, message)
            case RequestVote():
                self._on_request_vote(sender, message)
            case RequestVoteResponse():
                self._on_request_vote_response(sender, message)
            case ProposeRequestVote():
                if (
                    message.view == self._view
                    and self._ticking
                    and self._phase is not RetirementPhase.RETIRED_COMMITTED
                ):
                    self._become_candidate()
            case _:
                assert_never(message)

    # Following.

    def _on_append_entries(self, leader: str, message: AppendEntries) -> None:
        if message.view > self._view or (message.view == self._view and self._leadership is Leadership.CANDIDATE):
            self._enter_view(message.view)
        elif message.view < self._view:
            self._reject(leader, TxID(self._view, self._last))
            return

        own_view = self._view_of(message.previous.seqno)
        if own_view != message.previous.view:
            if own_view == 0:
                self._reject(leader, TxID(self._view, self._last))
            else:
                guess = self._possible_match(message.previous)
                self._reject(leader, TxID(self._view_of(guess), guess))
            return

        self._restart_election_timer()
        self._leader = leader
        if message.previous.seqno < self._commit:
            return
        if not self._follow(leader, message):
            return
        # Beyond the message's end this log may still hold what the leader has replaced.
        self._commit_up_to(min(message.commit, message.last.seqno))
        self._send(leader, AppendEntriesResponse(TxID(self._view, message.last.seqno), True))

    def _follow(self, leader: str, message: AppendEntries) -> bool:
        """Take over the entries that are new; False if the message cannot be acknowledged."""
        for seqno, entry in enumerate(message.entries, message.previous.seqno + 1):
            if seqno <= self._last:
                if self._view_of(seqno) == message.last.view:
                    continue
                if not self._may_roll_back:
                    return False
                self._rollback(seqno - 1)
                self._may_roll_back = False
            try:
                appended = self._log.append(entry)
            except EntryRejected:
                self._reject(leader, TxID(self._view, self._last))
                return False
            if appended.txid != TxID(message.last.view, seqno):
                self._log.truncate(self._last)
                self._reject(leader, TxID(self._view, self._last))
                return False
            self._record(appended)
            if appended.is_signature:
                self._commit_up_to(min(message.commit, seqno))
        return True

    def _reject(self, leader: str, guess: TxID) -> None:
        self._send(leader, AppendEntriesResponse(guess, False))

    def _on_request_vote(self, candidate: str, request: RequestVote) -> None:
        if request.view < self._view:
            self._send(candidate, RequestVoteResponse(self._view, False))
            return
        if request.view > self._view:
            self._enter_view(request.view)
        granted = (
            self._leader is None
            and self._voted_for in (None, candidate)
            and request.last_committable >= self._last_committable()
        )
        if granted:
            self._restart_election_timer()
            self._voted_for = candidate
        self._send(candidate, RequestVoteResponse(self._view, granted))

    # Leading.

    def _send_to_all(self) -> None:
        self._heartbeat_at = self._now + self._message_timeout
        self._unsent_bytes = 0
        for node in list(self._peers):
            self._send_entries(node, MAX_BATCHES_AT_ONCE)

    def _send_entries(self, node: str, batches: int) -> None:
        """What the node was not sent yet, or a heartbeat if there is nothing."""
        peer = self._peers[node]
        for _ in range(batches):
            previous = TxID(self._view_of(peer.sent), peer.sent)
            entries: Sequence[bytes] = ()
            if peer.sent < self._last:
                try:
                    entries = self._batch(peer.sent + 1)
                except EntriesUnavailable:
                    return
            end = peer.sent + len(entries)
            last = TxID(self._view_of(end), end)
            self._send(node, AppendEntries(self._view, previous, last, self._commit, tuple(entries)))
            peer.sent = end
            if end >= self._last:
                return

    def _batch(self, first: int) -> Sequence[bytes]:
        """Entries of one view from `first` on: at least one, otherwise not too large together."""
        end_of_view = self._history.end_of_view_at(first)
        last = min(self._last if end_of_view is None else end_of_view, first + MAX_BATCH_ENTRIES - 1)
        entries = self._log.read(first, last)
        size = 0
        for count, entry in enumerate(entries):
            size += len(entry)
            if count and size > MAX_BATCH_BYTES:
                return entries[:count]
        return entries

    def _on_append_entries_response(self, follower: str, response: AppendEntriesResponse) -> None:
        peer = self._peers.get(follower)
        if peer is None or not self.is_leader:
            return
        peer.last_ack = self._now
        if response.upto.view > self._view:
            self._enter_view(response.upto.view)
            return
        if not response.matched:
            # Sent again with the next heartbeat: one lost batch makes every batch behind it fail.
            peer.sent = max(min(self._possible_match(response.upto), peer.sent), peer.matched)
            return
        if response.upto.view != self._view or response.upto.seqno < peer.matched:
            return
        peer.matched = response.upto.seqno
        peer.sent = max(peer.sent, peer.matched)
        self._advance_commit()
        if self.is_leader and peer.sent < self._last and follower in self._peers:
            self._send_entries(follower, 1)

    def _advance_commit(self) -> None:
        if not self._configurations:
            return
        agreed = min(self._agreed(one) for one in self._configurations)
        seqno = self._committable_up_to(agreed)
        if seqno is not None and self._view_of(seqno) == self._view:
            self._commit_at(seqno)

    def _agreed(self, configuration: Configuration) -> int:
        """What a majority of the configuration holds."""
        held = sorted(self._last if node == self.node_id else self._peers[node].matched for node in configuration.nodes)
        return held[(len(held) - 1) // 2]

    def _hears_quorum(self, configuration: Configuration) -> bool:
        heard = sum(
            node == self.node_id or self._now - self._peers[node].last_ack < self._election_timeout
            for node in configuration.nodes
        )
        return heard >= configuration.quorum

    # Changing role.

    def _become_candidate(self) -> None:
        if not self._configurations:
            return
        self._lose_leadership()
        self._leadership = Leadership.CANDIDATE
        self._leader = None
        self._view += 1
        self._voted_for = self.node_id
        self._votes = set()
        self._restart_election_timer()
        for node in self._others():
            self._send(node, RequestVote(self._view, self._last_committable()))
        self._count_vote(self.node_id)

    def _on_request_vote_response(self, voter: str, response: RequestVoteResponse) -> None:
        if voter not in self._peers:
            return
        if response.view > self._view:
            self._enter_view(response.view)
        elif response.view == self._view and self._leadership is Leadership.CANDIDATE and response.granted:
            self._count_vote(voter)

    def _count_vote(self, voter: str) -> None:
        self._votes.add(voter)
        if all(len(self._votes & one.nodes.keys()) >= one.quorum for one in self._configurations):
            self._become_leader()

    def _become_leader(self) -> None:
        if self._phase is RetirementPhase.RETIRED_COMMITTED:
            return
        self._rollback(self._last_committable().seqno)
        self._leadership = Leadership.LEADER
        self._leader = self.node_id
        self._should_sign = True
        for peer in self._peers.values():
            peer.sent, peer.matched, peer.last_ack = self._last, 0, self._now
        self._events.append(BecameLeader(self._view))
        self._send_to_all()

    def _become_follower(self) -> None:
        """In the same view. Signed entries stay until a new leader contradicts them."""
        self._lose_leadership()
        self._leadership = Leadership.FOLLOWER
        self._leader = None
        self._restart_election_timer()
        self._rollback(self._last_committable().seqno)

    def _enter_view(self, view: int) -> None:
        self._view = view
        self._voted_for = None
        self._votes = set()
        self._become_follower()
        self._may_roll_back = True

    def _lose_leadership(self) -> None:
        if self.is_leader:
            self._events.append(LostLeadership(self._view))

    def _restart_election_timer(self) -> None:
        self._election_at = self._now + self._election_timeout * self._random.uniform(0.5, 1.0)

    # The log.

    def _view_of(self, seqno: int) -> int:
        """0 for seqno 0 and for what the log does not hold."""
        return self._history.view_at(seqno) if seqno <= self._last else 0

    def _possible_match(self, txid: TxID) -> int:
        return self._history.last_up_to_view(txid.view, min(txid.seqno, self._last))

    def _last_committable(self) -> TxID:
        seqno = self._committable[-1] if self._committable else self._commit
        return TxID(self._view_of(seqno), seqno)

    def _committable_up_to(self, seqno: int) -> int | None:
        return next((one for one in reversed(self._committable) if one <= seqno), None)

    def _record(self, appended: Appended) -> None:
        """The log has grown by one entry."""
        self._last = appended.txid.seqno
        self._history.append(appended.txid)
        if appended.nodes is not None:
            self._configure(Configuration(self._last, dict(appended.nodes)))
        if not appended.is_signature:
            return
        if self._phase is RetirementPhase.ORDERED:
            self._phase = RetirementPhase.SIGNED
            self._retirement_signed_at = self._last
        self._committable.append(self._last)
        self._should_sign = False
        if not self._ticking and self._configurations and self.node_id in self._configurations[-1].nodes:
            self._ticking = True
            self._election_at = self._now + self._election_timeout

    def _commit_up_to(self, seqno: int) -> None:
        committable = self._committable_up_to(seqno)
        if committable is not None:
            self._commit_at(committable)

    def _commit_at(self, seqno: int) -> None:
        self._commit = seqno
        while self._committable and self._committable[0] <= seqno:
            self._committable.popleft()
        signed_at = self._retirement_signed_at
        if self._phase is RetirementPhase.SIGNED and signed_at is not None and seqno >= signed_at:
            self._phase = RetirementPhase.COMPLETED
        self._events.append(Committed(self.committed))
        self._forget(self._log.commit(seqno))
        ended = [one for one in self._configurations[1:] if one.seqno <= seqno]
        if ended:
            del self._configurations[: len(ended)]
            self._events.append(ConfigurationsCommitted())

    def _rollback(self, seqno: int) -> None:
        if seqno >= self._last:
            return
        self._log.truncate(seqno)
        self._last = seqno
        self._history.rollback(seqno)
        while self._committable and self._committable[-1] > seqno:
            self._committable.pop()
        while self._configurations and self._configurations[-1].seqno > seqno:
            self._configurations.pop()
        if self._phase is RetirementPhase.SIGNED and (self._retirement_signed_at or 0) > seqno:
            self._retirement_signed_at = None
            self._phase = RetirementPhase.ORDERED
        if self._phase is RetirementPhase.ORDERED and (self._retired_at or 0) > seqno:
            self._retired_at = None
            self._phase = None

    # Configurations.

    def _others(self) -> list[str]:
        """The other nodes of active configurations: those whose votes and acknowledgements count."""
        nodes = dict.fromkeys(node for one in self._configurations for node in one.nodes)
        return [node for node in nodes if node != self.node_id]

    def _configure(self, configuration: Configuration) -> None:
        latest = self._configurations[-1].nodes if self._configurations else {}
        if self.node_id in latest and self.node_id not in configuration.nodes:
            self._phase = RetirementPhase.ORDERED
            self._retired_at = configuration.seqno
        if self._configurations and configuration.nodes == latest:
            return
        self._configurations.append(configuration)
        for node in self._others():
            if node not in self._peers:
                self._peers[node] = _Peer(configuration.seqno, 0, self._now)
                if self.is_leader:
                    self._send_entries(node, 1)

    def _forget(self, retired: Collection[str]) -> None:
        """Every later leader knows that these nodes are gone: they are not needed, nor told anything, any more."""
        for node in retired:
            if node != self.node_id:
                self._peers.pop(node, None)
            elif self._phase is RetirementPhase.COMPLETED:
                self._hand_over()

    def _hand_over(self) -> None:
        """This node's retirement is committed: nudge a successor and fall silent."""
        successor = max(self._peers, key=self._fitness, default=None) if self.is_leader else None
        if successor is not None:
            self._send(successor, ProposeRequestVote(self._view))
        self._lose_leadership()
        self._phase = RetirementPhase.RETIRED_COMMITTED
        self._leadership = Leadership.NONE
        self._leader = None

    def _fitness(self, node: str) -> tuple[int, int]:
        latest = max((one.seqno for one in self._configurations if node in one.nodes), default=0)
        return self._peers[node].matched, latest
