"""Node-to-node channels over TCP: messages that may be lost, and forwarded requests (CCF facts §3).

The other end of a channel is proven (`n2n_handshake`): a node of another service cannot feed anything. A channel
carries both directions; whoever has something to say first opens it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from simulator import n2n_handshake
from simulator.config import Address
from simulator.n2n_handshake import Credentials, NotProven

__all__ = ["Credentials", "ForwardFailed", "Transport"]

_log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 2.0
FIRST_BACKOFF_SECONDS = 0.05
LAST_BACKOFF_SECONDS = 1.0
UNACKNOWLEDGED_SECONDS = 3.0
"""A channel whose data the other host does not acknowledge for so long is closed: after a partition it would take long
to recover, for TCP repeats ever more rarely."""
QUEUED_FRAMES = 64
"""Kept per node while a channel is being opened."""
BUFFERED_BYTES = 32 * 1024 * 1024
"""Beyond this much unsent, messages are dropped."""

_LENGTH = struct.Struct(">I")
_REQUEST_ID = struct.Struct(">Q")
_HANDSHAKE, _MESSAGE, _REQUEST, _REPLY, _FAILURE = b"H", b"M", b"Q", b"R", b"F"


class ForwardFailed(Exception):
    """The other node could not be reached, or did not answer in time."""


class Transport:
    """One node's listening socket and its channels to others."""

    def __init__(
        self,
        bind: Address,
        published: str,
        credentials: Credentials,
        *,
        on_message: Callable[[str, bytes], None],
        on_forward: Callable[[str, bytes], Awaitable[bytes]],
        max_message: int = 64 * 1024 * 1024,
    ) -> None:
        """`on_message(sender id, payload)` may not block or raise. `on_forward(sender id, request)` gives the reply; if
        it raises, the asking side gets ForwardFailed."""
        self._bind = bind
        self._published = published
        self._credentials = credentials
        self._on_message = on_message
        self._on_forward = on_forward
        self._max_message = max_message
        self._server: asyncio.Server | None = None
        self._addresses: dict[str, str] = {}
        self._channels: dict[str, list[_Channel]] = {}
        self._callers: dict[str, _Caller] = {}
        self._waiting: dict[int, tuple[str, asyncio.Future[bytes]]] = {}
        self._request_ids = itertools.count(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopped = False

    async def start(self) -> Address:
        """Listen; returns the bound address (port 0 = chosen). Raises OSError."""
        self._server = await asyncio.start_server(
            self._accepted, self._bind.host or None, self._bind.port, family=socket.AF_INET
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return Address(host, port)

    async def stop(self) -> None:
        """Close everything. `send` afterwards does nothing."""
        self._stopped = True
        if self._server is not None:
            self._server.close()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for channels in self._channels.values():
            for channel in channels:
                channel.close()
        self._channels.clear()
        self._fail_waiting(None, "stopped")

    def associate(self, node_id: str, address: str) -> None:
        """Where to reach a node: "host:port", resolved at each connection. Nodes that call are known without."""
        self._addresses[node_id] = address

    def is_open(self, node_id: str) -> bool:
        """A channel to the node is open (it may be broken without having shown it yet)."""
        return bool(self._channels.get(node_id))

    def send(self, to: str, payload: bytes) -> None:
        """Best effort, in order while a channel lives; never blocks or raises. Dropped if the node is out of reach."""
        self._post(to, _frame(_MESSAGE, payload))

    async def forward(self, to: str, request: bytes, *, within: float) -> bytes:
        """Ask another node and wait at most `within` seconds for its reply. Raises ForwardFailed."""
        if self._stopped:
            raise ForwardFailed("stopped")
        number = next(self._request_ids)
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (to, reply)
        try:
            self._post(to, _frame(_REQUEST, _REQUEST_ID.pack(number) + request))
            async with asyncio.timeout(within):
                return await reply
        except TimeoutError:
            raise ForwardFailed(f"no reply from {to} within {within} s") from None
        finally:
            del self._waiting[number]

    def _post(self, to: str, frame: bytes) -> None:
        if self._stopped:
            return
        channels = self._channels.get(to)
        if channels:
            channels[-1].write(frame)
            return
        caller = self._callers.get(to)
        if caller is None:
            caller = self._callers[to] = _Caller()
            self._spawn(self._call(to, caller))
        caller.queue.append(frame)
        caller.wanted.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, node_id: str, caller: _Caller) -> None:
        """Open a channel to the node whenever something is to be sent and none is open; for ever."""
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            await caller.wanted.wait()
            caller.wanted.clear()
            if not caller.queue:
                continue
            try:
                channel = await self._open(node_id)
            except (OSError, EOFError, TimeoutError, NotProven, _TooLarge) as error:
                _log.debug("no channel to %s: %s", node_id, error)
                caller.queue.clear()
                self._fail_waiting(node_id, f"unreachable: {error}")
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)
                continue
            backoff = FIRST_BACKOFF_SECONDS
            self._add(channel)
            self._spawn(self._listen(channel))

    async def _open(self, node_id: str) -> _Channel:
        address = self._addresses.get(node_id)
        if address is None:
            raise NotProven(f"no address of {node_id}")
        own_hello = n2n_handshake.hello(self._credentials, self._published)
        target = Address.parse(address)
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            reader, writer = await asyncio.open_connection(target.host, target.port, family=socket.AF_INET)
            channel = _Channel(reader, writer, self._max_message)
            try:
                channel.write(_frame(_HANDSHAKE, own_hello))
                their_hello = await channel.read_handshake()
                peer = n2n_handshake.read_hello(their_hello, self._credentials)
                if peer.node_id != node_id:
                    raise NotProven(f"{peer.node_id} answers at {address}")
                n2n_handshake.check_proof(peer, "callee", own_hello, their_hello, await channel.read_handshake())
                proof = n2n_handshake.prove(self._credentials.key, "caller", own_hello, their_hello)
                channel.write(_frame(_HANDSHAKE, proof))
            except BaseException:
                channel.close()
                raise
        channel.node_id = node_id
        return channel

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopped:
            writer.transport.abort()
            return
        self._spawn(self._answer(_Channel(reader, writer, self._max_message)))

    async def _answer(self, channel: _Channel) -> None:
        """The called side of a new channel, until it ends."""
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                their_hello = await channel.read_handshake()
                peer = n2n_handshake.read_hello(their_hello, self._credentials)
                own_hello = n2n_handshake.hello(self._credentials, self._published)
                channel.write(_frame(_HANDSHAKE, own_hello))
                proof = n2n_handshake.prove(self._credentials.key, "callee", their_hello, own_hello)
                channel.write(_frame(_HANDSHAKE, proof))
                proof = await channel.read_handshake()
                n2n_handshake.check_proof(peer, "caller", their_hello, own_hello, proof)
        except (OSError, EOFError, TimeoutError, NotProven, _TooLarge) as error:
            _log.debug("refused a channel: %s", error)
            channel.close()
            return
        except BaseException:
            channel.close()
            raise
        channel.node_id = peer.node_id
        self._addresses.setdefault(peer.node_id, peer.address)
        self._add(channel)
        await self._listen(channel)

    def _add(self, channel: _Channel) -> None:
        self._channels.setdefault(channel.node_id, []).append(channel)
        caller = self._callers.get(channel.node_id)
        if caller is not None:
            while caller.queue:
                channel.write(caller.queue.popleft())

    async def _listen(self, channel: _Channel) -> None:
        try:
            while True:
                self._handle(channel, *await channel.read())
        except (OSError, EOFError, _TooLarge, struct.error) as error:
            _log.debug("channel with %s ended: %s", channel.node_id, error)
        finally:
            channel.close()
            with contextlib.suppress(KeyError, ValueError):
                self._channels[channel.node_id].remove(channel)
            if not self.is_open(channel.node_id):
                self._fail_waiting(channel.node_id, "the channel ended")

    def _handle(self, channel: _Channel, kind: bytes, body: bytes) -> None:
        if kind == _MESSAGE:
            self._on_message(channel.node_id, body)
            return
        (number,) = _REQUEST_ID.unpack_from(body)
        content = body[_REQUEST_ID.size :]
        if kind == _REQUEST:
            self._spawn(self._serve(channel, number, content))
            return
        node_id, reply = self._waiting.get(number, (None, None))
        if reply is None or node_id != channel.node_id or reply.done():
            return
        if kind == _REPLY:
            reply.set_result(content)
        else:
            reply.set_exception(ForwardFailed(f"{node_id} could not answer"))

    async def _serve(self, channel: _Channel, number: int, request: bytes) -> None:
        kind, reply = _FAILURE, b""
        try:
            reply = await self._on_forward(channel.node_id, request)
            kind = _REPLY
        except Exception:
            _log.exception("a request forwarded by %s failed", channel.node_id)
        channel.write(_frame(kind, _REQUEST_ID.pack(number) + reply))

    def _fail_waiting(self, node_id: str | None, why: str) -> None:
        """Of one node, or of all (None)."""
        for to, reply in self._waiting.values():
            if node_id in (None, to) and not reply.done():
                reply.set_exception(ForwardFailed(f"{to}: {why}"))


class _TooLarge(Exception):
    """A frame that is larger than any message may be."""


class _Caller:
    """What waits for a channel to one node."""

    def __init__(self) -> None:
        self.queue: deque[bytes] = deque(maxlen=QUEUED_FRAMES)
        self.wanted = asyncio.Event()


class _Channel:
    """One connection; `node_id` is set once proven."""

    node_id: str

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_message: int) -> None:
        self._reader = reader
        self._writer = writer
        self._max_message = max_message
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNACKNOWLEDGED_SECONDS * 1000))

    def write(self, frame: bytes) -> None:
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() < BUFFERED_BYTES:
            transport.write(frame)

    async def read(self) -> tuple[bytes, bytes]:
        """Kind and body of the next frame. Raises OSError, EOFError, _TooLarge."""
        (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
        if not 1 <= size <= self._max_message:
            raise _TooLarge(f"a frame of {size} bytes")
        frame = await self._reader.readexactly(size)
        return frame[:1], frame[1:]

    async def read_handshake(self) -> bytes:
        kind, body = await self.read()
        if kind != _HANDSHAKE:
            raise NotProven("spoke before proving itself")
        return body

    def close(self) -> None:
        self._writer.transport.abort()


def _frame(kind: bytes, body: bytes) -> bytes:
    return b"".join((_LENGTH.pack(1 + len(body)), kind, body))
