"""Everybody lives and nobody answers: what the operator says, and that it ends nothing."""

from __future__ import annotations

from integration.world.world import World

DESTROYS = ("kubectl taint", "delete pod", "delete ccf", '"Start"')


def _first_that_ends(text: str) -> int:
    return min((text.index(one) for one in DESTROYS if one in text), default=len(text))


async def test_an_operator_that_reaches_no_node_of_an_open_service_leaves_it_alone(world: World) -> None:
    operator = await world.operator()
    await world.open()
    before = {name: raw["metadata"]["uid"] for name, raw in world.story.pods.items()}
    seen = len(world.story.versions)

    operator.firewall.closed = True
    await world.story.until("it is suspected", lambda s: s.status["quorum"]["verdict"] == "Suspected")
    operator.clock.advance(60)
    await world.look_again()
    await world.story.until("the silence is told", lambda s: "does not answer at" in s.status["message"])
    told = world.story.status
    assert "(connection refused)" in told["message"]
    assert told["nextStep"].startswith("look at the network between the operator and the nodes first")
    assert "3 of 3 containers are reported running on Ready machines" in told["nextStep"]
    assert "3 of 3 endpoints of Service bank are ready" in told["nextStep"]
    assert told["nextStep"].index("Nothing is to be tainted") < _first_that_ends(told["nextStep"])
    assert {one["source"] for one in told["obstacles"]} == {"Network"}
    await world.write()

    operator.firewall.closed = False
    await world.running()
    await world.story.until("nothing is in the way any more", lambda s: not s.status.get("obstacles"))
    assert {name: raw["metadata"]["uid"] for name, raw in world.story.pods.items()} == before
    statuses = [version.get("status") or {} for version in world.story.versions[seen:]]
    assert not [one for one in statuses if one.get("attempt")]
    assert not [node for one in statuses for node in one["nodes"] if node.get("stop") or node.get("ended")]
    await world.nothing_is_missing()


async def test_a_wrong_cluster_domain_is_said(world: World) -> None:
    operator = await world.operator(cluster_domain="wrong.invalid")
    await world.create()
    await world.story.until("a joiner answers", lambda s: [one for one in s.nodes(command="Join") if one.get("nodeId")])
    operator.clock.advance(15)
    await world.look_again()
    await world.story.until(
        "it is noted that nobody has heard of it",
        lambda s: [one for one in s.nodes(command="Join") if one.get("unregisteredSince")],
    )
    operator.clock.advance(30)
    await world.look_again()
    await world.story.until("it is told", lambda s: "has heard nothing of it" in s.status["message"])
    await world.story.until("names are suspected", lambda s: "clusterDomain" in s.status["nextStep"])
    told = world.story.status
    assert (told["phase"], told["reason"]) == ("Creating", "Joining")
    assert ".svc.wrong.invalid:8080; " in told["message"]
    assert _first_that_ends(told["nextStep"]) == len(told["nextStep"])
