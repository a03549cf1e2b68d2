from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ccf_operator.cli.kubectl import Kubectl
from ccf_operator.cli.live import ask_pod
from ccf_operator.cli.network import Pod
from ccf_operator.cli.reach import NoWay, Way, ways

FORWARDS = """#!/bin/sh
echo $$ >> {pids}
echo "Forwarding from 127.0.0.1:{port} -> 8443"
exec sleep 60
"""


@pytest.fixture
async def port() -> int:
    """A port of this machine on which somebody listens who is no CCF node."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    asyncio.get_running_loop().call_later(30, server.close)
    number: int = server.sockets[0].getsockname()[1]
    return number


def kubectl(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Kubectl:
    program = directory / "kubectl"
    program.write_text(script)
    program.chmod(0o700)
    monkeypatch.setenv("KUBECTL", str(program))
    return Kubectl()


def pod(ip: str | None) -> Pod:
    return Pod("bank-0", "uid", ip, None, True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_pod_is_reached_at_its_address_where_somebody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    async with ways(kubectl(tmp_path, monkeypatch, "#!/bin/sh\nexit 1\n"), Way.AUTO) as found:
        assert await found.to(pod("127.0.0.1"), port) == f"127.0.0.1:{port}"
        with pytest.raises(NoWay):
            await found.to(pod("127.0.0.1"), 1)


async def test_else_through_kubectl_which_ends_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    program = kubectl(tmp_path, monkeypatch, FORWARDS.format(pids=pids, port=4711))
    async with ways(program, Way.AUTO) as found:
        assert await found.to(pod(None), 8443) == "127.0.0.1:4711"
        assert await found.to(pod(None), 8443) == "127.0.0.1:4711"
        [pid] = [int(line) for line in pids.read_text().split()]
        assert alive(pid)
    assert not alive(pid)


async def test_somebody_else_at_the_pods_address_is_no_answer_the_api_server_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    pids = tmp_path / "pids"
    program = kubectl(tmp_path, monkeypatch, FORWARDS.format(pids=pids, port=port))
    monkeypatch.setattr("ccf_operator.cli.live.OPERATOR_PORT", port)
    async with ways(program, Way.AUTO) as found:
        answers = await ask_pod(found, pod("127.0.0.1"), "ab" * 32)
        assert not answers.reached
        assert len(pids.read_text().split()) == 1


async def test_what_kubectl_said_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = kubectl(tmp_path, monkeypatch, "#!/bin/sh\necho 'Error: pods is forbidden' >&2\nexit 1\n")
    async with ways(program, Way.FORWARD) as found:
        with pytest.raises(NoWay, match="forbidden"):
            await found.to(pod("127.0.0.1"), 8443)


async def test_directly_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ways(kubectl(tmp_path, monkeypatch, "#!/bin/sh\nexit 1\n"), Way.DIRECT) as found:
        with pytest.raises(NoWay, match="--reach forward"):
            await found.to(pod("127.0.0.1"), 1)
