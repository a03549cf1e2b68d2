"""Ways to a pod's ports: its address where it can be reached from here, else through the API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum

from ccf_operator.cli.kubectl import Kubectl, KubectlFailed
from ccf_operator.cli.network import Pod
from ccf_operator.render import names

DIRECT_TIMEOUT = 0.7


class Way(StrEnum):
    """How pods are reached."""

    AUTO = "auto"
    DIRECT = "direct"
    FORWARD = "forward"


class NoWay(Exception):
    """A pod cannot be reached; the message says why."""


class Ways:
    """Ways to pods that stay open until they are given up; each pod and port is opened once."""

    def __init__(self, kubectl: Kubectl, way: Way) -> None:
        self._kubectl = kubectl
        self._way = way
        self._open: dict[tuple[str, int], tuple[str, AsyncExitStack]] = {}
        self._locks: dict[tuple[str, int], asyncio.Lock] = {}
        self._only_forwarded: set[str] = set()

    async def to(self, pod: Pod, port: int) -> str:
        """`host:port` that leads to a pod's port. Raises NoWay."""
        key = (pod.uid, port)
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._open:
                self._open[key] = await self._find(pod, port)
            return self._open[key][0]

    async def give_up(self, pod: Pod) -> bool:
        """A way to a pod has led nowhere, or to somebody else who has its address here: whether there is another."""
        keys = [key for key in self._open if key[0] == pod.uid]
        was_direct = any(self._open[key][0] == _address(pod, key[1]) for key in keys)
        for key in keys:
            await self._open.pop(key)[1].aclose()
        if was_direct and self._way is Way.AUTO:
            self._only_forwarded.add(pod.uid)
            return True
        return False

    async def close(self) -> None:
        """Give up all."""
        for _, stack in self._open.values():
            await stack.aclose()
        self._open.clear()

    async def _find(self, pod: Pod, port: int) -> tuple[str, AsyncExitStack]:
        stack = AsyncExitStack()
        direct = self._way is not Way.FORWARD and pod.uid not in self._only_forwarded
        if direct and pod.ip is not None and await _listens(pod.ip, port):
            return _address(pod, port), stack
        if self._way is Way.DIRECT:
            raise NoWay(f"{pod.name} cannot be reached at {pod.ip or 'any address'}; try --reach forward")
        try:
            return await stack.enter_async_context(self._kubectl.forward(pod.name, port)), stack
        except KubectlFailed as error:
            raise NoWay(f"{pod.name}: {error}") from error


def _address(pod: Pod, port: int) -> str:
    return names.authority(pod.ip or "", port)


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
