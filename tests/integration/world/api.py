"""The API server as a kubelet, a person or a test sees it: one that may do everything, and that watches."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from integration.control_plane import ControlPlane

Raw = dict[str, Any]

PACE = 0.1
"""Seconds between two tries to reach an API server that is away."""


class ApiError(Exception):
    """The API server refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Change:
    """What a watch has shown: ADDED, MODIFIED, DELETED; or LISTED with all there is, where a watch began anew."""

    kind: str
    items: tuple[Raw, ...]


class Api:
    """Plain requests, each answered or failed within ten seconds."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._http = httpx.AsyncClient(
            base_url=control_plane.url,
            verify=ssl.create_default_context(cafile=str(control_plane.certificate)),
            headers={"authorization": f"Bearer {control_plane.token}"},
            timeout=10,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Raw:
        """One request. Raises ApiError, httpx.TransportError."""
        content = None if body is None else json.dumps(body).encode()
        answer = await self._http.request(
            method, path, content=content, params=query, headers={"content-type": content_type}
        )
        if answer.status_code >= 400:
            raise ApiError(answer.status_code, answer.text[:500])
        parsed: Raw = answer.json()
        return parsed

    async def get(self, path: str) -> Raw:
        """An object. Raises ApiError, httpx.TransportError."""
        return await self.ask("GET", path)

    async def patch(self, path: str, patch: Raw) -> Raw:
        """Merge a patch. Raises ApiError, httpx.TransportError."""
        return await self.ask("PATCH", path, patch, content_type="application/merge-patch+json")

    async def insist(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> None:
        """Ask again until the API server answers; what it refuses with 404 or 409 is settled."""
        while True:
            try:
                await self.ask(method, path, body, content_type=content_type)
            except httpx.TransportError:
                await asyncio.sleep(PACE)
            except ApiError as error:
                if error.status in (404, 409):
                    return
                if error.status < 500 and error.status != 429:
                    raise
                await asyncio.sleep(PACE)
            else:
                return

    async def gone(self, path: str, *, within: float = 90.0) -> None:
        """Until an object is not there any more. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                try:
                    await self.get(path)
                except ApiError as error:
                    if error.status == 404:
                        return
                    raise
                await asyncio.sleep(PACE)

    async def watch(self, path: str) -> AsyncGenerator[Change, None]:
        """All changes of a collection, for ever: after a broken watch all is listed anew."""
        while True:
            try:
                listed = await self.get(path)
                yield Change("LISTED", tuple(listed["items"]))
                async for change in self.changes(path, listed["metadata"]["resourceVersion"]):
                    yield change
            except (httpx.TransportError, ApiError):
                await asyncio.sleep(PACE)

    async def changes(self, path: str, since: str) -> AsyncIterator[Change]:
        """The changes since a version, until the watch ends. Raises ApiError, httpx.TransportError."""
        query = {"watch": "true", "resourceVersion": since}
        async with self._http.stream("GET", path, params=query, timeout=None) as stream:
            if stream.status_code >= 400:
                raise ApiError(stream.status_code, "watch refused")
            async for line in stream.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(int(event["object"].get("code", 500)), "watch ended")
                yield Change(event["type"], (event["object"],))
