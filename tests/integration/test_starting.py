"""A recovery that a person starts, of a service that is well: what was committed is there afterwards."""

from __future__ import annotations

import asyncio

from integration.test_crashes import DiesAtSteps
from integration.world.api import Raw
from integration.world.audit import pods_made_twice
from integration.world.world import NETWORK, World


async def decide(world: World, name: str, action: str, token: str) -> Raw:
    """Make a decision; its status, once it is answered."""
    path = f"/apis/ccf.dev/v1alpha1/namespaces/{world.namespace}/ccfrecoverydecisions"
    body = {
        "apiVersion": "ccf.dev/v1alpha1",
        "kind": "CCFRecoveryDecision",
        "metadata": {"name": name},
        "spec": {"network": NETWORK, "token": token, "action": action, "reason": "drill of March"},
    }
    await world.api.ask("POST", path, body)

    def recorded(status: Raw) -> Raw | None:
        return next((one for one in status.get("decisions") or [] if one["name"] == name), None)

    answer: Raw = await world.story.until(f"{name} is answered", lambda s: recorded(s.status))
    return answer


async def keep_writing(world: World) -> None:
    """A client that holds on to a node that does not lead, and writes until that does not let it any more."""
    node, certificate = world.node(world.majority()[-1]), world.certificate()
    while True:
        await world.consortium.write(node, certificate)


def token(world: World) -> str:
    return str(world.story.status["recoveryToken"])


async def started(world: World) -> None:
    """A client writes until a drill has ended all nodes and the attempt begins."""
    used = token(world)
    client = asyncio.create_task(keep_writing(world))
    answer = await decide(world, "drill", "Start", used)
    assert answer["state"] == "Applied", answer
    await world.story.until("the attempt begins", lambda s: s.attempt)
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)


async def check_it_was_a_drill(world: World) -> None:
    await world.nothing_is_missing()
    [past] = world.story.status["history"]
    assert (past["result"], past["number"], past["start"]["decision"]) == ("Succeeded", 1, "drill")
    assert past["start"]["reason"] == "drill of March"
    assert "approval" not in past
    first = next(status for status in world.story.statuses() if (status.get("start") or {}).get("endingSince"))
    assert not any(node.get("fit") for node in first["nodes"]), "clients were led away before"
    assert not any(node.get("ended") for node in first["nodes"])


async def test_a_drill_loses_nothing_and_its_token_is_used_up(world: World) -> None:
    await world.operator()
    await world.open()
    refused = await decide(world, "stale", "Start", "start-00000000")
    assert refused["state"] == "Refused"
    assert token(world) in refused["message"]
    used = token(world)
    await world.write()
    await started(world)
    await world.recovered()
    await check_it_was_a_drill(world)
    again = await decide(world, "again", "Start", used)
    assert again["state"] == "Refused"
    assert world.story.status["phase"] == "Running"
    assert token(world) != used


async def test_an_operator_killed_at_each_step_of_a_drill_goes_on(world: World) -> None:
    mortal = DiesAtSteps(world)
    living = asyncio.create_task(mortal.live())
    try:
        await world.open()
        await world.write()
        await started(world)
        await world.recovered()
        await check_it_was_a_drill(world)
    finally:
        living.cancel()
    assert not living.done() or living.cancelled(), living
    assert pods_made_twice(world.story) == []
    assert any("Recovering" in death for death in mortal.deaths), mortal.deaths


async def test_one_recovery_begins_by_a_persons_word_where_none_begins_by_itself(world: World) -> None:
    await world.operator()
    await world.open(recovery={"quorumLossWindow": "1s", "mode": "Disabled"})
    await world.write()
    world.kubelet.kill(*world.majority())
    await world.story.until("it waits", lambda s: s.status.get("reason") == "RecoveryDisabled")
    assert not world.story.attempt
    assert (await decide(world, "once", "Start", token(world)))["state"] == "Applied"
    await world.recovered()
    await world.nothing_is_missing()
