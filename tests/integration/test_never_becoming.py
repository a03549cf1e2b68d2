"""Pods that never become: each wait for one ends, and what a corrected spec would make otherwise is made anew."""

from __future__ import annotations

from typing import Any

from integration.world.story import Story
from integration.world.world import World

MISTYPED = "registry.example/app:mistyped"
HASTY: dict[str, Any] = {"recovery": {"quorumLossWindow": "1s", "startDeadline": "2s", "candidateDeadline": "10m"}}


def candidates(story: Story) -> list[dict[str, Any]]:
    return list(story.attempt.get("candidates") or [])


async def test_an_image_that_cannot_be_pulled_in_a_recovery_is_corrected_and_all_comes_back(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    image = (await world.api.get(world.path))["spec"]["image"]
    world.kubelet.trouble.unpullable.add(MISTYPED)
    await world.api.patch(world.path, {"spec": {"image": MISTYPED}})

    world.kubelet.kill(*world.majority())
    await world.story.until(
        "every candidate waits for its image",
        lambda s: {one["stage"] for one in candidates(s)} == {"Pulling"},
    )
    stuck = {one["node"] for one in candidates(world.story)}
    await world.api.patch(world.path, {"spec": {"image": image}})
    await world.recovered()

    await world.nothing_is_missing()
    assert not stuck & {one["name"] for one in world.story.status["nodes"]}


async def test_a_candidate_whose_sandbox_was_lost_makes_way_for_another(world: World) -> None:
    await world.operator()
    await world.open(**HASTY)
    await world.write()
    world.kubelet.trouble.sandboxes_to_lose = 1

    world.kubelet.kill(*[one["name"] for one in world.story.nodes(fit=True)])
    await world.recovered()
    await world.nothing_is_missing()


async def test_a_first_node_that_never_starts_and_a_joiner_that_does_not_make_way_for_others(world: World) -> None:
    await world.operator()
    world.kubelet.trouble.sandboxes_to_lose = 2
    await world.open(**HASTY)
    assert world.kubelet.trouble.sandboxes_to_lose <= 0
    await world.write()
    await world.nothing_is_missing()


async def test_a_first_node_of_a_mistyped_image_is_replaced_once_that_is_corrected(world: World) -> None:
    world.kubelet.trouble.unpullable.add(MISTYPED)
    await world.operator()
    await world.create(image=MISTYPED)
    await world.story.until(
        "the first node waits for its image",
        lambda s: [one.get("state") for one in s.status.get("nodes") or []] == ["Pulling"],
    )
    await world.api.patch(world.path, {"spec": {"image": "registry.example/app:7"}})
    await world.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")


async def test_stage_that_reads_beyond_every_deadline_is_waited_for_as_long_as_it_comes_further(world: World) -> None:
    await world.operator()
    await world.open(recovery={"quorumLossWindow": "1s", "startDeadline": "1s", "candidateDeadline": "2s"})
    for _ in range(10):
        await world.write()
    await world.at_rest()
    world.kubelet.trouble.cpu = 0.001

    world.kubelet.kill(*[one["name"] for one in world.story.nodes(fit=True)])
    await world.story.until(
        "a candidate is seen to come further",
        lambda s: any((one.get("read") or {}).get("done") for one in candidates(s)),
    )
    await world.members_asked()
    world.kubelet.trouble.cpu = None
    assert {one["tries"] for one in candidates(world.story)} == {0}
    await world.recovered()
    await world.nothing_is_missing()
