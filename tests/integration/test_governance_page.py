"""The commands of docs/how-to/governance.md and the constitution it shows, on a network that really runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ccf_operator.ccf.messages import member_id
from integration.test_operator_member import condition, gone, grant, lose_one, usable
from integration.world.story import Story
from integration.world.world import World
from pages import Reading, blocks
from terminal import Terminal

__all__ = ["grant"]


@pytest.fixture
def terminal(world: World, personal_environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    """That of alice, the only member."""
    keys = tmp_path / "keys"
    keys.mkdir()
    [alice] = world.consortium.members
    (keys / "alice_cert.pem").write_text(alice.certificate_pem)
    (keys / "alice_privk.pem").write_text(alice.key_pem)
    hers = {"CCF_MEMBER_CERT": "alice_cert.pem", "CCF_MEMBER_KEY": "alice_privk.pem"}
    with Terminal(keys, {**personal_environment, **hers}) as opened:
        yield opened


def is_member(certificate: Path) -> Callable[[Story], bool]:
    """Whether the operator has this one's key and can use it."""
    wanted = member_id(certificate.read_text())
    return lambda s: usable(s) and (s.status.get("operatorMember") or {}).get("memberId") == wanted


async def test_the_page(world: World, terminal: Terminal, grant: Callable[[], None], tmp_path: Path) -> None:
    page = Reading("how-to/governance.md", __file__)

    async def follow(section: str) -> list[str]:
        return [await asyncio.to_thread(terminal.run, block.text) for block in page.section(section)]

    [resolve] = [block.text for block in blocks("how-to/governance.md") if block.language == "js"]
    world.consortium.constitution = {**world.consortium.constitution, "resolve.js": resolve}
    await world.operator()
    await world.open()
    grant()

    await follow("Make the member")
    *_, shown = await follow("Give the key to the operator")
    assert "the operator proposes as member" in shown
    assert "acknowledge the service's state" in shown
    await world.story.until("the first key is used", is_member(tmp_path / "keys/operator_cert.pem"))

    victim, _ = await lose_one(world)
    await world.story.until("it is no part of the service any more", gone(victim))
    await world.running()

    renewed = [block.text for block in page.section("Another key, or none")]
    await asyncio.to_thread(terminal.run, renewed[0])
    await world.story.until("the next key is used", is_member(tmp_path / "keys/next_cert.pem"))
    await asyncio.to_thread(terminal.run, renewed[1])
    assert len(await _members(terminal)) == 2
    await asyncio.to_thread(terminal.run, renewed[2])
    await world.story.until("nothing is said of a member", lambda s: not condition(s.status))
    page.finish()


async def _members(terminal: Terminal) -> list[str]:
    listed = await asyncio.to_thread(terminal.run, "kubectl ccf members bank -o json | grep memberId")
    return listed.splitlines()
