from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccf_operator.ccf.client import RemoveRefused, ask, remove_row
from ccf_operator.domain.txid import TxID
from unit.ccf.recorded_node import RECORDINGS, Answer, from_table, recorded_answers, serve

STATE = b'{"node_id":"%s","state":"Pending","last_signed_seqno":0,"startup_seqno":0,"stop_notice":false}'
MOMENTS = sorted(
    {
        (a["moment"], a["node"])
        for a in RECORDINGS
        if a["path"] == "/node/state" and a["interface"] == "node-endorsed interface"
    }
)


@pytest.mark.parametrize(("moment", "node"), MOMENTS)
async def test_every_recorded_moment_is_understood_without_a_problem(tmp_path: Path, moment: str, node: str) -> None:
    def answer(path: str, own: str) -> Answer:
        return recorded_answers(moment, node, own)[path]

    async with serve(tmp_path, answer, expired=True) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id=None, timeout=20)

        def status(path: str) -> int:
            return answer(path, "")[0]

        assert (seen.reached, seen.problem, seen.node_id) == (True, "", served.node_id)
        assert seen.certificate_expires_at is not None
        assert seen.certificate_expires_at < datetime.now(UTC)
        assert seen.state is not None
        assert (seen.network is None) == (status("/node/network") != 200)
        assert (seen.consensus is None) == (status("/node/consensus") != 200)
        assert (seen.commit is None) == (status("/node/commit") != 200)
        assert (seen.previous_identity_key is None) == (status("/node/service/previous_identity") != 200)
        assert seen.ready_app == (status("/node/ready/app") == 204)
        assert seen.ready_gov == (status("/node/ready/gov") == 204)
        assert seen.version == "ccf-7.0.0-dev5"
        assert served.connections == 1


async def test_an_impostor_is_sent_nothing(tmp_path: Path) -> None:
    async with serve(tmp_path, lambda _path, own: (200, STATE % own.encode())) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id="ab" * 32)
        assert (seen.impostor, seen.reached, seen.state) == (True, False, None)
        with pytest.raises(RemoveRefused, match="expected node abababab"):
            await remove_row("127.0.0.1", served.port, "ab" * 32, "cd" * 32)
        assert served.received == b""


async def test_the_expected_node_is_asked(tmp_path: Path) -> None:
    async with serve(tmp_path, lambda _path, own: (200, STATE % own.encode())) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id=served.node_id)
        assert (seen.impostor, seen.reached) == (False, True)
        assert seen.state is not None


async def test_a_node_that_claims_another_id_than_it_proved_is_not_believed(tmp_path: Path) -> None:
    async with serve(tmp_path, from_table({"/node/state": (200, STATE % b"ef" * 32)})) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id=None)
        assert seen.node_id == served.node_id
        assert seen.state is None
        assert "/node/state" in seen.problem


async def test_what_was_obtained_before_a_hang_is_kept(tmp_path: Path) -> None:
    def answer(path: str, own: str) -> Answer | None:
        return {"/node/state": (200, STATE % own.encode()), "/node/network": (404, b"")}.get(path)

    async with serve(tmp_path, answer) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id=None, timeout=2)
        assert seen.reached
        assert seen.state is not None
        assert "2 s" in seen.problem


async def test_a_view_change_in_the_middle_costs_a_connection_and_no_answer(tmp_path: Path) -> None:
    lost = [(500, b'{"error":{"code":"SessionConsistencyLost"}}')]

    def answer(path: str, own: str) -> Answer:
        if path == "/node/commit":
            return lost.pop() if lost else (200, b'{"transaction_id":"4.7"}')
        return (200, STATE % own.encode()) if path == "/node/state" else (404, b"")

    async with serve(tmp_path, answer) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id=None)
        assert seen.commit == TxID(4, 7)
        assert served.connections == 2


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b"{}", b"\xff\xfe", b'{"transaction_id":7}'])
async def test_one_bad_answer_spoils_only_itself(tmp_path: Path, body: bytes) -> None:
    table: dict[str, Answer | None] = {"/node/commit": (200, body), "/node/ready/app": (204, b"")}
    async with serve(tmp_path, from_table(table)) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id=None)
        assert seen.commit is None
        assert "/node/commit" in seen.problem
        assert seen.ready_app is True


async def test_an_endless_answer_is_cut_off(tmp_path: Path) -> None:
    async with serve(tmp_path, from_table({"/node/version": (200, b"x" * 5_000_000)})) as served:
        seen = await ask("127.0.0.1", served.port, expected_node_id=None, timeout=20)
        assert seen.version is None
        assert "longer than" in seen.problem


async def test_nobody_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        seen = await ask("127.0.0.1", bound.getsockname()[1], expected_node_id=None)
    assert (seen.reached, seen.impostor, seen.node_id) == (False, False, None)
    assert seen.problem


async def test_a_peer_that_never_shakes_hands_costs_the_timeout_and_no_more() -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(5):
        seen = await ask("127.0.0.1", port, expected_node_id=None, timeout=0.3)
    server.close()
    assert (seen.reached, seen.node_id) == (False, None)


async def test_a_peer_that_refuses_tls_is_unreachable() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    seen = await ask("127.0.0.1", server.sockets[0].getsockname()[1], expected_node_id=None)
    server.close()
    assert not seen.reached
    assert seen.problem


@pytest.mark.parametrize(("status", "body"), [(200, b"true"), (404, b"No such node")])
async def test_a_row_is_removed_or_was_gone(tmp_path: Path, status: int, body: bytes) -> None:
    async with serve(tmp_path, lambda _path, _own: (status, body)) as served:
        await remove_row("127.0.0.1", served.port, served.node_id, "cd" * 32)
        assert served.received.startswith(b"DELETE /node/network/nodes/" + b"cd" * 32)


async def test_a_row_that_must_stay(tmp_path: Path) -> None:
    async with serve(tmp_path, lambda _path, _own: (400, b"Node is not completely retired")) as served:
        with pytest.raises(RemoveRefused, match="not completely retired"):
            await remove_row("127.0.0.1", served.port, served.node_id, "cd" * 32)
