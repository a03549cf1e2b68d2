"""A whole recovery with the real operator, a real API server, and nodes that really run."""

from __future__ import annotations

from integration.world.audit import pods_made_twice
from integration.world.world import World


async def test_a_network_that_lost_its_majority_comes_back_with_all_that_was_committed(world: World) -> None:
    await world.operator()
    await world.open()
    written = await world.write()
    before = world.certificate()

    world.kubelet.kill(*world.majority())
    await world.recovered()

    await world.nothing_is_missing()
    assert world.certificate() != before
    [attempt] = world.story.status["history"]
    assert attempt["result"] == "Succeeded"
    assert int(attempt["txID"].partition(".")[2]) >= int(written.tx_id.partition(".")[2])
    assert pods_made_twice(world.story) == []


async def test_the_ledgers_of_the_lost_service_are_not_touched(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()

    world.kubelet.kill(*[one["name"] for one in world.story.nodes(fit=True)])
    before = world.files()
    await world.recovered()

    after = world.files()
    assert {name: after.get(name) for name in before} == before
