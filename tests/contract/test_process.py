"""The process and its end: command line, exit codes, signals (CCF facts §3, §10)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ccf_operator.ccf import governance
from contract.sandbox import CONSTITUTION, Sandbox, until

TESTS = Path(__file__).parents[1]


@dataclass
class Ended:
    code: int
    stderr: str


class Processes:
    """Starts node processes and sees to their end."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._running: list[asyncio.subprocess.Process] = []

    def write(self, config: Mapping[str, Any], name: str = "config.json") -> Path:
        path = self.sandbox.root / name
        path.write_text(json.dumps(config))
        return path

    async def run(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "simulator",
            *arguments,
            env={**os.environ, "PYTHONPATH": str(TESTS), **environment},
            cwd=self.sandbox.root,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._running.append(process)
        return process

    async def end(self, *arguments: str, **environment: str) -> Ended:
        process = await self.run(*arguments, **environment)
        return await self.ended(process)

    async def ended(self, process: asyncio.subprocess.Process) -> Ended:
        async with asyncio.timeout(60):
            _, stderr = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, stderr.decode())

    async def stop(self) -> None:
        for process in self._running:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def processes(sandbox: Sandbox) -> AsyncIterator[Processes]:
    made = Processes(sandbox)
    yield made
    await made.stop()


def start_command(sandbox: Sandbox, threshold: int = 1) -> dict[str, Any]:
    members = [
        {
            "certificate_file": str(sandbox.root / "member0_cert.pem"),
            "encryption_public_key_file": str(sandbox.root / "member0_enc_pubk.pem"),
        }
    ]
    service = {"recovery_threshold": threshold}
    start = {"constitution_files": CONSTITUTION, "members": members, "service_configuration": service}
    return {"type": "Start", "start": start}


def start_configuration(sandbox: Sandbox, host: str, **more: Any) -> dict[str, Any]:
    return sandbox.configuration("n0", start_command(sandbox), host, **more)


async def answers(host: str, path: str = "/node/state") -> httpx.Response:
    """From a process's Node-endorsed interface, once it answers."""
    found: list[httpx.Response] = []

    async def answered() -> bool:
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:
            try:
                found.append(await client.get(f"https://{host}:8082{path}"))
            except httpx.TransportError:
                return False
        return True

    await until(answered)
    return found[-1]


SIGABRT = -signal.SIGABRT  # 134 in a container


async def test_check_accepts_a_good_file_and_leaves_nothing(processes: Processes) -> None:
    config = processes.write(start_configuration(processes.sandbox, "127.0.0.1"))
    assert (await processes.end("--config", str(config), "--check")).code == 0
    assert not (processes.sandbox.root / "n0" / "node.pid").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"enclave": {"file": "x"}},
        {"ledger": {"chunk_bytes": "5MB"}},
        {"consensus": {"type": "CFT"}},
        {"node_certificate": {"initial_validity_days": 0}},
        {"command": {"type": "Join"}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_file_that_does_not_fit_the_schema_aborts(processes: Processes, wrong: dict[str, Any]) -> None:
    good = start_configuration(processes.sandbox, "127.0.0.1")
    config = processes.write({**good, **wrong})
    ended = await processes.end("--config", str(config), "--check")
    assert ended.code == SIGABRT
    assert "terminate called" in ended.stderr


async def test_unknown_keys_of_an_interface_are_tolerated(processes: Processes) -> None:
    good = start_configuration(processes.sandbox, "127.0.0.1")
    good["network"]["rpc_interfaces"]["primary"]["of_another_version"] = 1
    assert (await processes.end("--config", str(processes.write(good)), "--check")).code == 0


async def test_config_timeout_waits_for_the_file(processes: Processes) -> None:
    config = processes.sandbox.root / "late.json"
    process = await processes.run("--config", str(config), "--config-timeout", "10s", "--check")
    await asyncio.sleep(0.5)
    assert process.returncode is None
    processes.write(start_configuration(processes.sandbox, "127.0.0.1"), "late.json")
    assert (await processes.ended(process)).code == 0


async def test_a_pid_file_that_exists_ends_the_node_at_once(processes: Processes) -> None:
    config = start_configuration(processes.sandbox, processes.sandbox.new_host())
    (processes.sandbox.root / "n0" / "node.pid").write_text("1")
    assert (await processes.end("--config", str(processes.write(config)))).code == 103


async def test_start_refuses_a_ledger_that_is_there(processes: Processes) -> None:
    config = start_configuration(processes.sandbox, processes.sandbox.new_host())
    (processes.sandbox.root / "n0" / "ledger" / "lost+found").mkdir(parents=True)
    assert (await processes.end("--config", str(processes.write(config)))).code == 105


async def test_start_refuses_a_threshold_that_members_cannot_meet(processes: Processes) -> None:
    command = start_command(processes.sandbox, threshold=2)
    config = processes.sandbox.configuration("n0", command, processes.sandbox.new_host())
    assert (await processes.end("--config", str(processes.write(config)))).code == 105


async def test_join_needs_the_service_certificate(processes: Processes) -> None:
    join = {"type": "Join", "join": {"target_rpc_address": "127.0.0.1:1"}}
    config = processes.sandbox.configuration("j0", join, processes.sandbox.new_host())
    assert (await processes.end("--config", str(processes.write(config)))).code == 255


async def test_recover_aborts_without_the_previous_identity(processes: Processes) -> None:
    recover = {"type": "Recover", "recover": {"previous_service_identity_file": "/nowhere.pem"}}
    config = processes.sandbox.configuration("r0", recover, processes.sandbox.new_host())
    assert (await processes.end("--config", str(processes.write(config)))).code == SIGABRT


async def test_a_port_in_use_aborts(processes: Processes) -> None:
    running = await processes.sandbox.start()
    config = processes.sandbox.configuration("n1", start_command(processes.sandbox), running.host)
    ended = await processes.end("--config", str(processes.write(config)))
    assert ended.code == SIGABRT
    assert "bind" in ended.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
async def test_a_stop_signal_ends_the_node_cleanly_and_soon(processes: Processes, name: str) -> None:
    host = processes.sandbox.new_host()
    process = await processes.run("--config", str(processes.write(start_configuration(processes.sandbox, host))))
    await answers(host)
    process.send_signal(signal.Signals[name])
    assert (await processes.ended(process)).code == 0, "within a pod's grace period"


def _catches(pid: int, which: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (which - 1) & 1)


async def test_a_stop_signal_ends_a_node_that_has_not_begun(processes: Processes) -> None:
    """It must have a handler for it: without one, process 1 of a container does not hear of it."""
    process = await processes.run("--config", str(processes.sandbox.root / "never.json"), "--config-timeout", "10m")

    async def hears() -> bool:
        return _catches(process.pid, signal.SIGTERM)

    await until(hears)
    process.send_signal(signal.SIGTERM)
    assert (await processes.ended(process)).code == 0


async def test_the_first_sigterm_may_be_a_notice(processes: Processes) -> None:
    host = processes.sandbox.new_host()
    config = start_configuration(processes.sandbox, host, ignore_first_sigterm=True)
    process = await processes.run("--config", str(processes.write(config)))
    await answers(host)
    process.send_signal(signal.SIGTERM)

    async def noticed() -> bool:
        return bool((await answers(host)).json()["stop_notice"])

    await until(noticed)
    assert (await answers(host, "/node/ready/gov")).status_code == 503
    process.send_signal(signal.SIGTERM)
    assert (await processes.ended(process)).code == -signal.SIGTERM


async def test_a_fault_crashes_at_its_phase(processes: Processes) -> None:
    config = start_configuration(processes.sandbox, processes.sandbox.new_host())
    ended = await processes.end("--config", str(processes.write(config)), CCF_SIM_CRASH_AT="created")
    assert ended.code == -signal.SIGKILL


async def test_an_unknown_argument_is_refused(processes: Processes) -> None:
    assert 100 <= (await processes.end("--enclave-file", "x")).code <= 127


class ProcessNetwork:
    """Three processes on loopback addresses: a service in Opening, which takes writes."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._sandbox = processes.sandbox
        self.hosts = [self._sandbox.new_host() for _ in range(3)]
        self.running: list[asyncio.subprocess.Process] = []

    async def up(self) -> None:
        first = self._sandbox.configuration("n0", start_command(self._sandbox), self.hosts[0])
        await self._run("n0", first)
        await self._serving(self.hosts[0])
        certificate = (await self.get(0, "/node/network"))["service_certificate"]
        for number in (1, 2):
            target = {"target_rpc_address": f"{self.hosts[0]}:8080", "fetch_recent_snapshot": False}
            config = self._sandbox.configuration(f"n{number}", {"type": "Join", "join": target}, self.hosts[number])
            (self._sandbox.root / f"n{number}" / "service_cert.pem").write_text(certificate)
            await self._run(f"n{number}", config)
            await self._serving(self.hosts[number])

    async def get(self, number: int, path: str) -> Any:
        return (await answers(self.hosts[number], path)).json()

    async def write(self, number: int) -> str:
        """A member's message; its transaction id."""
        member = self._sandbox.members[0]
        message = governance.state_digest_update(member, created_at=int(time.time()))
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:
            answer = await client.post(
                f"https://{self.hosts[number]}:8080{message.path}",
                content=message.body,
                headers={"content-type": "application/cose"},
            )
        assert answer.status_code == 200, answer.text
        return answer.headers["x-ms-ccf-transaction-id"]

    async def committed(self, number: int, txid: str) -> bool:
        status: str = (await self.get(number, f"/node/tx?transaction_id={txid}"))["status"]
        return status == "Committed"

    async def _run(self, name: str, config: Mapping[str, Any]) -> None:
        path = self._processes.write(config, f"{name}.json")
        self.running.append(await self._processes.run("--config", str(path)))

    async def _serving(self, host: str) -> None:
        async def ready() -> bool:
            return (await answers(host, "/node/ready/gov")).status_code == 204

        await until(ready)


async def test_three_processes_commit_without_a_minority_and_not_without_a_majority(processes: Processes) -> None:
    processes.sandbox.election_timeout = 3.0  # no process is held up for as long as that
    network = ProcessNetwork(processes)
    await network.up()
    txid = await network.write(1)
    await until(lambda: network.committed(2, txid))

    network.running[2].kill()
    txid = await network.write(0)
    await until(lambda: network.committed(1, txid))
    view = (await network.get(0, "/node/network"))["current_view"]
    assert view == 2

    network.running[1].kill()
    commit = await network.get(0, "/node/commit")
    await network.write(0)

    async def without_primary() -> bool:
        answer = await network.get(0, "/node/network")
        return answer["primary_id"] is None and answer["current_view"] > view

    await until(without_primary)
    assert await network.get(0, "/node/commit") == commit
