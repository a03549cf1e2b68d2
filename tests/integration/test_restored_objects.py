"""Objects that a restore puts back without owner references, or with those of a network object that is no more."""

from __future__ import annotations

from typing import Any

from ccf_operator.render import labels
from integration.test_adoption import _create_again, _decidable
from integration.test_operator import until
from integration.world.api import Raw
from integration.world.story import Story
from integration.world.world import NETWORK, World

KINDS = {
    "Pod": "api/v1/{}/pods",
    "Service": "api/v1/{}/services",
    "ConfigMap": "api/v1/{}/configmaps",
    "PodDisruptionBudget": "apis/policy/v1/{}/poddisruptionbudgets",
}


async def ours(world: World) -> dict[str, Raw]:
    """Every object of the network that an owner reference belongs on, by its path."""
    found: dict[str, Raw] = {}
    for kind in KINDS.values():
        path = "/" + kind.format(f"namespaces/{world.namespace}")
        listed = await world.api.get(f"{path}?labelSelector={labels.selector_of(NETWORK)}")
        found |= {f"{path}/{one['metadata']['name']}": one for one in listed["items"]}
    return found


def uids(objects: dict[str, Raw]) -> dict[str, str]:
    return {path: one["metadata"]["uid"] for path, one in objects.items()}


async def owned_by(world: World, uid: str) -> None:
    async def look() -> bool:
        found = await ours(world)
        return all(
            [one.get("uid") for one in raw["metadata"].get("ownerReferences") or [] if one.get("controller")] == [uid]
            for raw in found.values()
        )

    await until("owner references on everything", look)


async def test_a_running_network_whose_objects_have_lost_their_owner_takes_them_over(world: World) -> None:
    operator = await world.operator()
    await world.open()
    await world.write()
    await operator.kill()
    before = await ours(world)
    for path in before:
        await world.api.patch(path, {"metadata": {"ownerReferences": None}})
    uid = (await world.api.get(world.path))["metadata"]["uid"]

    await world.operator()
    await owned_by(world, uid)

    await world.running()
    await world.nothing_is_missing()
    assert uids(await ours(world)) == uids(before)
    world.kubelet.kill(*world.majority())
    await world.recovered()
    await world.nothing_is_missing()


async def test_what_an_earlier_network_has_left_is_taken_over_all_at_once(world: World) -> None:
    """Nothing collects garbage here: it is all still there, and owned by a network object that is not."""
    await world.operator()
    await world.open()
    await world.write()
    await world.delete()
    await world.story.until("the end of the network", lambda s: s.gone)
    left = {path: raw for path, raw in (await ours(world)).items() if not path.endswith("recovery")}
    assert len(left) >= 4

    await _create_again(world)
    found = await world.story.until("it can be decided", _decidable)
    await world.decide("Adopt", found["token"])
    await world.recovered()

    uid = (await world.api.get(world.path))["metadata"]["uid"]
    fixed = {
        path for path in left if path.rpartition("/")[2].startswith(("bank-nodes", "bank-trusted", "bank-service"))
    }
    now = await ours(world)
    for path in (*fixed, f"/api/v1/namespaces/{world.namespace}/services/bank"):
        assert now[path]["metadata"]["uid"] == left[path]["metadata"]["uid"]
        assert [one["uid"] for one in now[path]["metadata"]["ownerReferences"]] == [uid]
    await world.nothing_is_missing()


async def test_all_names_that_others_have_are_named_at_once(world: World) -> None:
    path = f"/api/v1/namespaces/{world.namespace}"
    port: dict[str, Any] = {"spec": {"ports": [{"port": 80}]}}
    for name in ("bank", "bank-nodes"):
        await world.api.ask("POST", f"{path}/services", {"metadata": {"name": name}, **port})
    await world.api.ask("POST", f"{path}/configmaps", {"metadata": {"name": "bank-service-identity"}})
    await world.operator()
    await world.create()

    def blocked(story: Story) -> bool:
        return story.status.get("reason") == "NameTaken"

    await world.story.until("it is blocked", blocked)
    for name in ("Service bank", "Service bank-nodes", "ConfigMap bank-service-identity"):
        assert name in world.story.status["message"]
        assert name.lower().replace(" ", "/") in world.story.status["nextStep"]

    for one in ("services/bank", "services/bank-nodes", "configmaps/bank-service-identity"):
        await world.api.ask("DELETE", f"{path}/{one}")
    await world.story.until("members are asked to open", lambda s: s.status.get("phase") == "AwaitingOpen")
