"""One loop per network object, started when the object is first seen and woken by events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ccf_operator import logs
from ccf_operator.kube.gateway import Raw
from ccf_operator.reconcile.loop import NetworkLoop

_log = logs.get(__name__)

Key = tuple[str, str]
"""Namespace and name of a network."""
Build = Callable[[str, str, str], NetworkLoop]
"""The loop of the network with this namespace, name and UID."""


@dataclass
class _Watched:
    loop: NetworkLoop
    task: asyncio.Task[None]
    seen: object


@dataclass
class Watchers:
    """The loops that run. An event starts or wakes a loop, and that is all it does: loops look for themselves."""

    build: Build
    _running: dict[Key, dict[str, _Watched]] = field(default_factory=dict)
    _closed: bool = False

    def __len__(self) -> int:
        return sum(len(watched) for watched in self._running.values())

    def network_seen(self, raw: Raw) -> None:
        """A CCFNetwork exists, or has changed. Changes of status alone are our own and wake nobody."""
        metadata = raw["metadata"]
        key: Key = (metadata["namespace"], metadata["name"])
        uid = str(metadata["uid"])
        seen = (
            metadata.get("generation"),
            metadata.get("deletionTimestamp"),
            tuple(metadata.get("finalizers") or ()),
            tuple(sorted((metadata.get("annotations") or {}).items())),
        )
        running = self._running.setdefault(key, {})
        watched = running.get(uid)
        if watched is not None:
            if watched.seen != seen:
                watched.seen = seen
                watched.loop.wake.set()
            return
        if self._closed:
            return
        loop = self.build(key[0], key[1], uid)
        loop.unhurried = not ((raw.get("status") or {}).get("service") or {}).get("openedAt")
        task = asyncio.create_task(loop.run(), name=f"network {key[0]}/{key[1]}")
        running[uid] = _Watched(loop, task, seen)
        task.add_done_callback(lambda done: self._ended(key, uid, done))

    def wake(self, namespace: str, name: str) -> None:
        """Something of this network has changed."""
        for watched in self._running.get((namespace, name), {}).values():
            watched.loop.wake.set()

    def wake_all(self) -> None:
        """Something has changed that matters to every network."""
        for running in self._running.values():
            for watched in running.values():
                watched.loop.wake.set()

    async def close(self) -> None:
        """End all loops; whatever they were doing is gone on with after the next start."""
        self._closed = True
        tasks = [watched.task for running in self._running.values() for watched in running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: Key, uid: str, task: asyncio.Task[None]) -> None:
        running = self._running.get(key, {})
        running.pop(uid, None)
        if not running:
            self._running.pop(key, None)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a loop has ended", namespace=key[0], network=key[1], error=repr(task.exception()))
