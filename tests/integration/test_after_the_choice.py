"""The winner dies: every ending that real nodes come to (CCF facts §8.8), seen by the real operator."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ccf_operator.ccf import governance
from ccf_operator.ccf.governance import GovernanceClient
from ccf_operator.domain import joining
from ccf_operator.render import labels
from ccf_operator.render.labels import Role
from integration.world.proxy import Call, Severed
from integration.world.story import PATIENCE, Story
from integration.world.world import NETWORK, World
from simulator.faults import Faults


async def asked(world: World) -> str:
    """Lose an open network, recover it up to where its members are asked; the winner's name."""
    await world.operator()
    await world.open()
    await world.write()
    world.kubelet.kill(*world.majority())
    await world.members_asked()
    return str(world.story.attempt["winner"]["node"])


def client(world: World, name: str) -> GovernanceClient:
    node = world.node(name)
    host = node.config.interfaces["client"].published.rpartition(":")[0]
    certificate = world.story.attempt["winner"]["serviceCertificate"]
    return GovernanceClient(node.address("client"), certificate, server_name=host, poll_interval=0.02)


async def vote(world: World, name: str) -> None:
    async with client(world, name) as talking:
        previous = (await talking.get("/node/service/previous_identity"))["previous_service_identity"]
        certificate = world.story.attempt["winner"]["serviceCertificate"]
        opening = governance.transition_service_to_open(certificate, previous)
        await talking.pass_proposal(world.consortium.members, [opening])


async def submit(world: World, name: str) -> None:
    async with client(world, name) as talking:
        for member in world.consortium.members:
            await talking.submit_share(member)


async def reason(world: World, wanted: str, *, besides: str = "") -> str:
    """Until the status gives this reason and, with `besides`, does not send anybody to that node; the next step."""

    def told(story: Story) -> Any:
        step = story.status.get("nextStep", "")
        return story.status.get("reason") == wanted and not (besides and besides in step) and (step or " ")

    return str(await world.story.until(wanted, told))


def living(world: World, *, besides: str = "") -> list[str]:
    """Names of the nodes of the recovered network that run."""
    names = [one["name"] for one in world.story.nodes(attempt=world.story.attempt["number"])]
    runs = world.kubelet.runs
    return [name for name in names if name != besides and name in runs and runs[name].running]


def _joined(story: Story) -> list[str]:
    return [one["name"] for one in story.nodes(attempt=1, ended=None, stop=None) if one.get("joinedAt")]


async def until_state(world: World, names: list[str], state: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while {world.node(name).state for name in names} != {state}:  # noqa: ASYNC110 - a node tells nobody
            await asyncio.sleep(0.02)


async def until_open(world: World, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not world.node(name).user_frontend_open:  # noqa: ASYNC110 - a node tells nobody
            await asyncio.sleep(0.02)


async def approve(world: World) -> None:
    spec = {"network": NETWORK, "token": world.story.attempt["token"], "action": "Approve"}
    path = f"/apis/ccf.dev/v1alpha1/namespaces/{world.namespace}/ccfrecoverydecisions"
    body = {
        "apiVersion": "ccf.dev/v1alpha1",
        "kind": "CCFRecoveryDecision",
        "metadata": {"name": "go-on"},
        "spec": spec,
    }
    await world.api.ask("POST", path, body)


async def test_before_the_vote_the_joiners_go_on(world: World) -> None:
    winner = await asked(world)
    world.kubelet.kill(winner)
    step = await reason(world, "AcceptService", besides=winner)
    [through] = [name for name in living(world) if name in step]
    await world.story.until("another has joined", lambda s: len(_joined(s)) == 3)
    await vote(world, through)
    await submit(world, through)
    await world.story.until("success", lambda s: [h["result"] for h in s.status.get("history", [])] == ["Succeeded"])
    await world.story.until("the network serves", lambda s: len(s.nodes(fit=True)) == 3)
    await world.nothing_is_missing()


async def test_after_the_vote_the_shares_are_submitted_again_at_the_new_primary(world: World) -> None:
    winner = await asked(world)
    await vote(world, winner)
    await reason(world, "RecoveryShares")
    world.kubelet.kill(winner)
    step = await reason(world, "RecoveryShares", besides=winner)
    [through] = [name for name in living(world, besides=winner) if name in step]
    await submit(world, through)
    await world.story.until("success", lambda s: [h["result"] for h in s.status.get("history", [])] == ["Succeeded"])
    await world.story.until("two nodes serve", lambda s: len(s.nodes(fit=True)) == 2)
    await world.nothing_is_missing()


def endless_candidates(raw: dict[str, Any]) -> Faults:
    """The primary of the recovery never comes to the end of its decrypting; its joiners do."""
    candidate = raw["metadata"]["labels"][labels.ROLE] == Role.CANDIDATE.value
    return Faults(private_delay=3600.0 if candidate else 0.0)


async def test_before_the_opening_it_is_a_dead_end_and_a_new_attempt_leads_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "DEAD_END_PATIENCE", timedelta(seconds=3))
    world.kubelet.faults_of = endless_candidates
    winner = await asked(world)
    await vote(world, winner)
    await submit(world, winner)
    await reason(world, "Decrypting")
    others = living(world, besides=winner)
    await until_state(world, others, "PartOfNetwork")
    world.kubelet.faults_of = lambda _: Faults()
    world.kubelet.kill(winner)
    await reason(world, "DeadEndSuspected")

    await world.story.until("a new attempt", lambda s: s.attempt.get("number") == 2)
    suspected = [status for status in world.story.statuses() if status.get("reason") == "DeadEndSuspected"]
    stopped = {one["name"] for status in suspected for one in status["nodes"] if one.get("stop") or one.get("ended")}
    assert not stopped & set(others), "nothing is ended on a suspicion"
    await world.recovered()
    await world.nothing_is_missing()
    [second, first] = world.story.status["history"]
    assert (first["result"], second["result"]) == ("Superseded", "Succeeded")
    assert "unsettled" not in world.story.status
    assert all(not one.startswith("Damaged") for one in second["candidates"].values())


async def test_a_network_that_opened_while_nobody_looked_and_was_lost_is_recovered_as_opened(world: World) -> None:
    winner = await asked(world)
    for operator in world.operators:
        await operator.kill()
    await vote(world, winner)
    await submit(world, winner)
    await until_state(world, living(world), "PartOfNetwork")
    certificate = world.story.attempt["winner"]["serviceCertificate"]
    await until_open(world, winner)
    await world.consortium.write(world.node(winner), certificate)
    world.kubelet.kill(*living(world))

    await world.operator()
    await world.story.until("a new attempt", lambda s: s.attempt.get("number") == 2)
    await world.recovered()
    await world.nothing_is_missing()
    assert world.story.status["recoveries"] == 2


async def test_a_network_lost_before_it_opened_gives_way_to_the_last_open_service(world: World) -> None:
    winner = await asked(world)
    await vote(world, winner)
    await reason(world, "RecoveryShares")
    world.kubelet.kill(*living(world))

    await world.story.until("the last attempt", lambda s: s.attempt.get("number") == 3)
    await world.recovered()
    await world.nothing_is_missing()
    assert world.story.status["recoveries"] == 1
    assert [h["result"] for h in world.story.status["history"]] == ["Succeeded", "Superseded", "Superseded"]


async def test_a_network_that_opened_before_its_members_were_asked_is_not_lost_either(world: World) -> None:
    """The operator dies as it is about to ask them; they open it without being asked, and all of it is lost."""
    await world.operator()
    await world.open()
    await world.write()
    await world.operators[0].kill()
    died = asyncio.Event()

    async def die_before_asking(call: Call) -> None:
        attempt = (call.json.get("status") or {}).get("attempt") if call.path.endswith("/status") else None
        if (attempt or {}).get("phase") == "AwaitingMembers":
            died.set()
            raise Severed

    await world.operator(before=die_before_asking)
    world.kubelet.kill(*world.majority())
    async with asyncio.timeout(PATIENCE):
        await died.wait()
    await world.operators[1].kill()
    winner = str(world.story.attempt["winner"]["node"])
    certificate = world.story.attempt["winner"]["serviceCertificate"]
    await vote(world, winner)
    await submit(world, winner)
    await until_open(world, winner)
    await world.consortium.write(world.node(winner), certificate)
    world.kubelet.kill(*living(world))

    await world.operator()
    await world.story.until("that it was opened", lambda s: len(s.status.get("history", [])) == 2)
    await world.story.until("the choice", lambda s: s.attempt.get("phase") in ("AwaitingApproval", "AwaitingMembers"))
    if world.story.attempt["phase"] == "AwaitingApproval":  # joiners that the operator never met prove nothing
        await approve(world)
    await world.recovered()
    await world.nothing_is_missing()
    assert world.story.status["recoveries"] == 2
    assert "opened before it was lost" in world.story.status["history"][1]["message"]
