"""The example of a client that follows the service's identity (docs/examples), through a recovery and file swaps."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from ccf_operator.api.status import ServiceStatus
from ccf_operator.render.identity import identity_config_map
from ccf_operator.render.names import NetworkRef
from contract.sandbox import RunningNode, Sandbox, until

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/following_client.py"


def _example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("following_client", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


following = _example()


@dataclass
class Mount:
    """A ConfigMap as the kubelet shows it: every file a link through `..data`, which is replaced in one step."""

    directory: Path
    _numbers: Any = field(default_factory=itertools.count)

    @property
    def bundle(self) -> Path:
        return self.directory / "bundle.pem"

    def show(self, service: ServiceStatus) -> None:
        data = identity_config_map(NetworkRef("default", "bank", "uid"), service)["data"]
        version = f"..version-{next(self._numbers)}"
        (self.directory / version).mkdir(parents=True)
        for name, content in data.items():
            (self.directory / version / name).write_text(content)
        (self.directory / "..data_tmp").symlink_to(version)
        os.replace(self.directory / "..data_tmp", self.directory / "..data")
        for name in data:
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")


@dataclass
class Followed:
    """A service on one node, its identity as mounted, and a client that follows it."""

    sandbox: Sandbox
    mount: Mount
    node: RunningNode
    certificate: str
    client: Any

    async def recover(self) -> RunningNode:
        """The node is lost; its service comes back at the same address under another certificate."""
        self.node.node.kill()
        recovered = await self.sandbox.recover("r0", self.certificate, ledger=self.node.ledger, host=self.node.host)
        await self.sandbox.serving(recovered)
        await self.sandbox.open(recovered, previous=self.certificate)
        await self.sandbox.submit_shares(recovered)

        async def is_open() -> bool:
            return await recovered.status("/node/ready/app") == 204

        await until(is_open)
        return recovered

    async def network(self) -> dict[str, Any]:
        answer = await self.client.request("GET", "/node/network")
        assert answer.status_code == 200
        network: dict[str, Any] = answer.json()
        return network


@pytest.fixture
async def followed(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    monkeypatch.setattr(following, "LOOK_AGAIN", 0.02)
    node = await sandbox.start("n0")
    await sandbox.activate(node)
    await sandbox.open(node)
    certificate = await node.service_certificate()
    mount = Mount(tmp_path / "mount")
    mount.show(ServiceStatus(certificate=certificate))
    client = following.FollowingClient(f"https://{node.node.address('primary')}", mount.bundle, patience=20)
    yield Followed(sandbox, mount, node, certificate, client)
    await client.aclose()


async def test_it_goes_on_with_the_recovered_service_when_the_file_changes(followed: Followed) -> None:
    assert (await followed.network())["recovery_count"] == 0
    recovered = await followed.recover()
    asked = asyncio.create_task(followed.network())
    done, _ = await asyncio.wait({asked}, timeout=0.3)
    assert not done, "a service that the file does not know must not be believed"
    new = await recovered.service_certificate()
    followed.mount.show(ServiceStatus(certificate=new, previous_certificate=followed.certificate, recovery_count=1))
    network = await asyncio.wait_for(asked, 10)
    assert (network["recovery_count"], network["service_certificate"]) == (1, new)


async def test_it_gives_up_on_a_stranger_at_last(followed: Followed) -> None:
    await followed.recover()
    followed.client.patience = 0.1
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await followed.network()


async def test_what_is_under_way_ends_well_while_the_file_changes(followed: Followed) -> None:
    other = ServiceStatus(certificate=followed.certificate, previous_certificate=followed.certificate)
    asked = []
    for number in range(20):
        asked.append(asyncio.create_task(followed.network()))
        await asyncio.sleep(0)
        followed.mount.show(other if number % 2 else ServiceStatus(certificate=followed.certificate))
    assert [one["recovery_count"] for one in await asyncio.gather(*asked)] == [0] * 20
    await followed.network()
    assert followed.client._before == [], "connections of earlier files are closed once they are idle"


async def test_a_node_that_is_gone_is_no_stranger(followed: Followed) -> None:
    followed.node.node.kill()
    with pytest.raises(httpx.ConnectError):
        await asyncio.wait_for(followed.network(), 5)
