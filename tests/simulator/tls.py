"""TLS of a node's interfaces: which certificate is shown, and when none is (CCF facts §1)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable

from simulator.config import Address

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def server_context(certificate_pem: bytes, key_pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, certificate_pem, key_pem)
    return context


def joiner_context(service_certificate_pem: str, certificate_pem: bytes, key_pem: bytes) -> ssl.SSLContext:
    """A client that accepts only nodes endorsed by the service; host names are not checked (CCF facts §5)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=service_certificate_pem)
    _load(context, certificate_pem, key_pem)
    return context


def _load(context: ssl.SSLContext, certificate_pem: bytes, key_pem: bytes) -> None:
    # ssl reads key pairs from files only; an anonymous file in memory keeps the key off every disk
    descriptor = os.memfd_create("identity")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(certificate_pem + b"\n" + key_pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


class Listener:
    """Accepts connections of one interface; the TLS context is asked for anew for each connection."""

    def __init__(
        self,
        bind: Address,
        session: Session,
        context: Callable[[], ssl.SSLContext | None],
        *,
        encrypted: bool,
        max_sessions: int,
    ) -> None:
        self._bind = bind
        self._session = session
        self._context = context
        self._encrypted = encrypted
        self._max_sessions = max_sessions
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self.peak = 0

    @property
    def address(self) -> Address:
        """Where it really listens (port 0 is resolved)."""
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        return Address(host, port)

    @property
    def active(self) -> int:
        return len(self._sessions)

    def open(self) -> None:
        """Bind and listen. Raises OSError if the address is taken."""
        found = socket.getaddrinfo(self._bind.host, self._bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, where = found[0]
        self._socket = socket.socket(family, kind, proto)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(where)
        self._socket.listen(1024)
        self._socket.setblocking(False)

    def start(self) -> None:
        """Serve what has been accepted since `open`."""
        self._accepting = asyncio.ensure_future(self._accept())

    def close(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
        for one in list(self._sessions):
            one.cancel()
        if self._socket is not None:
            self._socket.close()

    async def _accept(self) -> None:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._socket)
            task = loop.create_task(self._serve(connection))
            self._sessions.add(task)
            self.peak = max(self.peak, len(self._sessions))
            task.add_done_callback(self._sessions.discard)

    async def _serve(self, connection: socket.socket) -> None:
        context = self._context() if self._encrypted else None
        if len(self._sessions) > self._max_sessions or (self._encrypted and context is None):
            await _refuse(connection)
            return
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=2**20)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
        except (OSError, ssl.SSLError, TimeoutError):
            connection.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._session(reader, writer)
        finally:
            transport.abort() if asyncio.current_task().cancelling() else transport.close()  # type: ignore[union-attr]


async def _refuse(connection: socket.socket) -> None:
    """End the connection cleanly, so that the client's handshake sees an end of file."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, TimeoutError):
        # closing with the client's hello unread would reset the connection instead
        async with asyncio.timeout(1):
            await loop.sock_recv(connection, 65536)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
