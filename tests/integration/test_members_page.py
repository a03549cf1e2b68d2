"""The commands of docs/how-to/members.md, given by two members who decide together, on a network that really runs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from integration.control_plane import ControlPlane
from integration.world.world import World, living
from members import GeneratedMember, generate_member
from pages import Reading
from terminal import Terminal

THRESHOLD = {"actions": [{"name": "set_recovery_threshold", "args": {"recovery_threshold": 1}}]}


@dataclass
class Members:
    """Alice at her terminal, and bob, who gives the same commands in the same directory with files of his own."""

    terminal: Terminal

    async def alice(self, commands: str) -> str:
        return await asyncio.to_thread(self.terminal.run, commands)

    async def bob(self, commands: str) -> str:
        his = "export CCF_MEMBER_CERT=bob_cert.pem CCF_MEMBER_KEY=bob_privk.pem CCF_MEMBER_ENC_KEY=bob_enc_privk.pem"
        return await self.alice(f"(\n{his}\n{commands}\n)")

    async def both(self, commands: str) -> str:
        return await self.alice(commands) + await self.bob(commands)


def proposed(said: str) -> str:
    """The beginning of the id of the proposal that was made."""
    found = re.search(r"proposal ([0-9a-f]{8})… is open", said)
    assert found is not None, said
    return found[1]


@pytest_asyncio.fixture
async def world(
    control_plane: ControlPlane,
    operator_kubeconfig: Path,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    """A network of alice and bob, which waits for them."""
    monkeypatch.setenv("KUBECONFIG", str(operator_kubeconfig))
    people = [generate_member("alice"), generate_member("bob")]
    async with living(control_plane, namespace, tmp_path, people) as world:
        await world.operator()
        await world.create(recoveryThreshold=2)
        await world.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")
        yield world


@pytest_asyncio.fixture
async def members(world: World, personal_environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Members]:
    keys = tmp_path / "keys"
    keys.mkdir()
    for one in world.consortium.members:
        _write_keys(one, keys)
    (keys / "proposal.json").write_text(json.dumps(THRESHOLD))
    with Terminal(keys, personal_environment) as terminal:
        yield Members(terminal)


def _write_keys(one: GeneratedMember, directory: Path) -> None:
    (directory / f"{one.name}_cert.pem").write_text(one.certificate_pem)
    (directory / f"{one.name}_privk.pem").write_text(one.key_pem)
    (directory / f"{one.name}_enc_privk.pem").write_text(one.encryption_key_pem or "")


async def test_the_page(world: World, members: Members) -> None:
    page = Reading("how-to/members.md", __file__)

    [begin] = page.section("For members: opening, recovering and governing a network with your own keys")
    assert "kubectl ccf ack bank" in await members.alice(begin.text)

    [opening] = page.section("A new network")
    await members.bob("kubectl ccf ack bank")
    await members.both(opening.text)
    await world.running()

    world.kubelet.kill(*world.majority())
    await world.members_asked()
    accept, share = page.section("After a recovery")
    assert "your own file" in await members.both(accept.text)
    await members.both(share.text)
    await world.running()

    look, propose, trust, renew = page.section("Everyday governance")
    his = proposed(await members.bob("kubectl ccf propose bank proposal.json"))
    assert "voted: alice, bob" in await members.alice(
        look.text.replace("3f2a91", his) + "kubectl ccf proposals bank -a"
    )
    ask, take_back = propose.text.splitlines()
    hers = proposed(await members.alice(ask))
    assert "withdrawn" in await members.alice(take_back.replace("7b01c4", hers))

    world.kubelet.kill(world.story.nodes(fit=True)[0]["name"])
    await world.story.until("a node waits to be trusted", lambda s: "transition_node" in s.status.get("nextStep", ""))
    await members.both(trust.text)
    await world.running()

    before = world.certificate()
    await members.both(renew.text)
    await world.story.until(
        "the service has another certificate", lambda s: s.status["service"]["certificate"] != before
    )
    page.finish()
