"""Asking each `stage` that runs how far it has come. No look waits for it: it shows what was said last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from ccf_operator.domain.observation import ReadBytes
from ccf_operator.render import names

ASK_SECONDS = 5.0
"""How long one may take to answer: it may have next to no CPU, and all of that reads."""

AGAIN_SECONDS = 1.0
"""Least time between two questions to one."""

_LIMIT = 4096


class AskStage(Protocol):
    """How `stage` is asked (`ask`)."""

    async def __call__(self, host: str, port: int) -> ReadBytes | None:
        """What it says of its progress; None if nothing that can be understood."""
        ...


async def ask(host: str, port: int) -> ReadBytes | None:
    """Ask the `stage` of the pod with this IP (`ccf_operator.stage.progress`). Never raises."""
    with suppress(OSError, TimeoutError, ValueError, RecursionError):
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET / HTTP/1.0\r\n\r\n")
                said = b""
                while len(said) < _LIMIT and (piece := await reader.read(_LIMIT)):
                    said += piece
            finally:
                writer.close()
        return _parse(said)
    return None


def _parse(said: bytes) -> ReadBytes | None:
    found = json.loads(said.partition(b"\r\n\r\n")[2])
    if not isinstance(found, dict):
        return None
    done, total, file = found.get("done"), found.get("total"), found.get("file")
    if type(done) is not int or type(total) is not int or not 0 <= done <= total <= 2**53:
        return None
    return ReadBytes(done, total, file[:100] if isinstance(file, str) else "")


class AskingStages:
    """Asks the pods of one network whose `stage` runs."""

    def __init__(self, ask: AskStage = ask) -> None:
        """`ask`: how one is asked."""
        self._ask = ask
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, ReadBytes] = {}

    def said(self, hosts: Mapping[str, str]) -> dict[str, ReadBytes]:
        """What was said last of those at these hosts, by the same names; they are asked again meanwhile."""
        wanted = set(hosts.values())
        for host in self._asked.keys() - wanted:
            self._asked.pop(host).cancel()
        self._said = {host: read for host, read in self._said.items() if host in wanted}
        for host in wanted:
            if host not in self._asked or self._asked[host].done():
                self._asked[host] = asyncio.create_task(self._one(host))
        return {name: self._said[host] for name, host in hosts.items() if host in self._said}

    async def _one(self, host: str) -> None:
        read = await self._ask(host, names.STAGE_PORT)
        if read is not None:
            self._said[host] = read
        await asyncio.sleep(AGAIN_SECONDS)
