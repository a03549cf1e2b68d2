"""The HTTP server over real sockets, asked by httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from simulator import http1
from simulator.http1 import Handler, Request, Response

Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves with a handler; gives the base URL."""
    servers: list[asyncio.Server] = []

    async def start(handler: Handler) -> str:
        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await http1.serve(reader, writer, handler, idle_timeout=1, max_body=100)

        server = await asyncio.start_server(session, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


async def echo(request: Request) -> Response:
    return Response.json({"method": request.method, "path": request.path, "query": request.query})


async def test_requests_follow_each_other_on_one_connection(serve: Serve) -> None:
    url = await serve(echo)
    async with httpx.AsyncClient(trust_env=False) as client:
        for path in ("/a?x=1", "/b"):
            assert (await client.get(url + path)).json()["path"] == path.partition("?")[0]


async def test_a_body_is_read_whole(serve: Serve) -> None:
    async def body(request: Request) -> Response:
        return Response(200, request.body)

    url = await serve(body)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(url, content=b"x" * 99)).content == b"x" * 99


async def test_a_body_that_is_too_large_ends_the_session(serve: Serve) -> None:
    url = await serve(echo)
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(url, content=b"x" * 101)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


@pytest.mark.parametrize("status", [200, 204, 503])
async def test_empty_answers(serve: Serve, status: int) -> None:
    async def empty(_: Request) -> Response:
        return Response(status)

    url = await serve(empty)
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(2):
            answer = await client.get(url)
            assert (answer.status_code, answer.content) == (status, b"")


async def test_head_has_no_body(serve: Serve) -> None:
    url = await serve(echo)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.head(url)).content == b""
        assert (await client.get(url)).status_code == 200


async def test_a_node_asks_another(serve: Serve) -> None:
    url = httpx.URL(await serve(echo))
    reader, writer = await asyncio.open_connection(url.host, url.port)
    answer = await http1.ask(reader, writer, Request("POST", "/node/join?x=y", {}, b"{}"))
    writer.close()
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert b'"query": "x=y"' in answer.body


async def test_an_answer_that_does_not_come_is_a_connection_error() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    with pytest.raises(ConnectionError):
        await http1.ask(reader, writer, Request("GET", "/", {}))
    writer.close()
    server.close()
