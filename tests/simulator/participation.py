"""A node that takes part in the service: consensus over the replica, signatures, clean-up of retired nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from simulator import nodes_table, raft_messages
from simulator.config import Config
from simulator.kv import Entry, Tx, TxID
from simulator.links import Links
from simulator.raft import BecameLeader, ConfigurationsCommitted, LostLeadership, Raft
from simulator.replica import Replica


class Participation:
    """Drives one Raft; times are those of the running event loop."""

    def __init__(
        self,
        node_id: str,
        config: Config,
        replica: Replica,
        links: Links,
        *,
        random: Random,
        log: Callable[[str], None],
    ) -> None:
        self._config = config
        self._replica = replica
        self._links = links
        self._log = log
        self._signed_at = self._now()
        self._chunk_after_signature = False
        self._signs = True
        self._raft = Raft(
            node_id,
            replica,
            self._send,
            random=random,
            now=self._now(),
            message_timeout=config.message_timeout,
            election_timeout=config.election_timeout,
            max_uncommitted=config.max_uncommitted,
        )

    @property
    def view(self) -> int:
        return self._raft.view

    @property
    def primary_id(self) -> str | None:
        return self._raft.leader

    @property
    def is_primary(self) -> bool:
        return self._raft.is_leader

    @property
    def committed(self) -> TxID:
        return self._raft.committed

    @property
    def at_capacity(self) -> bool:
        return self._raft.at_capacity

    def configuration(self) -> Mapping[str, str]:
        return self._raft.configurations[-1].nodes if self._raft.configurations else {}

    def details(self) -> Mapping[str, Any]:
        return self._raft.details(self._now())

    def status(self, txid: TxID) -> str:
        return self._raft.status(txid)

    def view_history(self) -> tuple[TxID, ...]:
        return self._raft.view_starts

    def lead(self, view: int, create: Tx, *, chunk_before: bool) -> TxID:
        """As the first node of a service, which `create` brings into being."""
        self._raft.become_primary(view, self._now())
        txid = self._replicate(self._replica.prepare(create, view, chunk_before=chunk_before))
        self._settle()
        return txid

    def follow(self) -> None:
        """As a node that has just joined."""
        self._raft.become_backup(self._now())

    def execute(self, tx: Tx) -> TxID:
        """Append the writes of a transaction as the primary. Raises raft.NotLeader."""
        txid = self._replicate(self._replica.prepare(tx, self._raft.view))
        self._sign_if_many()
        self._settle()
        return txid

    def put_off_signatures(self) -> None:
        """As if the next signature were far away, until `sign_again`."""
        self._signs = False

    def sign_again(self) -> None:
        """What has been put off is due."""
        self._signs = True

    def end_chunk_at_next_signature(self) -> None:
        self._chunk_after_signature = True

    def receive(self, sender: str, payload: bytes) -> None:
        try:
            message = raft_messages.decode(payload)
        except raft_messages.BadMessage:
            return
        self._raft.receive(sender, message, self._now())
        self._settle()

    async def run(self) -> None:
        """Time passes until cancelled."""
        next_check = self._now() + self._config.signature_delay
        while True:
            await asyncio.sleep(self._config.tick)
            self._raft.tick(self._now())
            if self._now() >= next_check:
                self._sign_if_due()
                next_check = self._next_check()
            self._settle()

    def _next_check(self) -> float:
        since = self._now() - self._signed_at
        delay = self._config.signature_delay
        return self._now() + (delay - since if since < delay else delay)

    def _sign_if_due(self) -> None:
        unsigned = self._replica.store.current.seqno > self._replica.store.last_signed.seqno
        old_enough = self._now() - self._signed_at >= self._config.signature_delay
        if self._signs and self._raft.is_leader and (unsigned or self._raft.should_sign) and old_enough:
            self._sign()

    def _sign_if_many(self) -> None:
        store = self._replica.store
        if store.current.seqno - store.last_signed.seqno >= self._config.signature_tx_count:
            self._sign()

    def _sign(self) -> None:
        self._signed_at = self._now()
        entry = self._replica.prepare_signature(self._raft.view, chunk_after=self._chunk_after_signature)
        self._chunk_after_signature = False
        self._replicate(entry)

    def _replicate(self, entry: Entry) -> TxID:
        return self._raft.replicate(entry.raw, self._now())

    def _settle(self) -> None:
        """Deal with what happened, and with what that makes happen."""
        while events := self._raft.take_events():
            for event in events:
                match event:
                    case BecameLeader(view):
                        self._log(f"Becoming leader {self._raft.node_id}: {view}")
                        self._clean_up()
                    case ConfigurationsCommitted():
                        self._clean_up()
                    case LostLeadership(view):
                        self._log(f"Stepping down as leader in {view}")
                    case _:
                        continue
        for node_id, address in self.configuration().items():
            self._links.associate(node_id, address)

    def _clean_up(self) -> None:
        """Mark nodes whose retirement is committed (CCF facts §7.2)."""
        if not self._raft.is_leader:
            return
        store = self._replica.store
        tx = store.begin()
        if nodes_table.mark_retired_committed(tx, store.begin(committed=True)):
            self._replicate(self._replica.prepare(tx, self._raft.view))

    def _send(self, to: str, message: raft_messages.Message) -> None:
        self._links.send(to, raft_messages.encode(message))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
