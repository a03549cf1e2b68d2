"""Reading the Events about pods and claims that do not come further. No look waits for it: it shows what was read last.

Where all goes on nothing is read. What does not is read about after a few seconds, and then ever more seldom: the API
server goes through all Events of the namespace to find those about one object.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ccf_operator.domain.observation import ClaimView, EventView, PodView
from ccf_operator.domain.told_by_events import is_stuck, is_unbound
from ccf_operator.kube.errors import KubeError
from ccf_operator.kube.views import event_view

FIRST, LONGEST = 5.0, 30.0
"""Seconds that something must have been stuck before it is read about, and the longest between two readings; each pause
is twice the one before."""

ListEvents = Callable[[str, str], Awaitable[list[dict[str, Any]]]]
"""The Events of a namespace about the object with a UID. Raises KubeError."""


def stuck(pods: Iterable[PodView], claims: Iterable[ClaimView], owner: str, volumes: Collection[str]) -> frozenset[str]:
    """UIDs of the network's pods and of the claims of its volumes that do not come further without saying why."""
    waiting = {pod.uid for pod in pods if pod.owner_uid == owner and is_stuck(pod)}
    return frozenset(waiting | {claim.uid for claim in claims if claim.name in volumes and is_unbound(claim)})


@dataclass
class _Known:
    due: float
    pause: float
    events: tuple[EventView, ...] = ()


@dataclass
class ReadingEvents:
    """Reads for one network. `heard` is called when something new was read; `clock` gives seconds."""

    list_events: ListEvents
    heard: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, _Known] = field(default_factory=dict)
    _reading: asyncio.Task[None] | None = None

    def said(self, namespace: str, uids: Collection[str]) -> Mapping[str, tuple[EventView, ...]]:
        """What was read last about objects that are stuck, by their UIDs; they are read about again when it is time."""
        now = self.clock()
        self._known = {uid: self._known.get(uid) or _Known(now + FIRST, FIRST) for uid in uids}
        due = sorted(uid for uid, known in self._known.items() if known.due <= now)
        if due and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read(namespace, due))
        return {uid: known.events for uid, known in self._known.items() if known.events}

    async def _read(self, namespace: str, uids: list[str]) -> None:
        for uid in uids:
            known = self._known.get(uid)
            if known is None:
                continue
            known.pause = min(2 * known.pause, LONGEST)
            known.due = self.clock() + known.pause
            try:
                listed = await self.list_events(namespace, uid)
            except KubeError:
                continue  # people are shown less; nothing else rests on it
            events = tuple(view for raw in listed if (view := event_view(raw)) is not None)
            if events != known.events:
                known.events = events
                self.heard()
