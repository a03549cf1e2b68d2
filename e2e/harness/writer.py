"""A client that writes all the time, whatever happens to the service, and keeps what it saw committed."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from e2e.harness.client import Journal, Written, connect
from e2e.harness.consortium import CLIENT_PORT, Door
from e2e.harness.waiting import eventually

PAUSE = 0.2
"""Seconds between two entries, and before another node is tried."""
LOOK_FOR_NODES_EVERY = 2.0
"""Seconds after which a client that finds no node to write to asks anew which there are."""
POLLED_AT_ONCE = 8
TIMEOUT = 3.0


@dataclass
class Writer:
    """Writes in a thread of its own. `doors` says which nodes there are now, and under which service certificate."""

    doors: Callable[[], Sequence[Door]]
    prefix: str = "steady"
    committed: list[Written] = field(default_factory=list)
    """Entries that some node said were `Committed`; only ever grows."""
    trouble: str = ""
    """What went wrong last."""
    _pending: list[Written] = field(default_factory=list)
    _service: str = ""
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> Writer:
        """Begin, and wait until some entries are committed: what is lost later on is not lost for want of any."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=self.prefix, daemon=True)
        self._thread.start()
        return self.wait_for_more(5)

    def stop(self) -> None:
        """End; entries not seen committed by now are of no account."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def wait_for_more(self, number: int = 2, within: float = 60) -> Writer:
        """Wait until so many more entries are committed than are now."""
        before = len(self.committed)
        eventually(
            f"{number} more entries are committed (last trouble: {self.trouble})",
            lambda: len(self.committed) >= before + number,
            within=within,
        )
        return self

    def __enter__(self) -> Writer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _run(self) -> None:
        numbers = itertools.count(1)
        while not self._stopped.is_set():
            looked = time.monotonic()
            for door in self._known():
                if self._stopped.is_set():
                    return
                try:
                    await self._use(door, numbers)
                except Exception as problem:
                    self.trouble = f"{door.pod}: {problem!r}"
                await asyncio.sleep(PAUSE)
            await asyncio.sleep(max(0.0, looked + LOOK_FOR_NODES_EVERY - time.monotonic()))

    def _known(self) -> Sequence[Door]:
        try:
            return self.doors()
        except Exception as problem:
            self.trouble = repr(problem)
            return ()

    async def _use(self, door: Door, numbers: Iterator[int]) -> None:
        """Write through one node until it fails."""
        if door.service_certificate != self._service:
            self._service = door.service_certificate
            self._pending.clear()  # of a service that is no more: nobody has said that they were committed
        with door.reach.to(door.kubectl, door.pod, CLIENT_PORT) as address:
            async with connect(door, address, TIMEOUT) as journal:
                while not self._stopped.is_set():
                    number = next(numbers)
                    self._pending.append(
                        await journal.write(f"{self.prefix}-{number}", f"{self.prefix} value {number}")
                    )
                    await self._poll(journal)
                    await asyncio.sleep(PAUSE)

    async def _poll(self, journal: Journal) -> None:
        for entry in self._pending[:POLLED_AT_ONCE]:
            said = await journal.status(entry.tx_id)
            if said == "Committed":
                self.committed.append(entry)
            if said in ("Committed", "Invalid"):
                self._pending.remove(entry)
