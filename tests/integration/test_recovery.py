"""A whole recovery with the real operator, a real API server, and nodes that really run."""

from __future__ import annotations

from integration.world.world import World


async def test_a_network_that_lost_its_majority_comes_back_with_all_that_was_committed(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()

    world.kubelet.kill(*world.majority())
    await world.recovered()

    await world.nothing_is_missing()
    [attempt] = world.story.status["history"]
    assert attempt["result"] == "Succeeded"
