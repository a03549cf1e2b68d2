"""Nodes that hang, are slow, talk rubbish or are not who they were: none may hold a recovery up, or bring one about."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from ccf_operator.render import labels
from integration.world import impostors
from integration.world.api import Raw
from integration.world.story import Story
from integration.world.world import World
from simulator.faults import Faults
from simulator.node import SimulatedNode

Bad = Callable[[SimulatedNode], AbstractAsyncContextManager[None]]


def rubbish(node: SimulatedNode) -> AbstractAsyncContextManager[None]:
    body = b'{"node_id": 7, "state": [], "service_status": {}, "configs": "none"}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return impostors.babbling(node, head + body)


@pytest.mark.parametrize("bad", [impostors.hung, rubbish], ids=lambda bad: bad.__name__)
async def test_a_survivor_that_cannot_be_asked_is_done_without(world: World, bad: Bad) -> None:
    await world.operator()
    await world.open()
    await world.write()
    lost = world.majority()
    [survivor] = [one["name"] for one in world.story.nodes() if one["name"] not in lost]
    [volume] = [one["volume"] for one in world.story.nodes(name=survivor)]

    async with bad(world.node(survivor)):
        await world.look_again()
        await world.story.until("that it does not serve", lambda s: not s.nodes(name=survivor, fit=True))
        world.kubelet.kill(*lost)
        await world.recovered()

    await world.nothing_is_missing()
    [attempt] = world.story.status["history"]
    assert attempt["candidates"][volume].startswith("Unreachable")
    assert attempt["winnerVolume"] != volume


async def test_a_survivor_that_is_slow_is_heard(world: World) -> None:
    """It never comes to the last answer before the operator's patience ends; what it has said by then counts."""
    await world.operator()
    await world.open()
    await world.write()
    lost = world.majority()
    [survivor] = [one["name"] for one in world.story.nodes() if one["name"] not in lost]
    [volume] = [one["volume"] for one in world.story.nodes(name=survivor)]

    async with impostors.slow(world.node(survivor), 0.3) as questioners:
        await questioners.get()
        await questioners.get()
        world.kubelet.kill(*lost)
        await world.recovered()

    await world.nothing_is_missing()
    [attempt] = world.story.status["history"]
    assert attempt["candidates"][volume].startswith("Recovered")


async def test_nodes_that_hang_are_not_lost(world: World) -> None:
    """A majority that does not answer is a suspicion: nobody may act on it, and it goes with the first answer."""
    await world.operator()
    await world.open()
    await world.write()
    uids = {name: pod["metadata"]["uid"] for name, pod in world.story.pods.items()}
    names = [one["name"] for one in world.story.nodes()]

    async with impostors.hung(*[world.node(name) for name in names[:2]]):
        await world.story.until("a suspicion", lambda s: _verdict(s) == "Suspected")
        before = len(world.story.versions)
        assert world.story.attempt == {}
    for name in names[:2]:
        world.node(name).open_interface(impostors.OPERATOR)
    await world.story.until("that all is well", lambda s: _verdict(s) == "Healthy")
    await world.running()

    assert len(world.story.versions) > before
    assert {name: pod["metadata"]["uid"] for name, pod in world.story.pods.items()} == uids
    assert world.story.status.get("history", []) == []
    await world.nothing_is_missing()


async def test_a_survivor_whose_address_another_has_taken_is_not_believed(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    lost = world.majority()
    [survivor] = [one["name"] for one in world.story.nodes() if one["name"] not in lost]

    async with impostors.usurped(world.node(survivor), by=world.node(lost[0])):
        await world.look_again()
        await world.story.until("a note", lambda s: any("not the node" in one.get("note", "") for one in s.nodes()))
        assert not any(one["name"] == survivor for one in world.story.nodes(fit=True))
        world.kubelet.kill(*lost)
        await world.recovered()

    await world.nothing_is_missing()


async def test_a_candidate_that_never_comes_to_an_end_times_out_alone(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    volume = world.story.nodes(fit=True)[0]["volume"]

    def endless(pod: Raw) -> Faults:
        candidate = pod["metadata"]["labels"][labels.ROLE] == labels.Role.CANDIDATE.value
        mine = pod["metadata"]["labels"][labels.VOLUME] == volume
        return Faults(replay_delay=3600.0 if candidate and mine else 0.0)

    world.kubelet.faults_of = endless
    world.kubelet.kill(*[one["name"] for one in world.story.nodes(fit=True)])
    name = await world.story.until("the candidate to run", lambda s: _runs(s, _candidate(s, volume).get("node")))
    async with impostors.dripping(world.node(name)):
        await world.story.until("the others have recovered", lambda s: _results(s).count("Recovered") == 2)
        await _set_deadline(world, "5s")
        await world.story.until("that it is over", lambda s: _candidate(s, volume).get("result") == "TimedOut")
        await _set_deadline(world, "10m")  # joiners are waited for as long
        await world.recovered()

    await world.nothing_is_missing()
    [attempt] = world.story.status["history"]
    assert sorted(result.split()[0].strip(":") for result in attempt["candidates"].values()) == [
        "Recovered",
        "Recovered",
        "TimedOut",
    ]


def _verdict(story: Story) -> str:
    return str((story.status.get("quorum") or {}).get("verdict"))


def _runs(story: Story, pod: str | None) -> str | None:
    """The pod, if it runs."""
    status = (story.pods.get(pod, {}).get("status") or {}) if pod is not None else {}
    return pod if status.get("phase") == "Running" else None


def _candidate(story: Story, volume: str) -> Raw:
    return next((one for one in story.attempt.get("candidates") or [] if one["volume"] == volume), {})


def _results(story: Story) -> list[str]:
    return [one.get("result", "") for one in story.attempt.get("candidates") or []]


async def _set_deadline(world: World, deadline: str) -> None:
    await world.api.patch(world.path, {"spec": {"recovery": {"candidateDeadline": deadline}}})
