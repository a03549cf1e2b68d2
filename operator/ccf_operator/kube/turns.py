"""Who may ask the API server, and when: so many requests at once, and few of them for networks that only wait.

A request waits for its turn before its time begins to run: a thousand networks that cannot start make each other wait,
never one that is being recovered, and never so long that a time-out passes for a failure of the API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

AT_ONCE = 50
"""Requests at once; the client would open a hundred connections."""
UNHURRIED_AT_ONCE = 8
"""Of these, requests for networks that only wait."""

unhurried: ContextVar[bool] = ContextVar("unhurried", default=False)
"""Whether the current task, and what it starts, looks after a network that only waits."""


class Turns:
    """The turns at one API server; first come, first served among those in the same hurry."""

    def __init__(self, at_once: int = AT_ONCE, unhurried_at_once: int = UNHURRIED_AT_ONCE) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._unhurried = asyncio.Semaphore(unhurried_at_once)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, for however long, and keep it."""
        if not unhurried.get():
            async with self._all:
                yield
            return
        async with self._unhurried, self._all:
            yield
