"""A network that is deleted in each of the ways that there are, with Kubernetes' own garbage collector beside."""

from __future__ import annotations

import asyncio

import pytest

from integration.world.world import World

pytestmark = pytest.mark.usefixtures("controllers")


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
async def test_a_deleted_network_leaves_its_volumes_and_nothing_that_runs(world: World, cascade: str) -> None:
    await world.operator()
    await world.open()
    await world.write()
    claims = f"/api/v1/namespaces/{world.namespace}/persistentvolumeclaims"
    before = {one["metadata"]["uid"] for one in (await world.api.get(claims))["items"]}

    deletion = ("-n", world.namespace, "delete", "ccfnetwork", "bank", f"--cascade={cascade}", "--timeout=60s")
    done = await asyncio.to_thread(world.control_plane.kubectl, *deletion)

    assert done.returncode == 0, done.stderr
    assert (await world.api.get(f"/api/v1/namespaces/{world.namespace}/pods"))["items"] == []
    left = (await world.api.get(claims))["items"]
    assert {one["metadata"]["uid"] for one in left} == before
    assert not [one for one in left if "deletionTimestamp" in one["metadata"] or one["status"]["phase"] != "Bound"]
