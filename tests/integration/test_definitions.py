"""Definitions that come late, are old, are cut down or taken away under the operator, on an API server of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from ccf_operator.api import crd
from ccf_operator.kube.gateway import Gateway
from ccf_operator.render import labels
from integration.control_plane import ControlPlane
from integration.control_plane import running as control_plane_running
from integration.manifests import minimal
from integration.operator_process import OperatorProcess, operator
from integration.test_operator import first_pod, provide, settled, until
from integration.world.proxy import ApiProxy, kubeconfig

Raw = dict[str, Any]
NETWORKS, DECISIONS = (f"{plural}.{labels.GROUP}" for plural in (labels.PLURAL, labels.DECISION_PLURAL))


@pytest.fixture(scope="module")
def plane(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane_running(binaries, tmp_path_factory.mktemp("definitions"), "operator") as started:
        yield started


@pytest_asyncio.fixture
async def gateway(plane: ControlPlane) -> AsyncIterator[Gateway]:
    async with await Gateway.connect(str(plane.kubeconfig)) as connected:
        yield connected


@dataclass
class Ground:
    """An API server, the operator on it, and all that the operator asks."""

    plane: ControlPlane
    process: OperatorProcess
    proxy: ApiProxy

    def install(self, *definitions: Raw) -> None:
        install(self.plane, *definitions)

    async def says(self) -> Raw:
        """What the operator says of whether it is ready."""
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.process.health_port}/readyz")
            except httpx.TransportError:
                return {}
            assert (answer.status_code == 200) == answer.json()["ready"]
            said: Raw = answer.json()
            return said

    async def ready(self) -> None:
        async def look() -> bool:
            return bool((await self.says()).get("ready"))

        await until("an operator that is ready", look)

    async def not_ready(self, named: str) -> None:
        async def look() -> bool:
            said = await self.says()
            return said.get("ready") is False and named in " ".join(said["problems"])

        await until(f"an operator that misses {named}", look)
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{self.process.health_port}/healthz")).status_code == 200

    async def told(self, namespace: str, reason: str) -> str:
        """The note of the one event with this reason."""

        async def look() -> list[str]:
            listed = self.plane.kubectl("get", "events.events.k8s.io", "--namespace", namespace, "-o", "json")
            return [one["note"] for one in json.loads(listed.stdout)["items"] if one["reason"] == reason]

        [note] = await until(f"an event {reason}", look)
        return str(note)


@pytest_asyncio.fixture
async def ground(plane: ControlPlane, namespace: str, tmp_path: Path) -> AsyncIterator[Ground]:
    proxy = ApiProxy(plane)
    config = kubeconfig(tmp_path / "operator.kubeconfig", await proxy.start(), plane.token)
    with operator(config, namespace, tmp_path / "operator.log") as process:
        yield Ground(plane, process, proxy)
        assert process.process.poll() is None, "it has ended"
    await proxy.close()


@pytest.fixture
def namespace(plane: ControlPlane, request: pytest.FixtureRequest) -> str:
    name = f"test-{abs(hash(request.node.name)):x}"
    assert plane.kubectl("create", "namespace", name).returncode == 0
    return name


def install(plane: ControlPlane, *definitions: Raw) -> None:
    for definition in definitions:
        done = plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(definition))
        assert done.returncode == 0, done.stderr


def without(path: str) -> Raw:
    """The networks' definition without a field of the status."""
    made = crd.definition()
    [version] = made["spec"]["versions"]
    place = version["schema"]["openAPIV3Schema"]
    *above, last = path.split(".")
    for name in above:
        place = place["properties"][name] if not name.endswith("[]") else place["properties"][name[:-2]]["items"]
    del place["properties"][last]
    return made


async def create(plane: ControlPlane, namespace: str) -> None:
    async def made() -> bool:
        done = plane.kubectl("create", "--namespace", namespace, "-f", "-", stdin=json.dumps(minimal()))
        return done.returncode == 0

    await until("a network", made)


@pytest.fixture
def none(alone: None, plane: ControlPlane) -> None:
    """No definitions, and so no networks."""
    plane.kubectl("delete", "crd", NETWORKS, DECISIONS, "--ignore-not-found")


@pytest.fixture
def both(plane: ControlPlane) -> None:
    install(plane, crd.definition(), crd.decision_definition())


@pytest.fixture
def alone(both: None, plane: ControlPlane) -> None:
    """No networks of other tests: nobody is left who would let them go."""
    listed = plane.kubectl("get", "ccf", "--all-namespaces", "-o", "json")
    for network in json.loads(listed.stdout)["items"]:
        name, place = network["metadata"]["name"], f"--namespace={network['metadata']['namespace']}"
        plane.kubectl("patch", "ccf", name, place, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


async def test_definitions_that_come_late_are_taken_up(
    none: None, ground: Ground, gateway: Gateway, namespace: str
) -> None:
    await ground.not_ready(NETWORKS)
    ground.install(crd.definition())
    await ground.not_ready(DECISIONS)
    ground.install(crd.decision_definition())
    await ground.ready()

    await provide(gateway, namespace)
    await create(ground.plane, namespace)
    await first_pod(gateway, namespace)


async def test_nothing_is_done_on_an_old_definition_and_the_field_is_named(
    both: None, plane: ControlPlane, gateway: Gateway, namespace: str, tmp_path: Path
) -> None:
    install(plane, without("status.counters.nextNode"))
    await provide(gateway, namespace)
    await create(plane, namespace)
    with operator(plane.kubeconfig, namespace, tmp_path / "operator.log") as process:
        ground = Ground(plane, process, ApiProxy(plane))
        await ground.not_ready(".status.counters.nextNode")
        assert ".status.counters.nextNode" in await ground.told(namespace, "DefinitionOutdated")
        assert await gateway.list_pods(namespace, "bank") == []
        assert await gateway.list_claims(namespace, "bank") == []

        ground.install(crd.definition())
        await ground.ready()
        await first_pod(gateway, namespace)


@pytest.mark.parametrize("field", ["status.nodes", "status.nodes[].podUid", "status.phaseSince", "status.counters"])
async def test_a_definition_cut_down_under_a_running_operator_stops_it_and_costs_nothing(
    both: None, ground: Ground, gateway: Gateway, namespace: str, field: str
) -> None:
    await ground.ready()
    await provide(gateway, namespace)
    await create(ground.plane, namespace)
    pod = await first_pod(gateway, namespace)
    before = await settled(gateway, namespace)

    ground.install(without(field))
    await look_again(ground.plane, namespace, "first")
    await ground.not_ready(f".{field}")
    asked = len(ground.proxy.calls)
    for number in range(20):
        await look_again(ground.plane, namespace, str(number))

    assert await gateway.get_pod(namespace, pod["metadata"]["name"]) is not None
    assert sum(call.writes and call.path.endswith("/status") for call in ground.proxy.calls[asked:]) <= 1
    ground.install(crd.definition())
    await ground.ready()
    after = await settled(gateway, namespace)
    assert [node["name"] for node in after["status"]["nodes"]] == [node["name"] for node in before["status"]["nodes"]]
    [still] = await gateway.list_pods(namespace, "bank")
    assert still["metadata"]["uid"] == pod["metadata"]["uid"]


async def test_definitions_taken_away_are_survived(
    alone: None, ground: Ground, gateway: Gateway, namespace: str
) -> None:
    await ground.ready()
    await provide(gateway, namespace)
    await create(ground.plane, namespace)
    await first_pod(gateway, namespace)

    deleted = await asyncio.to_thread(ground.plane.kubectl, "delete", "crd", NETWORKS, DECISIONS, "--timeout=60s")
    assert deleted.returncode == 0, deleted.stderr
    await ground.not_ready(NETWORKS)
    ground.install(crd.definition(), crd.decision_definition())
    await ground.ready()
    await create(ground.plane, namespace)
    fresh = await gateway.get_network(namespace, "bank")
    assert fresh is not None

    async def begun() -> bool:
        pods = await gateway.list_pods(namespace, "bank")
        return any(fresh["metadata"]["uid"] in str(pod["metadata"]["ownerReferences"]) for pod in pods)

    await until("a pod of the new network", begun)


async def look_again(plane: ControlPlane, namespace: str, word: str) -> None:
    """Wake the operator for nothing."""
    done = await asyncio.to_thread(
        plane.kubectl, "annotate", "ccf", "bank", f"looked={word}", "--overwrite", "--namespace", namespace
    )
    assert done.returncode == 0, done.stderr
