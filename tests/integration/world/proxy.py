"""What stands between one operator and the API server: it hands on every request, unless a test has other ideas."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from integration.control_plane import ControlPlane

READING = frozenset({"GET", "HEAD"})
_HANDED_ON = ("authorization", "accept", "content-type", "user-agent")


@dataclass
class Call:
    """One request of the operator, and its answer once there is one."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    status: int = 0
    answer: bytes = b""
    expired: bool = False
    """Of a watch: the API server said that it knows nothing as old as that any more (410)."""

    @property
    def watches(self) -> bool:
        return self.query.get("watch") == "true"

    @property
    def writes(self) -> bool:
        return self.method not in READING

    @property
    def json(self) -> Any:
        """What it sends."""
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Severed(Exception):
    """Raised by a hook: the operator's connection breaks, and it never learns what became of its request."""


class Refused(Exception):
    """Raised by a hook: the operator gets this status for an answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


Hook = Callable[[Call], Awaitable[None]]


async def nothing(_: Call) -> None:
    """Hand on."""


@dataclass
class ApiProxy:
    """An HTTP server on loopback. `before` runs before a request is handed on, `after` before its answer is."""

    control_plane: ControlPlane
    before: Hook = nothing
    after: Hook = nothing
    calls: list[Call] = field(default_factory=list)
    """All requests, watches included, in the order of their arrival."""
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    _open: list[web.Request] = field(default_factory=list)
    _dead: bool = False
    _abandoned: int = 0
    _under_way: set[asyncio.Task[web.StreamResponse]] = field(default_factory=set)
    """Writes whose sender has given up waiting."""

    async def start(self) -> str:
        """Listen; the URL."""
        tls = ssl.create_default_context(cafile=str(self.control_plane.certificate))
        self._http = aiohttp.ClientSession(
            self.control_plane.url,
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        """Stop listening; a second time does nothing."""
        self.sever()
        for late in self._under_way:
            late.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._runner.cleanup()
        await self._http.close()

    def sever(self) -> None:
        """Break all connections, for ever: the operator behind it is as good as dead to everyone."""
        self._dead = True
        self._break(lambda _: True)

    def break_watches(self) -> int:
        """Break every watch that is open, in the middle of its stream; how many those were."""
        return self._break(lambda request: request.query.get("watch") == "true")

    async def until(self, wanted: Callable[[Call], bool], *, within: float = 60.0) -> Call:
        """The first request, from the first one on, that is wanted and has been answered."""
        async with asyncio.timeout(within), self._heard:
            while True:
                for call in self.calls:
                    if call.status and wanted(call):
                        return call
                await self._heard.wait()

    @property
    def gave_up(self) -> int:
        """How many answers the operator has not waited for."""
        return self._abandoned

    async def abandoned(self, *, within: float = 60.0) -> None:
        """Until the operator gives up waiting for an answer, from now on."""
        before = self._abandoned
        async with asyncio.timeout(within), self._heard:
            await self._heard.wait_for(lambda: self._abandoned > before)

    def _break(self, which: Callable[[web.Request], bool]) -> int:
        broken = [request for request in self._open if which(request)]
        for request in broken:
            _abort(request)
        return len(broken)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._dead:
            _abort(request)
            return web.Response(status=503)
        call = Call(request.method, request.path, dict(request.query), await request.read())
        self.calls.append(call)
        self._open.append(request)
        serving = asyncio.create_task(self._serve(call, request))
        try:
            # A write that is on its way arrives, whether or not its sender still waits for the answer.
            return await (asyncio.shield(serving) if call.writes else serving)
        except asyncio.CancelledError:
            self._under_way.add(serving)
            serving.add_done_callback(self._under_way.discard)
            self._abandoned += 1
            async with self._heard:
                self._heard.notify_all()
            raise
        finally:
            self._open.remove(request)

    async def _serve(self, call: Call, request: web.Request) -> web.StreamResponse:
        try:
            await self.before(call)
            if self._dead:
                raise Severed
            return await self._hand_on(call, request)
        except Refused as refused:
            call.status = refused.status
            return web.Response(status=refused.status)
        except (Severed, aiohttp.ClientError, OSError):
            _abort(request)
            return web.Response(status=503)

    async def _hand_on(self, call: Call, request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _HANDED_ON if name in request.headers}
        headers["accept-encoding"] = "identity"  # long lists come compressed where that is taken
        async with self._http.request(call.method, request.rel_url, data=call.body or None, headers=headers) as answer:
            content_type = answer.headers.get("content-type", "application/json")
            if call.watches:
                stream = web.StreamResponse(status=answer.status, headers={"content-type": content_type})
                await stream.prepare(request)
                await self._answered(call, answer.status)
                async for piece in answer.content.iter_any():
                    call.expired = call.expired or (b'"ERROR"' in piece and b"410" in piece)
                    await stream.write(piece)
                return stream
            call.answer = await answer.read()
            call.status = answer.status
            await self.after(call)
            if self._dead:
                raise Severed
            await self._answered(call, answer.status)
            return web.Response(status=answer.status, body=call.answer, headers={"content-type": content_type})

    async def _answered(self, call: Call, status: int) -> None:
        call.status = status
        async with self._heard:
            self._heard.notify_all()


def kubeconfig(path: Path, url: str, token: str) -> Path:
    """A kubeconfig for who is behind the proxy."""
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "clusters": [{"name": "test", "cluster": {"server": url}}],
                "users": [{"name": "test", "user": {"token": token}}],
            }
        )
    )
    path.chmod(0o600)
    return path


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
