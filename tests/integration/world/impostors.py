"""What may answer at a node's address instead of the node: nothing, rubbish, or another node."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from simulator import http1, tls
from simulator.config import Address
from simulator.frontend import Frontend
from simulator.http1 import Request, Response
from simulator.node import SimulatedNode

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OPERATOR = "operator"


@asynccontextmanager
async def hung(*nodes: SimulatedNode) -> AsyncIterator[None]:
    """Their interface for the operator accepts connections and never says a word."""

    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    addresses = [node.close_interface(OPERATOR) for node in nodes]
    servers = [await _serve(address, say_nothing, None) for address in addresses]
    try:
        yield
    finally:
        for server in servers:
            server.close()


@asynccontextmanager
async def babbling(node: SimulatedNode, answer: bytes) -> AsyncIterator[None]:
    """The node itself, as its key proves, answers every request with these bytes."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)
            await writer.drain()

    server = await _serve(node.close_interface(OPERATOR), babble, _own(node))
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def dripping(node: SimulatedNode) -> AsyncIterator[None]:
    """The node itself answers, a byte at a time, and never comes to an end."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    server = await _serve(node.close_interface(OPERATOR), drip, _own(node))
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def slow(node: SimulatedNode, seconds: float) -> AsyncIterator[asyncio.Queue[str]]:
    """The node itself takes its time for each answer to the operator; gives the address of each who comes to ask.

    When the second comes, the operator has heard the first answers, and knows that this one is slow and not silent.
    """
    interface = node.config.interfaces[OPERATOR]
    questioners: asyncio.Queue[str] = asyncio.Queue()

    async def take_time(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        questioners.put_nowait(str(writer.get_extra_info("peername")))
        answers = Frontend(node, interface)

        async def answer(request: Request) -> Response:
            await asyncio.sleep(seconds)
            return await answers.answer(request)

        idle = node.config.idle_connection_timeout
        await http1.serve(reader, writer, answer, idle_timeout=idle, max_body=interface.max_body)

    server = await _serve(node.close_interface(OPERATOR), take_time, _own(node))
    try:
        yield questioners
    finally:
        server.close()


@asynccontextmanager
async def usurped(node: SimulatedNode, by: SimulatedNode) -> AsyncIterator[None]:
    """Another node answers at the address of this one, truthfully, and with a key of its own."""
    where, other = node.close_interface(OPERATOR), by.address(OPERATOR)
    host, port = other.rsplit(":", 1)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    server = await _serve(where, relay, None)
    try:
        yield
    finally:
        server.close()


def _own(node: SimulatedNode) -> ssl.SSLContext:
    return tls.server_context(node.self_signed.encode(), node.key.private_pem)


async def _serve(address: Address, session: Session, context: ssl.SSLContext | None) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await session(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(handle, address.host, address.port, ssl=context)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()
