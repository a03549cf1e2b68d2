"""Recovering a network from its volumes alone, with the real operator and nodes that really run."""

from __future__ import annotations

import contextlib

from ccf_operator.render import labels
from integration.world.api import ApiError, Raw
from integration.world.audit import pods_made_twice
from integration.world.story import Story
from integration.world.world import NETWORK, World


async def test_a_network_deleted_and_created_again_is_recovered_from_its_volumes(world: World) -> None:
    await world.operator()
    await world.open()
    for _ in range(3):
        await world.write()
    await world.delete()
    await world.story.until("the end of the network", lambda s: s.gone)
    await _collect_garbage(world)
    before = world.files()

    await _create_again(world)
    found = await world.story.until("it can be decided", _decidable)
    assert len(found["volumes"]) == 3
    assert world.story.pods == {}
    await world.decide("Adopt", found["token"])
    await world.recovered()

    await world.nothing_is_missing()
    [past] = world.story.status["history"]
    assert "approval" not in past, "the operator saw all nodes end: nothing can be missing"
    after = world.files()
    assert {name: after.get(name) for name in before} == before


async def test_a_network_that_lost_its_status_while_it_runs_goes_on_by_itself(world: World) -> None:
    operator = await world.operator()
    await world.open()
    await world.write()
    running = {one["name"] for one in world.story.nodes(fit=True)}
    certificate = world.certificate()
    await operator.kill()
    await _wipe_status(world)

    await world.operator()
    await world.running()
    assert {one["name"] for one in world.story.nodes(fit=True)} == running
    assert set(world.story.pods) == running
    assert world.story.status["service"]["certificate"] == certificate
    await world.nothing_is_missing()
    world.kubelet.kill(*world.majority())
    await world.recovered()
    await world.nothing_is_missing()


async def test_a_network_that_lost_its_status_is_recovered_once_its_nodes_have_ended(world: World) -> None:
    operator = await world.operator()
    await world.open()
    await world.write()
    running = [one["name"] for one in world.story.nodes(fit=True)]
    await operator.kill()
    lost = world.majority()
    world.kubelet.kill(*lost)
    [left] = set(running) - set(lost)
    await _wipe_status(world)

    await world.operator()
    found = await world.story.until("volumes are found", lambda s: s.status.get("found"))
    assert "token" not in found
    refused = await world.decide("Adopt", "found-early")
    assert refused["state"] == "Refused"
    assert left in refused["message"]
    assert set(running) <= set(world.story.pods)

    world.kubelet.kill(left)
    read = await world.story.until("all has been read", _decidable)
    assert (await world.decide("Adopt", read["token"]))["state"] == "Applied"
    asked = await world.story.until("a person is asked", lambda s: s.status.get("reason") == "ApprovalRequired")
    assert asked
    assert (await world.decide("Approve", world.story.attempt["token"]))["state"] == "Applied"
    await world.recovered()
    await world.nothing_is_missing()
    await world.story.until("what has ended is let go", lambda s: not set(running) & set(s.pods))
    assert pods_made_twice(world.story) == []


def _decidable(story: Story) -> Raw | None:
    """What was found, once a decision can be made about it."""
    found: Raw = story.status.get("found") or {}
    return found if "token" in found else None


async def _wipe_status(world: World) -> None:
    wiped = (await world.api.patch(f"{world.path}/status", {"status": None}))["metadata"]["resourceVersion"]

    def versions(story: Story) -> list[str]:
        return [one["metadata"]["resourceVersion"] for one in story.versions]

    await world.story.until("that it is wiped", lambda s: wiped in versions(s))
    del world.story.versions[: versions(world.story).index(wiped) + 1]  # what was before is forgotten


async def _create_again(world: World) -> None:
    manifest = {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "metadata": {"name": NETWORK},
        "spec": world.story.versions[-1]["spec"],
    }
    world.story.versions.clear()  # it is another object
    await world.api.ask("POST", world.path.rpartition("/")[0], manifest)


async def _collect_garbage(world: World) -> None:
    """Remove what the network owned, as Kubernetes does; no controller runs here."""
    for kind in ("api/v1/{}/services", "api/v1/{}/configmaps", "apis/policy/v1/{}/poddisruptionbudgets"):
        path = "/" + kind.format(f"namespaces/{world.namespace}")
        listed = await world.api.get(f"{path}?labelSelector={labels.selector_of(NETWORK)}")
        for one in listed["items"]:
            if one["metadata"].get("ownerReferences"):
                with contextlib.suppress(ApiError):  # the operator may have been faster
                    await world.api.ask("DELETE", f"{path}/{one['metadata']['name']}")
