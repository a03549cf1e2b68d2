"""All that an API server has told of one network: every version of its object, and every pod there ever was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from integration.world.api import Api, Raw

PATIENCE = 90.0


@dataclass
class Story:
    """What watches have shown; `until` waits for the next chapter."""

    api: Api
    namespace: str
    name: str
    versions: list[Raw] = field(default_factory=list)
    gone: bool = False
    pods: dict[str, Raw] = field(default_factory=dict)
    """Those that exist, by name, as last seen."""
    pod_uids: dict[str, set[str]] = field(default_factory=dict)
    """Every UID that a name ever had."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self) -> None:
        """Until cancelled."""
        await asyncio.gather(self._follow_network(), self._follow_pods())

    @property
    def status(self) -> Raw:
        """The status as last seen."""
        status: Raw = (self.versions[-1].get("status") or {}) if self.versions else {}
        return status

    @property
    def attempt(self) -> Raw:
        """The attempt that is under way; empty if none is."""
        attempt: Raw = self.status.get("attempt") or {}
        return attempt

    def statuses(self) -> list[Raw]:
        """Every status there was."""
        return [version.get("status") or {} for version in self.versions]

    async def until(self, what: str, wanted: Callable[[Story], Any], *, within: float = PATIENCE) -> Any:
        """Whatever is first found in the story that is true, however soon it is over.

        Fails with what was waited for, and what was seen.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(within), self._news:
                while True:
                    if found := wanted(self):
                        return found
                    await self._news.wait()
        except TimeoutError:
            waited = time.monotonic() - began
            raise AssertionError(f"not seen in {waited:.0f} s: {what}; the status is {self.summary()}") from None

    def summary(self) -> Raw:
        """The status without what fills pages."""
        status = {key: self.status.get(key) for key in ("phase", "reason", "message", "readyNodes", "quorum")}
        attempt = {key: value for key, value in self.attempt.items() if key not in _LONG}
        attempt["candidates"] = [
            {key: value for key, value in one.items() if key not in _LONG} for one in attempt.get("candidates") or []
        ]
        nodes = [
            {key: one.get(key) for key in ("name", "command", "stop", "ended", "joinedAt", "note")}
            for one in self.status.get("nodes") or []
        ]
        return {**status, "attempt": attempt, "nodes": nodes, "pods": sorted(self.pods)}

    def nodes(self, **wanted: Any) -> list[Raw]:
        """Records of nodes with these fields; None stands for one that is not set."""
        return [
            node
            for node in self.status.get("nodes") or []
            if all(node.get(key) == value for key, value in wanted.items())
        ]

    async def _follow_network(self) -> None:
        async for change in self.api.watch(f"/apis/ccf.dev/v1alpha1/namespaces/{self.namespace}/ccfnetworks"):
            ours = [raw for raw in change.items if raw["metadata"]["name"] == self.name]
            async with self._news:
                if change.kind == "DELETED":
                    self.gone = True
                elif ours and (not self.versions or _version(ours[0]) != _version(self.versions[-1])):
                    self.versions.append(ours[0])
                self._news.notify_all()
            await asyncio.sleep(0)  # those who wait look before the next one, which may be here already

    async def _follow_pods(self) -> None:
        async for change in self.api.watch(f"/api/v1/namespaces/{self.namespace}/pods"):
            async with self._news:
                if change.kind == "LISTED":
                    self.pods.clear()
                for raw in change.items:
                    name = raw["metadata"]["name"]
                    self.pod_uids.setdefault(name, set()).add(raw["metadata"]["uid"])
                    if change.kind == "DELETED":
                        self.pods.pop(name, None)
                    else:
                        self.pods[name] = raw
                self._news.notify_all()
            await asyncio.sleep(0)


def _version(raw: Raw) -> str:
    return str(raw["metadata"]["resourceVersion"])


_LONG = (
    "baseCertificate",
    "winner",
    "serviceCertificate",
    "survey",
    "evidence",
    "network",
    "membersOf",
    "configuration",
)
