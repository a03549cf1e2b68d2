"""From recovered ledger secrets to an open service (CCF facts §8.2, §8.8)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from simulator.exits import abort
from simulator.ledger_replay import replay_private
from simulator.service import complete_recovery

if TYPE_CHECKING:
    from simulator.node import SimulatedNode


class PrivateRecovery:
    """Reads the private ledger; a primary then opens the service, a backup just goes on."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node

    async def run(self, secrets: Mapping[int, bytes]) -> None:
        """Raises NodeExit or LedgerError where a node aborts."""
        node = self._node
        node.faults.reach("private")
        for version, secret in secrets.items():
            node.replica.secrets.add(version, secret)
        target = node.store.current.seqno
        node.recovery_progress = (target, 0)
        for seqno in replay_private(node.replica.ledger, node.store, target):
            read = seqno - node.recovery_progress[1]
            node.recovery_progress = (target, seqno)
            for _ in range(read):
                await asyncio.sleep(node.faults.private_delay)
        node.log(f"Try end private recovery at {target}")
        node.faults.reach("opening")
        node.recovery_progress = None
        node.state = "PartOfNetwork"
        if node.can_write():
            self._open()

    def _open(self) -> None:
        tx = self._node.store.begin()
        try:
            complete_recovery(tx, self._node)
        except RuntimeError as error:
            raise abort(f"Failed to open the recovered service: {error}") from error
        self._node.execute(tx)
