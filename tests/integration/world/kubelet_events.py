"""Events as a kubelet writes them: of the older form, and patched each time the same happens again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from integration.world.api import Api, Raw


@dataclass
class KubeletEvents:
    """What one kubelet tells of one pod (client-go `tools/record`)."""

    api: Api
    pod: Raw
    _written: dict[tuple[str, str], Raw] = field(default_factory=dict)

    async def tell(self, reason: str, message: str) -> None:
        """A warning. Raises ApiError, httpx.TransportError."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = self.pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        known = self._written.get((reason, message))
        if known is not None:
            again = {"count": known["count"] + 1, "lastTimestamp": now}
            self._written[reason, message] = await self.api.patch(f"{path}/{known['metadata']['name']}", again)
            return
        involved = {
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        }
        event = {
            "metadata": {"name": f"{metadata['name']}.{time.time_ns():x}", "namespace": metadata["namespace"]},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": {"component": "kubelet", "host": "machine"},
            "reportingComponent": "kubelet",
            "reportingInstance": "machine",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": "Warning",
            "eventTime": None,
        }
        self._written[reason, message] = await self.api.ask("POST", path, event)
