"""Asking a network's primary what the members have done, without a look waiting for it if it takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ccf_operator.ccf.governance_answers import GovernanceAnswers
from ccf_operator.reconcile.asking import ASK_SECONDS, SILENT_SECONDS, Addressee
from ccf_operator.render import names


class AskGovernance(Protocol):
    """How a node is asked (`ccf.governance_reading.ask_governance`)."""

    async def __call__(
        self,
        host: str,
        port: int,
        *,
        expected_node_id: str,
        timeout: float = ASK_SECONDS,  # noqa: ASYNC109 — what has been obtained when time is up is kept
    ) -> GovernanceAnswers:
        """One reading of one node."""
        ...


class AskingMembers:
    """Asks one node at a time."""

    def __init__(self, ask: AskGovernance, heard: Callable[[], None]) -> None:
        """`heard` is called when a node has answered that no look waited for any more."""
        self._ask, self._heard = ask, heard
        self._whom: Addressee | None = None
        self._asked: asyncio.Task[GovernanceAnswers] | None = None
        self._answered_at = 0.0

    async def answers(self, whom: Addressee | None) -> GovernanceAnswers | None:
        """What the node says; None where nobody is to be asked, or it has not answered yet.

        An answer that came between two looks is told in the second, unless it has become too old.
        """
        if whom != self._whom or self._is_too_old():
            self._forget()
        if whom is None or whom.node_id is None:
            return None
        self._whom = whom
        if self._asked is None:
            self._asked = asyncio.create_task(self._one(whom.host, whom.node_id))
        await asyncio.wait([self._asked], timeout=SILENT_SECONDS)
        if not self._asked.done():
            self._asked.add_done_callback(self._came_late)
            return None
        said, self._asked = self._asked.result(), None
        return said

    async def _one(self, host: str, node_id: str) -> GovernanceAnswers:
        said = await self._ask(host, names.OPERATOR_PORT, expected_node_id=node_id, timeout=ASK_SECONDS)
        self._answered_at = asyncio.get_running_loop().time()
        return said

    def _is_too_old(self) -> bool:
        done = self._asked is not None and self._asked.done()
        return done and asyncio.get_running_loop().time() - self._answered_at > ASK_SECONDS

    def _forget(self) -> None:
        if self._asked is not None:
            self._asked.cancel()
        self._whom = self._asked = None

    def _came_late(self, asked: asyncio.Task[GovernanceAnswers]) -> None:
        if not asked.cancelled():
            self._heard()
