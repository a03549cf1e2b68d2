"""One life of kopf after another, in the same process.

kopf finds out once which kinds exist, and ends as soon as one of its watches is refused: a definition that comes late
is never watched, and one that is taken away, or a right that is, ends it. It is then started anew, with growing pauses,
and at once when the kinds that are served have changed. Nothing is lost: every life begins as after a crash.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from ccf_operator import logs
from ccf_operator.kube.definitions import Definitions

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before what has failed is started anew; doubled each time."""
STANDS_AFTER = 5.0
"""Seconds after which a life passes for one that goes well."""

Live = Callable[[asyncio.Event], Awaitable[None]]
"""One life: ends when the event is set, or by a signal; raises what it failed of."""

_log = logs.get(__name__)


@dataclass
class Lives:
    """Starts a life, and the next when it has failed or other kinds are served; `stop` ends all."""

    definitions: Definitions
    stop: asyncio.Event
    _failure: str | None = None
    _pause: float = SHORTEST_PAUSE
    _begun: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the operator is not ready, if it is not."""
        if self._failure is not None:
            return (*self.definitions.problems, self._failure)
        return self.definitions.problems if self._begun else (*self.definitions.problems, "it is about to start")

    async def run(self, live: Live) -> None:
        """Until told to stop."""
        asking = asyncio.create_task(self.definitions.run(), name="definitions")
        try:
            self._hear_signals()
            await self._asked()
            while not self.stop.is_set():
                if not await self._one(live):
                    return
                self._hear_signals()
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking

    async def _asked(self) -> None:
        """Until the API server has said which kinds it serves, or it is over."""
        while self.definitions.found is None and not self.stop.is_set():
            await self._wait(self.stop, 0.1)

    async def _one(self, live: Live) -> bool:
        """One life; whether another is wanted."""
        ended, served = asyncio.Event(), self.definitions.served

        def changed() -> None:
            if self.definitions.served != served:
                _log.info("other kinds are served: all is watched anew", served=sorted(self.definitions.served))
                ended.set()

        stopping = asyncio.create_task(self._hand_on(ended), name="stop")
        standing = asyncio.get_running_loop().call_later(STANDS_AFTER, self._stands)
        self.definitions.listeners.add(changed)
        self._begun = True
        try:
            await live(ended)
        except Exception as error:
            self._failure = f"it could not go on watching: {type(error).__name__}: {error}"
            _log.error("started anew", why=self._failure, pause=self._pause)
        else:
            return ended.is_set()
        finally:
            self.definitions.listeners.discard(changed)
            standing.cancel()
            stopping.cancel()
            with suppress(asyncio.CancelledError):
                await stopping
        self.definitions.doubt()
        await self._wait(self.stop, self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return True

    async def _hand_on(self, ended: asyncio.Event) -> None:
        await self.stop.wait()
        ended.set()

    def _stands(self) -> None:
        self._failure, self._pause = None, SHORTEST_PAUSE

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    def _hear_signals(self) -> None:
        """While kopf does not: as the first process of a container it would not even end of them."""
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.stop.set)


__all__ = ["Live", "Lives"]
