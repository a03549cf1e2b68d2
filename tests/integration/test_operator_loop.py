"""One look at one network against a real API server: what is read, what is written, and in which order."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ccf_operator.api.status import Command, NetworkStatus, NodeRecord, Phase
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.effects import ApplyIdentity, CreateNode, CreateVolume, Effect, RemoveFinalizer
from ccf_operator.domain.observation import Observation
from ccf_operator.domain.plan import Plan
from ccf_operator.kube.gateway import Gateway
from ccf_operator.reconcile.act import Actor
from ccf_operator.reconcile.kept import NotKept
from ccf_operator.reconcile.loop import TOLD_AFTER, NetworkLoop, Step, Withheld
from ccf_operator.reconcile.observe import Observer
from ccf_operator.reconcile.signing_member import SigningMember
from ccf_operator.render import labels, names
from ccf_operator.render.order import Platform
from integration.control_plane import ControlPlane
from integration.manifests import minimal

Raw = dict[str, Any]
Create = Callable[[Raw], Raw]
Decide = Callable[[Observation], Plan]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VOLUME = "bank-ledger-x-0"


def loop_of(gateway: Gateway, network: Raw, decide: Decide) -> NetworkLoop:
    metadata = network["metadata"]
    member = SigningMember(gateway.get_secret)
    return NetworkLoop(
        gateway=gateway,
        observer=Observer(gateway, member=member),
        actor=Actor(gateway, Platform(stage_image="operator"), member),
        decide=decide,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
    )


def planning(status: NetworkStatus, *effects: Effect) -> Decide:
    return lambda observation: Plan(status, effects, 5.0)


async def claims(gateway: Gateway, namespace: str) -> list[str]:
    return [claim["metadata"]["name"] for claim in await gateway.list_claims(namespace, "bank")]


async def adopted(gateway: Gateway, network: Raw) -> Raw:
    """The network with our finalizer on it."""
    metadata = network["metadata"]
    await gateway.add_network_finalizer(metadata["namespace"], metadata["name"], metadata["uid"])
    found = await gateway.get_network(metadata["namespace"], metadata["name"])
    assert found is not None
    return found


async def test_the_finalizer_comes_before_anything_else(
    gateway: Gateway, namespace: str, create_network: Create
) -> None:
    network = create_network(minimal())
    loop = loop_of(gateway, network, planning(NetworkStatus(), CreateVolume(VOLUME)))

    assert await loop.look() is Step.AGAIN

    found = await gateway.get_network(namespace, "bank")
    assert found is not None
    assert found["metadata"]["finalizers"] == [labels.NETWORK_FINALIZER]
    assert await claims(gateway, namespace) == []


async def test_nothing_is_done_when_someone_else_has_written_meanwhile(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    network = await adopted(gateway, create_network(minimal()))
    interference = [True]

    def decide(_: Observation) -> Plan:
        if interference.pop():
            interference.append(False)
            patch = json.dumps({"spec": {"nodes": 5}})
            done = control_plane.kubectl("patch", "ccf", "bank", "--type=merge", "-p", patch, "--namespace", namespace)
            assert done.returncode == 0, done.stderr
        else:
            interference.append(False)
        return Plan(NetworkStatus(phase=Phase.RUNNING), (CreateVolume(VOLUME),), 5.0)

    loop = loop_of(gateway, network, decide)

    assert await loop.look() is Step.AGAIN
    found = await gateway.get_network(namespace, "bank")
    assert found is not None
    assert found["status"] == {"observedGeneration": -1}
    assert await claims(gateway, namespace) == []

    assert await loop.look() is Step.AGAIN
    found = await gateway.get_network(namespace, "bank")
    assert found is not None
    assert found["status"]["phase"] == "Running"
    assert await claims(gateway, namespace) == [VOLUME]


async def test_a_status_is_written_when_nothing_has_changed_that_it_rests_on(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    network = await adopted(gateway, create_network(minimal()))

    def decide(_: Observation) -> Plan:
        done = control_plane.kubectl("annotate", "ccf", "bank", "by=another", "--overwrite", "--namespace", namespace)
        assert done.returncode == 0, done.stderr
        return Plan(NetworkStatus(phase=Phase.RUNNING), (CreateVolume(VOLUME),), 5.0)

    assert await loop_of(gateway, network, decide).look() is Step.AGAIN

    found = await gateway.get_network(namespace, "bank")
    assert found is not None
    assert found["status"]["phase"] == "Running"
    assert found["metadata"]["annotations"] == {"by": "another"}
    assert await claims(gateway, namespace) == [VOLUME]


async def test_what_has_not_changed_is_not_written(gateway: Gateway, namespace: str, create_network: Create) -> None:
    network = await adopted(gateway, create_network(minimal()))
    loop = loop_of(gateway, network, planning(NetworkStatus(phase=Phase.RUNNING), CreateVolume(VOLUME)))
    while await loop.look() is Step.AGAIN:
        pass
    before = await gateway.get_network(namespace, "bank")

    assert await loop.look() is Step.SETTLED

    assert await gateway.get_network(namespace, "bank") == before


async def test_an_effect_that_fails_does_not_stop_the_others_and_is_told_once(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    network = await adopted(gateway, create_network(minimal()))
    effects = (CreateNode("not-on-record"), ApplyIdentity(), CreateVolume(VOLUME))
    loop = loop_of(gateway, network, planning(NetworkStatus(), *effects))

    for _ in range(3):
        await loop.look()

    assert await claims(gateway, namespace) == [VOLUME]
    listed = control_plane.kubectl("get", "events.events.k8s.io", "--namespace", namespace, "-o", "json")
    told = [event for event in json.loads(listed.stdout)["items"] if event["reason"] == "EffectFailed"]
    assert sorted(event["note"].partition(":")[0] for event in told) == ["ApplyIdentity", "CreateNode"]


async def test_a_status_that_is_changed_on_its_way_licenses_nothing_and_is_named(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    """By a policy, say: here by somebody who is faster, at the version that the answer then has."""
    network = await adopted(gateway, create_network(minimal()))
    status = NetworkStatus(phase=Phase.RUNNING, message="as decided")
    loop = loop_of(gateway, network, planning(status, CreateVolume(VOLUME)))

    class Meddling(Gateway):
        async def replace_status(self, *arguments: Any, **named: Any) -> Raw:
            written = await super().replace_status(*arguments, **named)
            return {**written, "status": {key: of for key, of in written["status"].items() if key != "message"}}

    async with await Meddling.connect(str(control_plane.kubeconfig)) as meddling:
        loop.gateway = meddling
        with pytest.raises(NotKept, match=r"\.status\.message"):
            await loop.look()

    assert await claims(gateway, namespace) == []


async def test_a_look_that_fails_again_and_again_is_told_once(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    network = await adopted(gateway, create_network(minimal()))
    failed = asyncio.Event()
    looks = itertools.count(1)

    def decide(_: Observation) -> Plan:
        if next(looks) > TOLD_AFTER + 1:
            failed.set()
        raise ValueError("not a TxID: 'x.y'")

    running = asyncio.create_task(loop_of(gateway, network, decide).run())
    await asyncio.wait_for(failed.wait(), 60)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    listed = control_plane.kubectl("get", "events.events.k8s.io", "--namespace", namespace, "-o", "json")
    [told] = [event for event in json.loads(listed.stdout)["items"] if event["reason"] == "LookFailed"]
    assert "ValueError: not a TxID: 'x.y'" in told["note"]
    assert next(looks) <= TOLD_AFTER + 3, "it must not spin"


async def test_nothing_is_done_while_it_is_withheld_and_all_once_it_is_not(
    gateway: Gateway, namespace: str, create_network: Create
) -> None:
    network = await adopted(gateway, create_network(minimal()))
    loop = loop_of(gateway, network, planning(NetworkStatus(phase=Phase.RUNNING), CreateVolume(VOLUME)))
    loop.withheld = lambda: "the definition lacks .status.nodes"
    with pytest.raises(Withheld):
        await loop.look()
    assert await claims(gateway, namespace) == []

    loop.withheld = lambda: None
    await loop.look()
    assert await claims(gateway, namespace) == [VOLUME]


async def test_another_object_of_the_same_name_is_not_ours(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    first = create_network(minimal())
    control_plane.kubectl("delete", "ccf", "bank", "--namespace", namespace)
    create_network(minimal())
    loop = loop_of(gateway, first, planning(NetworkStatus(), CreateVolume(VOLUME), RemoveFinalizer()))

    assert await loop.look() is Step.GONE
    assert await claims(gateway, namespace) == []


async def test_nodes_that_run_or_may_run_on_are_asked_and_as_whom_they_are_known(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    network = await adopted(gateway, create_network(minimal()))
    uid = network["metadata"]["uid"]
    running, starting, foreign, silent = "bank-x-0", "bank-x-1", "bank-x-2", "bank-x-3"
    for name, owner in ((running, uid), (starting, uid), (foreign, "someone-else"), (silent, uid)):
        await gateway.create(bare_pod(namespace, name, owner))
    for name in (running, foreign):
        report(control_plane, namespace, name, ip="192.0.2.7", state={"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    for name, ip in ((starting, "192.0.2.8"), (silent, "192.0.2.9")):
        report(control_plane, namespace, name, ip=ip, state={"waiting": {"reason": "PodInitializing"}})
    ids: dict[str, str | None] = {running: "a" * 64, starting: None, foreign: "c" * 64, silent: "d" * 64}
    status = NetworkStatus(
        nodes=[
            NodeRecord(name=name, volume=VOLUME, generation=0, command=Command.JOIN, planned_at=NOW, node_id=node_id)
            for name, node_id in ids.items()
        ]
    )
    asked: list[tuple[str, int, str]] = []

    async def ask(
        host: str,
        port: int,
        *,
        expected_node_id: str | None,
        timeout: float = 2.0,  # noqa: ASYNC109
        so_far: Callable[[NodeAnswers], None],
    ) -> NodeAnswers:
        asked.append((host, port, expected_node_id or "anyone"))
        return NodeAnswers(reached=True)

    written = await gateway.replace_status(
        namespace, "bank", network["metadata"]["resourceVersion"], status.model_dump(mode="json", by_alias=True), uid
    )
    observation = await Observer(gateway, member=SigningMember(gateway.get_secret), ask=ask).look(written)

    assert sorted(asked) == [
        ("192.0.2.7", names.OPERATOR_PORT, ids[running]),
        ("192.0.2.9", names.OPERATOR_PORT, ids[silent]),
    ]
    assert set(observation.answers) == {running, silent}
    assert set(observation.pods) == set(ids)


async def test_what_may_not_be_read_is_unknown_not_absent(
    gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    network = await adopted(gateway, create_network(minimal()))
    allowed = control_plane.kubectl(
        "create", "rolebinding", "all", "--clusterrole=cluster-admin", f"--user={control_plane.operator_user}",
        "--namespace", namespace,
    )  # fmt: skip
    assert allowed.returncode == 0, allowed.stderr
    pod = bare_pod(namespace, "bank-x-0", network["metadata"]["uid"])
    pod["spec"]["nodeName"] = "machine-1"
    await gateway.create(pod)

    async with await Gateway.connect(str(control_plane.operator_kubeconfig)) as restricted:
        observation = await Observer(restricted, member=SigningMember(restricted.get_secret)).look(network)
    everything = await Observer(gateway, member=SigningMember(gateway.get_secret)).look(network)

    assert observation.machines is None
    assert everything.machines == {}


def bare_pod(namespace: str, name: str, owner: str) -> Raw:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {labels.MANAGED_BY: "ccf-operator", labels.NETWORK: "bank"},
            "ownerReferences": [
                {
                    "apiVersion": labels.API_VERSION,
                    "kind": labels.KIND,
                    "name": "bank",
                    "uid": owner,
                    "controller": True,
                }
            ],
        },
        "spec": {"containers": [{"name": "ccf", "image": "app"}]},
    }


def report(control_plane: ControlPlane, namespace: str, pod: str, *, ip: str, state: Raw) -> None:
    """Say of a pod what its kubelet would."""
    container = {"name": "ccf", "image": "app", "imageID": "", "ready": True, "restartCount": 0, "state": state}
    status = {"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "containerStatuses": [container]}}
    done = control_plane.kubectl(
        "patch", "pod", pod, "--namespace", namespace, "--subresource=status", "--type=merge", "-p", json.dumps(status)
    )
    assert done.returncode == 0, done.stderr
