"""Why a node does not answer, against real sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore
import pytest

from ccf_operator.api.status import SilenceCause
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.ccf.client import ask
from ccf_operator.ccf.identity import BadCertificate
from ccf_operator.ccf.no_answer import WORDS_LIMIT, no_answer
from ccf_operator.ccf.proven_connection import PeerIdentity
from unit.ccf.recorded_node import serve

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


@asynccontextmanager
async def listening(talk: Talk, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A port whose connections are handled by `talk`."""
    server = await asyncio.start_server(talk, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def full() -> AsyncIterator[int]:
    """A port that drops whoever wants to connect, as a firewall does: nobody accepts, and its queue is full."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
            waiting.append(one)
        try:
            yield deaf.getsockname()[1]
        finally:
            for one in waiting:
                one.close()


async def asked(port: int, host: str = "127.0.0.1") -> NodeAnswers:
    return await ask(host, port, expected_node_id=None, timeout=0.4)


def of(answers: NodeAnswers) -> tuple[SilenceCause, str]:
    assert answers.silence is not None
    return answers.silence.cause, answers.silence.words


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_a_closed_port_refuses(host: str, family: socket.AddressFamily) -> None:
    with socket.socket(family) as bound:
        bound.bind((host, 0))
        seen = await asked(bound.getsockname()[1], host)
    assert of(seen) == (SilenceCause.REFUSED, "connection refused")


async def test_what_drops_packets_times_out() -> None:
    async with full() as port:
        assert of(await asked(port)) == (SilenceCause.TIMED_OUT, "connection timed out")


async def test_one_that_listens_and_never_shakes_hands_gives_no_reply() -> None:
    async with listening(lambda _reader, _writer: None) as port:
        cause, words = of(await asked(port))
    assert cause is SilenceCause.NO_REPLY
    assert "connected" in words


async def test_a_node_that_shakes_hands_and_says_nothing_gives_no_reply(tmp_path: Path) -> None:
    async with serve(tmp_path, lambda _path, _own: None) as served:
        seen = await asked(served.port)
        assert seen.reached, "it has proven who it is"
        assert of(seen)[0] is SilenceCause.NO_REPLY


async def test_a_name_that_does_not_exist() -> None:
    cause, words = of(await asked(8443, "bank-0.bank-nodes.default.svc.wrong.invalid"))
    assert (cause, words.startswith("name does not resolve")) == (SilenceCause.NAME_UNKNOWN, True)


async def test_a_peer_that_hangs_up_during_the_handshake_is_told_as_tls() -> None:
    async with listening(lambda _reader, writer: writer.close()) as port:
        assert of(await asked(port))[0] is SilenceCause.TLS


async def test_a_peer_that_does_not_speak_tls_is_told_in_the_words_of_the_library() -> None:
    async with listening(lambda _reader, writer: writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        cause, words = of(await asked(port))
    assert cause is SilenceCause.TLS
    assert "WRONG_VERSION" in words or "RECORD" in words, words


async def test_a_node_that_answers_is_not_silent_and_an_impostor_is_another_matter(tmp_path: Path) -> None:
    async with serve(tmp_path, lambda _path, _own: (404, b"")) as served:
        assert (await asked(served.port)).silence is None
        impostor = await ask("127.0.0.1", served.port, expected_node_id="ab" * 32)
        assert (impostor.impostor, impostor.silence) == (True, None)


async def test_a_node_that_answers_over_ipv6(tmp_path: Path) -> None:
    async with serve(tmp_path, lambda _path, _own: (404, b""), host="::1") as served:
        seen = await ask("::1", served.port, expected_node_id=served.node_id)
        assert (seen.reached, seen.silence) == (True, None)


def failed(code: int) -> BaseException:
    """What `connect` fails with, as it comes out of the libraries."""
    try:
        try:
            raise OSError(code, os.strerror(code))
        except OSError as inner:
            raise OSError("All connection attempts failed") from inner
    except OSError as middle:
        outer = httpcore.ConnectError("All connection attempts failed")
        outer.__cause__ = middle
        return outer


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (failed(errno.ECONNREFUSED), SilenceCause.REFUSED, "connection refused"),
        (failed(errno.ETIMEDOUT), SilenceCause.TIMED_OUT, "connection timed out"),
        (failed(errno.EHOSTUNREACH), SilenceCause.UNREACHABLE, "unreachable: No route to host"),
        (failed(errno.ENETUNREACH), SilenceCause.UNREACHABLE, "unreachable: Network is unreachable"),
        (failed(errno.EPERM), SilenceCause.UNREACHABLE, "unreachable: Operation not permitted"),
        (failed(errno.EMFILE), SilenceCause.UNREACHABLE, "no connection: Too many open files"),
        (httpcore.ConnectTimeout(), SilenceCause.TIMED_OUT, "connection timed out"),
        (BadCertificate("no certificate"), SilenceCause.TLS, "TLS: certificate: no certificate"),
        (ssl.SSLCertVerificationError("x"), SilenceCause.TLS, "TLS: ('x',)"),
    ],
    ids=lambda value: value.value if isinstance(value, SilenceCause) else None,
)
def test_before_a_connection(error: BaseException, cause: SilenceCause, words: str) -> None:
    found = no_answer(error, PeerIdentity(None))
    assert found.cause is cause
    assert found.words == words or cause is SilenceCause.TLS


def test_words_of_others_are_short_and_of_one_line() -> None:
    peer = PeerIdentity(None)
    peer.connect()
    peer.proven = "ab" * 32
    found = no_answer(httpcore.RemoteProtocolError("line\n" * 500), peer)
    assert found.cause is SilenceCause.PROTOCOL
    assert "\n" not in found.words
    assert len(found.words) <= WORDS_LIMIT
