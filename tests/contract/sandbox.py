"""Simulated nodes on loopback addresses, in this process, and the members who govern them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import Action, GovernanceClient
from members import GeneratedMember, generate_member
from simulator.config import parse
from simulator.faults import Faults
from simulator.node import SimulatedNode

FIXTURES = Path(__file__).parents[1] / "fixtures/ccf"
CONSTITUTION = [str(FIXTURES / "constitution" / f"{name}.js") for name in ("validate", "apply", "resolve", "actions")]
_networks = itertools.count(os.getpid() % 200 * 250 + 1)


async def until(condition: Callable[[], Awaitable[bool]], within: float = 60.0) -> None:
    """Wait for something that other nodes bring about. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110 - what it waits for happens in nodes
            await asyncio.sleep(0.02)


@dataclass
class RunningNode:
    """One node, and what a client sees of it."""

    name: str
    directory: Path
    node: SimulatedNode
    host: str

    @property
    def ledger(self) -> Path:
        return self.directory / "ledger"

    @contextmanager
    def without_signatures(self) -> Iterator[None]:
        """What this node appends is not signed, and so not committed, for as long as a test looks."""
        consensus = self.node.consensus
        assert consensus is not None
        consensus.put_off_signatures()
        yield
        consensus.sign_again()

    async def ask(self, path: str, *, interface: str = "operator", method: str = "GET", **more: Any) -> httpx.Response:
        """One request on a connection of its own. Raises httpx.TransportError."""
        async with httpx.AsyncClient(verify=UNVERIFIED, trust_env=False, timeout=10) as client:
            return await client.request(method, f"https://{self.node.address(interface)}{path}", **more)

    async def get(self, path: str, *, interface: str = "operator") -> Any:
        answer = await self.ask(path, interface=interface)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def status(self, path: str) -> int:
        return (await self.ask(path)).status_code

    async def state(self) -> str:
        return str((await self.get("/node/state"))["state"])

    async def service_certificate(self) -> str:
        return str((await self.get("/node/network"))["service_certificate"])

    async def caught_up_with(self, other: RunningNode) -> bool:
        mine, theirs = await self.get("/node/commit"), await other.get("/node/commit")
        return bool(mine == theirs)


@dataclass
class Sandbox:
    """A directory and a loopback network of its own for the nodes of one test."""

    root: Path
    members: Sequence[GeneratedMember] = field(default_factory=lambda: [generate_member("member0")])
    election_timeout: float = 1.0
    signature_delay: float = 0.1
    threshold: int = 1
    nodes: dict[str, RunningNode] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(7))

    def __post_init__(self) -> None:
        number = next(_networks)
        self._subnet = f"127.{1 + number // 250 % 200}.{number % 250}"
        self._hosts = itertools.count(1)
        for number, member in enumerate(self.members):
            (self.root / f"member{number}_cert.pem").write_text(member.certificate_pem)
            key = member.encryption_public_key_pem
            if key is not None:
                (self.root / f"member{number}_enc_pubk.pem").write_text(key)

    async def start(self, name: str = "n0", **settings: Any) -> RunningNode:
        members = []
        for number, member in enumerate(self.members):
            files = {"certificate_file": str(self.root / f"member{number}_cert.pem")}
            if member.encryption_key_pem is not None:
                files["encryption_public_key_file"] = str(self.root / f"member{number}_enc_pubk.pem")
            members.append(files)
        start = {
            "constitution_files": CONSTITUTION,
            "members": members,
            "service_configuration": {"recovery_threshold": self.threshold},
            "initial_service_certificate_validity_days": 30,
        }
        return await self.run(name, {"type": "Start", "start": start}, **settings)

    async def join(
        self,
        name: str,
        target: RunningNode,
        *,
        interface: str = "primary",
        trusting: RunningNode | None = None,
        **settings: Any,
    ) -> RunningNode:
        """With the service certificate of `trusting`, by default the target's."""
        directory = self.root / name
        directory.mkdir(exist_ok=True)
        (directory / "service_cert.pem").write_text(await (trusting or target).service_certificate())
        join = {
            "target_rpc_address": target.node.address(interface),
            "retry_timeout": "100ms",
            "fetch_recent_snapshot": False,
        }
        return await self.run(name, {"type": "Join", "join": join}, **settings)

    async def recover(
        self,
        name: str,
        previous_certificate: str,
        *,
        ledger: Path | None = None,
        read_only: Sequence[Path] = (),
        **more: Any,
    ) -> RunningNode:
        """On a copy of the files in `ledger`, with other ledgers read-only."""
        directory = self.root / name
        (directory / "ledger").mkdir(parents=True)
        if ledger is not None:
            shutil.copytree(ledger, directory / "ledger", dirs_exist_ok=True)
        (directory / "previous.pem").write_text(previous_certificate)
        recover = {
            "previous_service_identity_file": str(directory / "previous.pem"),
            "initial_service_certificate_validity_days": 30,
        }
        ledgers = {"read_only_directories": [str(one) for one in read_only]}
        return await self.run(name, {"type": "Recover", "recover": recover}, ledger=ledgers, **more)

    def configuration(self, name: str, command: Mapping[str, Any], host: str, **more: Any) -> dict[str, Any]:
        """A whole configuration file; `more` are further sections, merged key by key."""
        directory = self.root / name
        directory.mkdir(exist_ok=True)
        (directory / "data.json").write_text(json.dumps({"pod": name}))
        base: dict[str, Any] = {
            "network": {
                "node_to_node_interface": {"bind_address": f"{host}:8081"},
                "rpc_interfaces": {
                    "primary": {"bind_address": f"{host}:8080"},
                    "operator": {"bind_address": f"{host}:8082", "endorsement": {"authority": "Node"}},
                },
            },
            "command": {**command, "service_certificate_file": str(directory / "service_cert.pem")},
            "node_certificate": {"initial_validity_days": 30},
            "node_data_json_file": str(directory / "data.json"),
            "ledger": {"directory": str(directory / "ledger")},
            "snapshots": {"directory": str(directory / "snapshots")},
            "consensus": {
                "message_timeout": "50ms",
                "election_timeout": f"{int(self.election_timeout * 1000)}ms",
            },
            "ledger_signatures": {"delay": f"{int(self.signature_delay * 1000)}ms"},
            "output_files": {
                "node_certificate_file": str(directory / "node_cert.pem"),
                "pid_file": str(directory / "node.pid"),
            },
        }
        for key, value in more.items():
            base[key] = {**base[key], **value} if isinstance(value, dict) and key in base else value
        return base

    def new_host(self) -> str:
        return f"{self._subnet}.{next(self._hosts)}"

    async def run(
        self,
        name: str,
        command: Mapping[str, Any],
        *,
        host: str | None = None,
        faults: Faults | None = None,
        **more: Any,
    ) -> RunningNode:
        host = host or self.new_host()
        config = parse(json.dumps(self.configuration(name, command, host, **more)))
        node = SimulatedNode(config, faults=faults, random=Random(self.random.random()))
        self.nodes[name] = running = RunningNode(name, self.root / name, node, host)
        await node.start()
        return running

    async def close(self) -> None:
        for running in self.nodes.values():
            await running.node.stop()

    async def client(self, running: RunningNode) -> GovernanceClient:
        """To the node's Service-endorsed interface."""
        return GovernanceClient(
            running.node.address("primary"), await running.service_certificate(), poll_interval=0.02
        )

    async def serving(self, running: RunningNode) -> None:
        """Wait until the node's Service-endorsed interface and governance are open."""

        async def ready() -> bool:
            return await running.status("/node/ready/gov") == 204

        await until(ready)

    async def activate(self, running: RunningNode) -> None:
        await self.serving(running)
        async with await self.client(running) as client:
            for member in self.members:
                await client.activate(member)

    async def propose(self, running: RunningNode, *actions: Action) -> governance.Proposal:
        async with await self.client(running) as client:
            return await client.pass_proposal(self.members, list(actions))

    async def open(self, running: RunningNode, *, previous: str | None = None) -> None:
        following = await running.service_certificate()
        await self.propose(running, governance.transition_service_to_open(following, previous))

    async def submit_shares(self, running: RunningNode) -> None:
        async with await self.client(running) as client:
            for member in self.members[: self.threshold]:
                await client.submit_share(member)

    async def primary_of(self, nodes: Sequence[RunningNode]) -> RunningNode | None:
        """The one that leads in the highest view and is believed by a majority of all that know one."""
        by_id = {one.node.node_id: one for one in nodes}
        for one in nodes:
            network = await one.get("/node/network")
            if network["primary_id"] == one.node.node_id:
                return by_id[network["primary_id"]]
        return None


UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE
