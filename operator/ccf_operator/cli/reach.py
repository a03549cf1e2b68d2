"""Ways to a pod's ports: its address where it can be reached from here, else through the API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum

from ccf_operator.cli.kubectl import Kubectl, KubectlFailed
from ccf_operator.cli.network import Pod

DIRECT_TIMEOUT = 0.7


class Way(StrEnum):
    """How pods are reached."""

    AUTO = "auto"
    DIRECT = "direct"
    FORWARD = "forward"


class NoWay(Exception):
    """A pod cannot be reached; the message says why."""


class Ways:
    """Ways to pods that stay open until `close`; each pod and port is opened once."""

    def __init__(self, kubectl: Kubectl, way: Way) -> None:
        self._kubectl = kubectl
        self._way = way
        self._open: dict[tuple[str, int], str] = {}
        self._locks: dict[tuple[str, int], asyncio.Lock] = {}
        self._stack = AsyncExitStack()

    async def to(self, pod: Pod, port: int) -> str:
        """`host:port` that leads to a pod's port. Raises NoWay."""
        key = (pod.uid, port)
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._open:
                self._open[key] = await self._find(pod, port)
            return self._open[key]

    def forget(self, pod: Pod) -> None:
        """The way to a pod has led nowhere: look for another one next time."""
        self._open = {key: address for key, address in self._open.items() if key[0] != pod.uid}

    async def close(self) -> None:
        await self._stack.aclose()

    async def _find(self, pod: Pod, port: int) -> str:
        if self._way is not Way.FORWARD and pod.ip is not None and await _listens(pod.ip, port):
            return f"[{pod.ip}]:{port}" if ":" in pod.ip else f"{pod.ip}:{port}"
        if self._way is Way.DIRECT:
            raise NoWay(f"{pod.name} cannot be reached at {pod.ip or 'any address'}; try --reach forward")
        try:
            return await self._stack.enter_async_context(self._kubectl.forward(pod.name, port))
        except KubectlFailed as error:
            raise NoWay(f"{pod.name}: {error}") from error


@asynccontextmanager
async def ways(kubectl: Kubectl, way: Way) -> AsyncIterator[Ways]:
    """Ways that are closed at the end."""
    opened = Ways(kubectl, way)
    try:
        yield opened
    finally:
        await opened.close()


async def _listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(DIRECT_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except (TimeoutError, OSError):
        return False
    writer.close()
    return True
