"""The cluster's names, in this event loop: a pod's name under its headless Service resolves to the pod's address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DOMAIN = "svc.cluster.local"


class ClusterDns:
    """Names of pods; an unknown name of the cluster does not resolve, any other goes to the system's resolver."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}

    def publish(self, name: str, address: str) -> None:
        """Let a name resolve."""
        self._addresses[name] = address

    def withdraw(self, name: str) -> None:
        """Let it resolve no more."""
        self._addresses.pop(name, None)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer for all that connects in the running event loop."""
        loop: Any = asyncio.get_running_loop()
        system = loop.getaddrinfo

        async def resolve(host: Any, port: Any, **how: Any) -> Any:
            if isinstance(host, str) and host.endswith(DOMAIN):
                address = self._addresses.get(host)
                if address is None:
                    raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")
                host = address
            return await system(host, port, **how)

        loop.getaddrinfo = resolve
        try:
            yield
        finally:
            loop.getaddrinfo = system
