"""A status that is older than volumes and pods, with the real operator, a real API server and nodes that really run."""

from __future__ import annotations

from functools import partial
from typing import Any

from ccf_operator.render import labels
from integration.world.api import Raw
from integration.world.story import Story
from integration.world.world import NETWORK, World


async def test_an_old_status_put_back_after_a_recovery_loses_nothing(world: World) -> None:
    """Open, kill two, recover, write, put the status from before back, start a recovery."""
    await world.operator()
    await world.open()
    await world.write()
    before = dict(world.story.status)
    world.kubelet.kill(*world.majority())
    await world.recovered()
    for _ in range(5):
        await world.write()
    running = {one["name"] for one in world.story.nodes(fit=True)}
    certificate = world.certificate()
    facts, identity = await _facts(world), await _identity(world)

    await _put_back(world, before)
    answer = await world.decide("Start", before["recoveryToken"])

    await world.running()
    assert answer["state"] == "Refused"
    assert {one["name"] for one in world.story.nodes(fit=True)} == running
    assert {name for name in running if "deletionTimestamp" in world.story.pods[name]["metadata"]} == set()
    assert world.certificate() == certificate
    assert (await _facts(world)).keys() == facts.keys()
    assert (await _identity(world)) == identity
    assert world.story.status["counters"]["nextAttempt"] > before["counters"]["nextAttempt"]
    await world.nothing_is_missing()
    world.kubelet.kill(*world.majority())
    await world.recovered()
    await world.nothing_is_missing()


async def test_an_old_status_put_back_when_nothing_runs_leads_to_the_newest_service(world: World) -> None:
    operator = await world.operator()
    await world.open()
    await world.write()
    before = dict(world.story.status)
    world.kubelet.kill(*world.majority())
    await world.recovered()
    for _ in range(5):
        await world.write()
    await world.at_rest()
    ended = [one["name"] for one in world.story.nodes(fit=True)]
    await operator.kill()
    world.kubelet.kill(*ended)
    await _put_back(world, before)

    await world.operator()
    found = await world.story.until("all has been read", _decidable)
    assert world.story.status["reason"] == "StatusOutdated"
    assert "attempt" not in world.story.status
    assert max(volume.get("recoveryCount", 0) for volume in found["volumes"]) == 1
    refused = await world.decide("Start", before["recoveryToken"])
    assert refused["state"] == "Refused"
    assert "out of date" in refused["message"]
    assert (await world.decide("Adopt", found["token"]))["state"] == "Applied"
    await world.story.until("a person is asked", lambda s: s.status.get("reason") == "ApprovalRequired")
    assert (await world.decide("Approve", world.story.attempt["token"]))["state"] == "Applied"
    await world.recovered()
    assert world.story.status["service"]["recoveryCount"] == 2
    await world.nothing_is_missing()


async def test_nodes_edited_out_of_the_status_are_left_alone_and_taken_up_again(world: World) -> None:
    await world.operator()
    await world.open()
    await world.write()
    running = {one["name"] for one in world.story.nodes(fit=True)}
    for field in ("nodes", "volumes"):
        await _edit(world, {field: []})
        await world.running()
        await world.story.until("it is on record again", partial(_has_three, field))
        assert {one["name"] for one in world.story.nodes(fit=True)} == running
    assert [name for name in running if "deletionTimestamp" in world.story.pods[name]["metadata"]] == []
    told = await world.api.get(f"/apis/events.k8s.io/v1/namespaces/{world.namespace}/events")
    assert {"StatusOutdated", "StatusResumed"} <= {one["reason"] for one in told["items"]}
    await world.nothing_is_missing()


def _has_three(field: str, story: Story) -> bool:
    return len(story.status.get(field) or []) == 3


def _decidable(story: Story) -> Raw | None:
    found: Raw = story.status.get("found") or {}
    return found if "token" in found else None


async def _put_back(world: World, status: dict[str, Any]) -> None:
    patch = [{"op": "add", "path": "/status", "value": status}]
    written = await world.api.ask("PATCH", f"{world.path}/status", patch, content_type="application/json-patch+json")
    await _forget_until(world, written["metadata"]["resourceVersion"])


async def _edit(world: World, fields: dict[str, Any]) -> None:
    written = await world.api.patch(f"{world.path}/status", {"status": fields})
    await _forget_until(world, written["metadata"]["resourceVersion"])


async def _forget_until(world: World, version: str) -> None:
    """What was before is forgotten by the test, too."""

    def versions(story: Story) -> list[str]:
        return [one["metadata"]["resourceVersion"] for one in story.versions]

    await world.story.until("that it is written", lambda s: version in versions(s))
    del world.story.versions[: versions(world.story).index(version) + 1]


async def _facts(world: World) -> dict[str, str]:
    path = f"/api/v1/namespaces/{world.namespace}/persistentvolumeclaims?labelSelector={labels.selector_of(NETWORK)}"
    claims = (await world.api.get(path))["items"]
    return {
        one["metadata"]["name"]: one["metadata"]["annotations"][labels.RECOVERY_FACTS]
        for one in claims
        if labels.RECOVERY_FACTS in one["metadata"].get("annotations", {})
    }


async def _identity(world: World) -> dict[str, str]:
    found = await world.api.get(f"/api/v1/namespaces/{world.namespace}/configmaps/{NETWORK}-service-identity")
    return dict(found["data"])
