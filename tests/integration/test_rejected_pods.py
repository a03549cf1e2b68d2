"""Kubelets that reject the pods they run: `Failed`, no word of their containers, and the processes run on."""

from __future__ import annotations

from integration.world import impostors
from integration.world.world import World


async def test_nodes_whose_pods_are_rejected_go_on_and_their_end_is_what_their_kubelets_report(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    lost = world.majority()

    world.kubelet.reject(*lost)
    await world.story.until(
        "that they are heard all the same",
        lambda s: all("still runs" in (one.get("note") or "") for one in s.nodes() if one["name"] in lost),
    )
    await world.consortium.write(world.node(lost[0]), world.certificate())
    await world.look_again()
    assert not [one for one in world.story.statuses() if one.get("attempt")]
    assert not [one["name"] for one in world.story.nodes() if one.get("ended")]

    for pod in lost:
        await world.api.ask("DELETE", world.kubelet.runs[pod].path)
    await world.recovered()
    await world.nothing_is_missing()


async def test_rejected_nodes_that_do_not_answer_are_suspected_and_nothing_is_started_beside_them(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    lost = world.majority()

    async with impostors.hung(*[world.node(pod) for pod in lost]):
        world.kubelet.reject(*lost)
        await world.story.until("a suspicion", lambda s: s.status["quorum"]["verdict"] == "Suspected")
        await world.story.until(
            "what is seen of them",
            lambda s: sum("NodeAffinity" in one["seen"] for one in s.status["quorum"]["evidence"]) == len(lost),
        )
        assert not world.story.attempt
        for pod in lost:
            await world.api.ask("DELETE", world.kubelet.runs[pod].path)
        await world.recovered()
    await world.nothing_is_missing()
