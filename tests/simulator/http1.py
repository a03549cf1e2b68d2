"""HTTP/1.1 over asyncio streams, both sides: what a node serves, and what it asks of other nodes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import h11


@dataclass(frozen=True)
class Request:
    method: str
    target: str  # path and query as sent
    headers: Mapping[str, str]  # lower-case names
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    close: bool = False  # the session ends after this answer

    @classmethod
    def json(cls, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        return cls(status, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})

    @classmethod
    def error(cls, status: int, code: str, message: str, *, close: bool = False) -> Response:
        """An answer in OData's error shape (CCF facts §1)."""
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        return cls(status, body, {"content-type": "application/json"}, close)

    def with_header(self, name: str, value: str) -> Response:
        return Response(self.status, self.body, {**self.headers, name: value}, self.close)


Handler = Callable[[Request], Awaitable[Response]]


async def serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handler: Handler,
    *,
    idle_timeout: float | None,
    max_body: int,
) -> None:
    """Answer the requests of one connection until either side ends it."""
    peer = h11.Connection(h11.SERVER)
    try:
        while True:
            async with asyncio.timeout(idle_timeout):
                request = await _receive_request(peer, reader, max_body)
            if request is None:
                return
            response = request if isinstance(request, Response) else await handler(request)
            head_only = isinstance(request, Request) and request.method == "HEAD"
            await _send_response(peer, writer, response, head_only=head_only)
            if response.close or peer.our_state is not h11.DONE or peer.their_state is not h11.DONE:
                return
            peer.start_next_cycle()
    except (TimeoutError, ConnectionError, h11.ProtocolError, OSError):
        return
    finally:
        writer.close()
        with contextlib.suppress(Exception):
            await writer.wait_closed()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> Response:
    """One request and its answer, on a connection that is then closed. Raises ConnectionError."""
    peer = h11.Connection(h11.CLIENT)
    headers = [("host", "node"), *request.headers.items(), ("content-length", str(len(request.body)))]
    writer.write(peer.send(h11.Request(method=request.method, target=request.target or "/", headers=headers)) or b"")
    if request.body:
        writer.write(peer.send(h11.Data(data=request.body)) or b"")
    writer.write(peer.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    status, answered, body = 0, {}, bytearray()
    try:
        while True:
            match await _next_event(peer, reader):
                case h11.Response() as head:
                    status, answered = head.status_code, _headers(head.headers)
                case h11.Data() as data:
                    body += data.data
                case h11.EndOfMessage():
                    return Response(status, bytes(body), answered)
                case h11.ConnectionClosed():
                    raise ConnectionResetError("the connection ended before the answer")
                case _:
                    continue
    except h11.ProtocolError as error:
        raise ConnectionResetError(str(error)) from error


async def _receive_request(
    peer: h11.Connection, reader: asyncio.StreamReader, max_body: int
) -> Request | Response | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = await _next_event(peer, reader)
        if isinstance(event, h11.ConnectionClosed):
            return None
        if isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > max_body:
                return Response.error(413, "RequestBodyTooLarge", "HTTP request body is too large.", close=True)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Request(head.method.decode(), head.target.decode(), _headers(head.headers), bytes(body))


async def _next_event(peer: h11.Connection, reader: asyncio.StreamReader) -> Any:
    while (event := peer.next_event()) is h11.NEED_DATA:
        if peer.they_are_waiting_for_100_continue:
            raise ConnectionResetError("100-continue is not answered")
        peer.receive_data(await reader.read(65536))
    return event


async def _send_response(
    peer: h11.Connection, writer: asyncio.StreamWriter, response: Response, *, head_only: bool
) -> None:
    bodiless = response.status in (204, 304)
    headers = list(response.headers.items())
    if not bodiless:
        headers.append(("content-length", str(len(response.body))))
    if response.close:
        headers.append(("connection", "close"))
    writer.write(peer.send(h11.Response(status_code=response.status, headers=headers)) or b"")
    if response.body and not head_only and not bodiless:
        writer.write(peer.send(h11.Data(data=response.body)) or b"")
    if head_only or bodiless or response.body or peer.our_state is not h11.DONE:
        writer.write(peer.send(h11.EndOfMessage()) or b"")
    await writer.drain()


def _headers(raw: Any) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
