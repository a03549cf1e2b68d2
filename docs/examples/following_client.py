"""A client of a CCF service that goes on through a disaster recovery, without a restart.

Mount the ConfigMap `<network>-service-identity` as a directory (no `subPath`: such a mount is never updated). The
kubelet replaces all of its files at once, some time after the operator has; this client looks at `bundle.pem` before
each request, and again whenever a node's certificate is not one it trusts. Needs httpx.

    client = FollowingClient("https://bank.default.svc:8080", Path("/etc/ccf/bank/bundle.pem"))
    answer = await client.request("GET", "/app/journal?key=hello")
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

LOOK_AGAIN = 0.5
"""Seconds between two tries while a node shows a certificate that the mounted file does not know yet."""


@dataclass
class _Trusting:
    """Connections that trust one content of the file, and how many requests are under way on them."""

    bundle: str
    http: httpx.AsyncClient
    under_way: int = 0


@dataclass
class FollowingClient:
    """Sends requests to a service whose certificates are in a file that changes.

    `patience` is how long, in seconds, a request waits for a file that knows the service: the kubelet may take a minute
    and more to show what the operator has written.
    """

    url: str
    bundle: Path
    patience: float = 120.0
    timeout: float = 10.0
    _now: _Trusting | None = field(default=None, init=False)
    _before: list[_Trusting] = field(default_factory=list, init=False)

    async def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; `more` goes to httpx. Raises httpx.TransportError.

        It is sent again only where no connection came about, so never twice.
        """
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return await self._send(method, path, **more)
            except httpx.ConnectError as error:
                if not _is_a_stranger(error) or time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(LOOK_AGAIN)

    async def aclose(self) -> None:
        """Close all connections."""
        for trusting in (*self._before, *([self._now] if self._now is not None else [])):
            await trusting.http.aclose()
        self._before, self._now = [], None

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        trusting = self._current()
        trusting.under_way += 1
        try:
            await self._close_idle()
            return await trusting.http.request(method, self.url + path, **more)
        finally:
            trusting.under_way -= 1

    def _current(self) -> _Trusting:
        """Connections that trust what the file says now."""
        bundle = self.bundle.read_text()
        if self._now is None or self._now.bundle != bundle:
            if self._now is not None:
                self._before.append(self._now)
            # Only these services' nodes are trusted, and nobody else in the world.
            context = ssl.create_default_context(cadata=bundle)
            http = httpx.AsyncClient(verify=context, timeout=self.timeout, trust_env=False)
            self._now = _Trusting(bundle, http)
        return self._now

    async def _close_idle(self) -> None:
        """Close connections that trust an earlier content, once nothing is under way on them."""
        idle = [one for one in self._before if one.under_way == 0]
        self._before = [one for one in self._before if one.under_way > 0]
        for one in idle:
            await one.http.aclose()


def _is_a_stranger(error: httpx.ConnectError) -> bool:
    """Whether the connection failed because the peer's certificate is none that is trusted."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
