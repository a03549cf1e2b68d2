"""The controllers beside the API server do what the operator has to reckon with."""

from __future__ import annotations

import pytest

from integration.world.world import World

pytestmark = pytest.mark.usefixtures("controllers")


async def test_a_deleted_claim_stays_as_long_as_a_pod_names_it(world: World) -> None:
    claim = f"/api/v1/namespaces/{world.namespace}/persistentvolumeclaims/data"
    pods = f"/api/v1/namespaces/{world.namespace}/pods"
    await world.api.ask("POST", claim.rpartition("/")[0], _CLAIM)
    await world.api.ask("POST", pods, _POD)
    await world.api.ask(
        "POST", f"{pods}/user/binding", _BINDING | {"target": {"kind": "Node", "name": _machine(world)}}
    )

    await world.api.ask("DELETE", claim)

    assert (await world.api.get(claim))["metadata"]["deletionTimestamp"]
    await world.api.ask("DELETE", f"{pods}/user", {"gracePeriodSeconds": 0})
    await world.api.gone(claim)


def _machine(world: World) -> str:
    return world.kubelet.machines[0]


_CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
_POD = {
    "metadata": {"name": "user"},
    "spec": {
        "containers": [{"name": "main", "image": "registry.example/any"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "schedulerName": "nobody",
    },
}
_BINDING = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "user"}}
