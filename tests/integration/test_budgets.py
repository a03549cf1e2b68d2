"""Budgets by the word of Kubernetes' own disruption controller: a machine can be drained, and never a second one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from integration.world.api import ApiError
from integration.world.world import World

pytestmark = pytest.mark.usefixtures("controllers")

PATIENCE = 30.0


async def test_one_node_may_be_evicted_while_all_is_well_and_no_other_as_long_as_it_is_gone(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    await allowed(world, 1)
    [first, second, _] = sorted(world.story.pods)

    await evict(world, first)
    with pytest.raises(ApiError, match="disruption budget"):
        await evict(world, second)
    await world.story.until("another in its place", lambda s: first not in s.pods and len(s.pods) == 3)
    await allowed(world, 0)
    await world.nothing_is_missing()


async def test_none_may_be_evicted_in_a_recovery_and_no_pod_is_ever_under_two_budgets(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    world.kubelet.kill(*world.majority())
    await world.members_asked()
    winner = world.story.attempt["winner"]["node"]
    assert await budgets_of(world, winner) == ["bank-recovery"]
    await settled(world)
    with pytest.raises(ApiError, match="disruption budget"):
        await evict(world, winner)

    await world.recovered()
    await allowed(world, 1)
    for pod in world.story.pods:
        assert await budgets_of(world, pod) == ["bank-trusted"]


async def evict(world: World, pod: str) -> None:
    """As `kubectl drain` does. Raises ApiError."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": world.namespace}}
    await world.api.ask("POST", f"/api/v1/namespaces/{world.namespace}/pods/{pod}/eviction", eviction)


async def allowed(world: World, number: int) -> None:
    """Until the controller lets so many go, and has seen all there is."""
    async with asyncio.timeout(PATIENCE):
        while [one["status"]["disruptionsAllowed"] for one in await settled(world)] != [number]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # the controller says no more


async def settled(world: World) -> list[dict[str, Any]]:
    """The budgets, once the controller goes by what they say."""
    while True:
        found: list[dict[str, Any]] = (
            await world.api.get(f"/apis/policy/v1/namespaces/{world.namespace}/poddisruptionbudgets")
        )["items"]
        if all(one["status"].get("observedGeneration") == one["metadata"]["generation"] for one in found):
            return found
        await asyncio.sleep(0.1)


async def budgets_of(world: World, pod: str) -> list[str]:
    """Names of the budgets that a pod is under, as Kubernetes selects."""
    found = []
    for budget in await settled(world):
        selector = budget["spec"]["selector"]
        said = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
        said += [
            f"{one['key']} {one['operator'].lower()} ({','.join(one['values'])})"
            for one in selector.get("matchExpressions", [])
        ]
        path = f"/api/v1/namespaces/{world.namespace}/pods"
        listed = await world.api.ask("GET", path, query={"labelSelector": ",".join(said)})
        if pod in [one["metadata"]["name"] for one in listed["items"]]:
            found.append(budget["metadata"]["name"])
    return found
