"""What docs/how-to/rehearse-a-recovery.md tells people to do, done on a network that really runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.world.world import World
from pages import Reading
from terminal import Terminal


@pytest.fixture
def terminal(personal_environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path, personal_environment) as opened:
        yield opened


async def test_the_page(world: World, terminal: Terminal) -> None:
    page = Reading("how-to/rehearse-a-recovery.md", __file__)

    async def follow(section: str) -> str:
        return await asyncio.to_thread(terminal.follow, page.section(section))

    await world.operator()
    await world.open()
    await world.write()
    nodes = [one["name"] for one in world.story.nodes(fit=True)]
    await follow("Before")

    shown = await follow("Start")
    assert all(node in shown for node in nodes)
    assert shown.count("action: Start") == 2
    assert "members" in shown
    assert not any(world.kubelet.runs[node].running for node in nodes if node in world.kubelet.runs)

    await world.recovered()
    told = await follow("Afterwards")
    assert "drill of March" in told
    page.finish()
    await world.nothing_is_missing()
