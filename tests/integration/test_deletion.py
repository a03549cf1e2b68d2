"""Taking networks down when something is in the way: no finalizer of ours may hold anything for ever."""

from __future__ import annotations

import asyncio

from ccf_operator.render import labels
from integration.world.world import World


async def test_a_pod_whose_end_nobody_can_tell_holds_no_network(world: World) -> None:
    """A machine has lost power: its pod is waited for until Kubernetes says that the machine is not ready."""
    await world.operator()
    await world.open()
    [mute, *others] = [one["name"] for one in world.story.nodes(fit=True)]
    world.kubelet.lose(mute)

    await world.delete()
    await world.story.until("the end of the others", lambda s: not set(others) & set(s.pods))
    assert not world.story.gone
    assert set(world.story.pods) == {mute}

    await world.kubelet.say_ready(world.machine(mute), "Unknown")
    await world.story.until("the end of the network", lambda s: s.gone)
    assert await _held(world) == []


async def test_a_network_deleted_in_the_middle_of_a_recovery_goes(world: World) -> None:
    await world.operator()
    await world.open()
    world.kubelet.kill(*world.majority())
    await world.story.until("candidates", lambda s: s.nodes(command="Recover"))

    await world.delete()

    await world.story.until("the end of the network", lambda s: s.gone)
    assert await _held(world) == []
    claims = await world.api.get(f"/api/v1/namespaces/{world.namespace}/persistentvolumeclaims")
    assert len(claims["items"]) == 3
    assert not any(claim["metadata"].get("deletionTimestamp") for claim in claims["items"])


async def test_another_s_finalizer_is_left_alone_and_holds_only_what_it_is_on(world: World) -> None:
    await world.operator()
    await world.open()
    name = next(iter(world.story.pods))
    path = world.kubelet.runs[name].path
    finalizers = [*world.story.pods[name]["metadata"]["finalizers"], "example.com/mine"]
    await world.api.patch(path, {"metadata": {"finalizers": finalizers}})

    await world.delete()

    await world.story.until("the end of the network", lambda s: s.gone)
    assert await _held(world) == []
    assert (await world.api.get(path))["metadata"]["finalizers"] == ["example.com/mine"]


async def test_pods_are_let_go_when_somebody_took_the_network_s_finalizer_off(world: World) -> None:
    """Then no loop is there for them any more; garbage collection deletes them, and we must not hold them."""
    await world.operator()
    await world.open()
    await world.api.patch(world.path, {"metadata": {"finalizers": []}})
    await world.delete()
    await world.story.until("the end of the network", lambda s: s.gone)

    await asyncio.gather(*(world.api.ask("DELETE", world.kubelet.runs[name].path) for name in world.story.pods))

    await world.story.until("the end of the pods", lambda s: not s.pods)


async def test_pods_are_let_go_when_that_happened_while_no_operator_was_there(world: World) -> None:
    operator = await world.operator()
    await world.open()
    await operator.kill()
    await world.api.patch(world.path, {"metadata": {"finalizers": []}})
    await world.delete()
    await asyncio.gather(*(world.api.ask("DELETE", world.kubelet.runs[name].path) for name in world.story.pods))
    await world.story.until("the end of the network", lambda s: s.gone)

    await world.operator()

    await world.story.until("the end of the pods", lambda s: not s.pods)


async def _held(world: World) -> list[str]:
    """Pods that our finalizer still holds; asked of the API server, for of pods the watch may be late."""
    pods = (await world.api.get(f"/api/v1/namespaces/{world.namespace}/pods"))["items"]
    return [
        pod["metadata"]["name"] for pod in pods if labels.POD_FINALIZER in (pod["metadata"].get("finalizers") or [])
    ]
