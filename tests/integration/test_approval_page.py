"""What docs/how-to/approve-a-loss.md and docs/recovery.md tell a person on call, done on a network that really runs."""

from __future__ import annotations

import asyncio
import shutil

from integration.world.world import World
from pages import Reading
from terminal import Terminal


async def test_the_page(world: World, terminal: Terminal) -> None:
    page = Reading("how-to/approve-a-loss.md", __file__)

    async def follow(section: str) -> str:
        return await asyncio.to_thread(terminal.follow, page.section(section))

    async def asked(again: str) -> None:
        await world.story.until(again, lambda s: s.attempt.get("phase") == "AwaitingApproval")

    await world.operator()
    await world.open()
    await world.write()
    survivor, *gone = [one["name"] for one in world.story.nodes(fit=True)]
    right, worthless = (world.kubelet.runs[pod].volume for pod in (survivor, gone[0]))
    for pod in gone:
        shutil.rmtree(world.kubelet.runs[pod].volume / "gen-0" / "ledger")
    world.kubelet.kill(*gone)
    await asked("a person is asked")

    on_call = Reading("recovery.md", __file__)
    [begin] = on_call.section("Recovering a network: for the person on call")
    told = await asyncio.to_thread(terminal.run, begin.text)
    assert f"{world.story.status['reason']}: {world.story.status['message']}" in told
    assert world.story.status["nextStep"] in told
    on_call.finish()

    seen = await follow("See what may be missing")
    assert str(world.story.attempt["possibleLoss"][0]) in seen
    [best] = [one for one in world.story.attempt["candidates"] if one["volume"] == right.name]
    assert f"{right.name} Recovered {best['txID']}" in seen

    abort, resume = page.section("Stop, and think")
    await asyncio.to_thread(terminal.run, abort.text)
    await world.story.until("nothing is tried", lambda s: s.status.get("reason") == "RecoveryPaused")
    await asyncio.to_thread(terminal.run, resume.text)
    await asked("a person is asked again")

    terminal.run(f"export WORTHLESS={worthless.name} RIGHT={right.name}")
    await follow("Leave out a volume, or insist on one")
    await asked("a person is asked about the one that is insisted on")
    assert "kind: CCFRecoveryDecision" in await follow("Approve")
    await world.members_asked()
    assert world.story.attempt["winner"]["volume"] == right.name
    await world.recovered()

    told = await follow("Afterwards")
    assert "the auditors know" in told
    assert str(world.story.status["service"]["approvedLoss"]) in told
    page.finish()
