"""Pods whose network object is gone: nobody looks after them, and our finalizer must not hold them for ever.

A network is only let go by its loop when no pod is held any more. But a person may take its finalizer off, and an
order for a pod may arrive after that. Garbage collection then asks for the pod's end; all that is left to do is to let
it go by the same rule as in any deletion.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ccf_operator import logs
from ccf_operator.domain.deletion import may_go
from ccf_operator.domain.releasing import outlives_its_claim
from ccf_operator.kube.errors import Forbidden, KubeError, NotServed
from ccf_operator.kube.gateway import Gateway, Raw
from ccf_operator.kube.ownership import owner_uid
from ccf_operator.kube.views import machine_view, persistent_volume_view, pod_view
from ccf_operator.render import labels

AGAIN_SECONDS = 2.0
"""How long to wait before a pod that could not be let go is looked at again."""

UNSERVED_SECONDS = 60.0
"""For how long networks may not be served before they pass for gone: a definition that is replaced is back sooner."""

_log = logs.get(__name__)


@dataclass
class Orphans:
    """Lets orphaned pods go, one task for each."""

    gateway: Gateway
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _searches: set[asyncio.Task[None]] = field(default_factory=set)
    _unserved_since: float | None = None

    def pod_seen(self, raw: Raw) -> None:
        """A pod of some network exists: see to it if its end was asked for and we hold it."""
        metadata = raw["metadata"]
        if metadata.get("deletionTimestamp") is None or labels.POD_FINALIZER not in (metadata.get("finalizers") or ()):
            return
        uid = str(metadata["uid"])
        if uid in self._tasks:
            return
        task = asyncio.create_task(self._see_to(raw), name=f"pod {metadata['namespace']}/{metadata['name']}")
        self._tasks[uid] = task
        task.add_done_callback(lambda _: self._tasks.pop(uid, None))

    def network_gone(self, namespace: str, network: str) -> None:
        """A network object is gone: see to what it has left behind."""
        task = asyncio.create_task(self._search(namespace, network), name=f"orphans {namespace}/{network}")
        self._searches.add(task)
        task.add_done_callback(self._searches.discard)

    async def close(self) -> None:
        """End all; the next start takes it up again."""
        tasks = [*self._tasks.values(), *self._searches]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _search(self, namespace: str, network: str) -> None:
        while True:
            try:
                pods = await self.gateway.list_pods(namespace, network)
            except KubeError as error:
                _log.warning("orphans could not be looked for", namespace=namespace, network=network, error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            for raw in pods:
                self.pod_seen(raw)
            return

    async def _see_to(self, raw: Raw) -> None:
        metadata = raw["metadata"]
        network = (metadata.get("labels") or {}).get(labels.NETWORK)
        log = _log.bind(namespace=metadata["namespace"], network=network, node=metadata["name"])
        while True:
            try:
                if await self._let_go(raw, log):
                    return
            except KubeError as error:
                log.warning("an orphaned pod could not be let go", error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _let_go(self, seen: Raw, log: Any) -> bool:
        """Whether there is nothing more to do for a pod."""
        metadata = seen["metadata"]
        namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
        now = await self.gateway.get_pod(namespace, name)
        if now is None or now["metadata"]["uid"] != uid:
            return True
        if await self._owned(now):
            return True
        pod = pod_view(now)
        try:
            found = await self.gateway.get_machines([pod.machine] if pod.machine is not None else [])
        except Forbidden:
            machines = None
        else:
            machines = {machine: machine_view(raw) for machine, raw in found.items()}
        if not may_go(pod, machines, datetime.now(UTC)) or await self._would_take_along(now, log):
            return False
        await self.gateway.remove_pod_finalizer(namespace, name, uid)
        log.info("let an orphaned pod go")
        return True

    async def _would_take_along(self, raw: Raw, log: Any) -> bool:
        """Whether a ledger would go with the pod: one whose claim is being deleted, in a namespace that stays."""
        namespace = raw["metadata"]["namespace"]
        for volume in (raw.get("spec") or {}).get("volumes") or []:
            name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            claim = await self.gateway.get_claim(namespace, name) if name else None
            bound = ((claim or {}).get("spec") or {}).get("volumeName")
            if claim is None or not claim["metadata"].get("deletionTimestamp") or not bound:
                continue
            found = await self.gateway.get_pv(bound)
            if found is None or outlives_its_claim(persistent_volume_view(found)):
                continue
            if await self.gateway.is_namespace_terminating(namespace):
                continue
            log.warning(
                "an orphaned pod is kept, for the ledger that it holds would go along", claim=name, volume=bound
            )
            return True
        return False

    async def _owned(self, raw: Raw) -> bool:
        """Whether the pod's network object is there, whose loop sees to its pods."""
        metadata = raw["metadata"]
        network = (metadata.get("labels") or {}).get(labels.NETWORK)
        try:
            found = await self.gateway.get_network(metadata["namespace"], network) if network else None
        except NotServed:
            if self._unserved_since is None:
                self._unserved_since = time.monotonic()
            if time.monotonic() - self._unserved_since < UNSERVED_SECONDS:
                raise
            return False
        self._unserved_since = None
        return found is not None and found["metadata"]["uid"] == owner_uid(raw)
