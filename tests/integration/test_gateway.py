"""The gateway against a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ccf_operator.kube.errors import Conflict, Invalid, NameTaken, NotFound, Unavailable
from ccf_operator.kube.gateway import Gateway, Outcome
from ccf_operator.render import labels
from ccf_operator.render.names import NetworkRef
from integration.control_plane import ControlPlane
from integration.manifests import minimal

Create = Callable[..., dict[str, Any]]
UID = "11111111-2222-3333-4444-555555555555"
OTHER_UID = "99999999-2222-3333-4444-555555555555"


def _network(namespace: str, uid: str = UID) -> NetworkRef:
    return NetworkRef(name="bank", namespace=namespace, uid=uid)


def _config_map(namespace: str, uid: str = UID, **data: str) -> dict[str, Any]:
    network = _network(namespace, uid)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "bank-1",
            "namespace": namespace,
            "labels": labels.network_labels(network),
            "ownerReferences": [labels.owner_reference(network)],
        },
        "data": data,
    }


def _pod(namespace: str, name: str = "bank-11111-0", finalizers: tuple[str, ...] = ()) -> dict[str, Any]:
    network = _network(namespace)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels.network_labels(network),
            "ownerReferences": [labels.owner_reference(network)],
            "finalizers": list(finalizers),
        },
        "spec": {"containers": [{"name": "ccf", "image": "none"}], "automountServiceAccountToken": False},
    }


def _claim(namespace: str, uid: str = UID) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "bank-ledger-0",
            "namespace": namespace,
            "labels": labels.claim_labels(_network(namespace, uid), "bank-ledger-0"),
        },
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


async def _uid_of_pod(gateway: Gateway, namespace: str, name: str = "bank-11111-0") -> str:
    pod = await gateway.get_pod(namespace, name)
    assert pod is not None
    uid: str = pod["metadata"]["uid"]
    return uid


async def test_create_makes_an_object_once_and_leaves_what_exists(gateway: Gateway, namespace: str) -> None:
    assert await gateway.create(_config_map(namespace, a="1")) == "created"
    assert await gateway.create(_config_map(namespace, a="2")) == "exists"
    found = await gateway.get_config_map(namespace, "bank-1")
    assert found is not None
    assert found["data"] == {"a": "1"}


async def test_of_many_creates_at_once_one_makes_the_object(gateway: Gateway, namespace: str) -> None:
    results = await asyncio.gather(*(gateway.create(_pod(namespace)) for _ in range(8)))
    assert sorted(results) == ["created"] + ["exists"] * 7


async def test_create_refuses_a_name_that_another_owner_has(gateway: Gateway, namespace: str) -> None:
    await gateway.create(_config_map(namespace, OTHER_UID, a="1"))
    with pytest.raises(NameTaken, match="ConfigMap bank-1 exists and does not belong to this network"):
        await gateway.create(_config_map(namespace, UID, a="1"))


async def test_create_refuses_a_claim_of_an_earlier_network(gateway: Gateway, namespace: str) -> None:
    await gateway.create(_claim(namespace, OTHER_UID))
    with pytest.raises(NameTaken):
        await gateway.create(_claim(namespace, UID))
    assert await gateway.create(_claim(namespace, OTHER_UID)) == "exists"


async def test_create_of_an_object_the_server_does_not_accept_says_so(gateway: Gateway, namespace: str) -> None:
    pod = _pod(namespace)
    pod["spec"]["containers"] = []
    with pytest.raises(Invalid, match="containers"):
        await gateway.create(pod)


async def test_apply_again_keeps_the_resource_version(gateway: Gateway, namespace: str) -> None:
    first = await gateway.apply(_config_map(namespace, a="1"), _network(namespace))
    second = await gateway.apply(_config_map(namespace, a="1"), _network(namespace))
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    third = await gateway.apply(_config_map(namespace, b="2"), _network(namespace))
    assert third["data"] == {"b": "2"}


async def test_apply_takes_nothing_back_that_was_written_since_it_was_confirmed(
    gateway: Gateway, namespace: str
) -> None:
    await gateway.apply(_config_map(namespace, a="1"), _network(namespace))

    async def overtaken() -> None:
        await gateway.apply(_config_map(namespace, a="3"), _network(namespace))

    with pytest.raises(Conflict):
        await gateway.apply(_config_map(namespace, a="2"), _network(namespace), overtaken)

    found = await gateway.get_config_map(namespace, "bank-1")
    assert found is not None
    assert found["data"] == {"a": "3"}


async def test_apply_writes_nothing_that_is_not_confirmed(gateway: Gateway, namespace: str) -> None:
    async def refuse() -> None:
        raise Conflict("not wanted any more")

    with pytest.raises(Conflict):
        await gateway.apply(_config_map(namespace, a="1"), _network(namespace), refuse)

    assert await gateway.get_config_map(namespace, "bank-1") is None


async def test_apply_refuses_a_name_that_another_owner_has(gateway: Gateway, namespace: str) -> None:
    await gateway.create(_config_map(namespace, OTHER_UID, a="1"))
    with pytest.raises(NameTaken):
        await gateway.apply(_config_map(namespace, UID, a="2"), _network(namespace))
    found = await gateway.get_config_map(namespace, "bank-1")
    assert found is not None
    assert found["data"] == {"a": "1"}


async def test_a_pod_is_deleted_by_its_uid_only(gateway: Gateway, namespace: str) -> None:
    await gateway.create(_pod(namespace))
    assert await gateway.delete_pod(namespace, "bank-11111-0", OTHER_UID) is Outcome.REPLACED
    uid = await _uid_of_pod(gateway, namespace)
    assert await gateway.delete_pod(namespace, "bank-11111-0", uid, grace_seconds=0) is Outcome.DONE
    assert await gateway.delete_pod(namespace, "bank-11111-0", uid) is Outcome.GONE


async def test_a_finalizer_keeps_the_pod_until_it_is_removed_and_others_stay(gateway: Gateway, namespace: str) -> None:
    await gateway.create(_pod(namespace, finalizers=("example.com/first", labels.POD_FINALIZER)))
    uid = await _uid_of_pod(gateway, namespace)
    await gateway.delete_pod(namespace, "bank-11111-0", uid, grace_seconds=0)
    held = await gateway.get_pod(namespace, "bank-11111-0")
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    assert await gateway.remove_pod_finalizer(namespace, "bank-11111-0", OTHER_UID) is Outcome.REPLACED
    assert await gateway.remove_pod_finalizer(namespace, "bank-11111-0", uid) is Outcome.DONE
    held = await gateway.get_pod(namespace, "bank-11111-0")
    assert held is not None
    assert held["metadata"]["finalizers"] == ["example.com/first"]
    assert await gateway.remove_pod_finalizer(namespace, "bank-11111-0", uid, "example.com/first") is Outcome.DONE
    assert await gateway.get_pod(namespace, "bank-11111-0") is None
    assert await gateway.remove_pod_finalizer(namespace, "bank-11111-0", uid) is Outcome.GONE


async def test_labels_are_set_and_removed_by_uid(gateway: Gateway, namespace: str) -> None:
    await gateway.create(_pod(namespace))
    uid = await _uid_of_pod(gateway, namespace)
    change = {labels.TRAFFIC: "yes", labels.NAME: None}
    assert await gateway.patch_labels(namespace, "bank-11111-0", OTHER_UID, change) is Outcome.REPLACED
    assert await gateway.patch_labels(namespace, "bank-11111-0", uid, change) is Outcome.DONE
    pod = await gateway.get_pod(namespace, "bank-11111-0")
    assert pod is not None
    assert pod["metadata"]["labels"][labels.TRAFFIC] == "yes"
    assert labels.NAME not in pod["metadata"]["labels"]
    assert await gateway.patch_labels(namespace, "bank-none", uid, change) is Outcome.GONE


async def test_a_claim_is_annotated_by_uid_and_at_the_version_that_was_seen(gateway: Gateway, namespace: str) -> None:
    await gateway.create(_claim(namespace))
    claim = await gateway.get_claim(namespace, "bank-ledger-0")
    assert claim is not None
    uid, version = claim["metadata"]["uid"], claim["metadata"]["resourceVersion"]
    assert await gateway.annotate_claim(namespace, "bank-ledger-0", OTHER_UID, None, {"a": "1"}) is Outcome.REPLACED
    assert await gateway.annotate_claim(namespace, "bank-ledger-0", uid, version, {"a": "1"}) is Outcome.DONE
    claim = await gateway.get_claim(namespace, "bank-ledger-0")
    assert claim is not None
    assert claim["metadata"]["annotations"]["a"] == "1"
    with pytest.raises(Conflict):
        await gateway.annotate_claim(namespace, "bank-ledger-0", uid, version, {"a": "2"})


async def test_lists_hold_what_bears_the_networks_label(gateway: Gateway, namespace: str) -> None:
    stranger = _pod(namespace, "stranger")
    stranger["metadata"]["labels"] = {}
    await gateway.create(_pod(namespace))
    await gateway.create(stranger)
    await gateway.create(_claim(namespace))
    await gateway.create(_config_map(namespace))
    assert [p["metadata"]["name"] for p in await gateway.list_pods(namespace, "bank")] == ["bank-11111-0"]
    assert [c["metadata"]["name"] for c in await gateway.list_claims(namespace, "bank")] == ["bank-ledger-0"]
    assert [c["metadata"]["name"] for c in await gateway.list_config_maps(namespace, "bank")] == ["bank-1"]
    assert await gateway.list_pods(namespace, "mint") == []


async def test_a_status_is_written_only_at_the_version_that_was_read(
    gateway: Gateway, namespace: str, create_network: Create
) -> None:
    read = create_network(minimal())["metadata"]
    version, uid = read["resourceVersion"], read["uid"]
    written = await gateway.replace_status(namespace, "bank", version, {"phase": "Creating"}, uid)
    assert written["status"] == {"phase": "Creating"}
    with pytest.raises(Conflict):
        await gateway.replace_status(namespace, "bank", version, {"phase": "Running"}, uid)
    newer = written["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await gateway.replace_status(namespace, "bank", newer, {"phase": "Running"}, OTHER_UID)
    network = await gateway.get_network(namespace, "bank")
    assert network is not None
    assert network["status"] == {"phase": "Creating"}
    with pytest.raises(NotFound):
        await gateway.replace_status(namespace, "mint", newer, {"phase": "Running"})


async def test_the_same_status_again_keeps_the_resource_version(
    gateway: Gateway, namespace: str, create_network: Create
) -> None:
    created = create_network(minimal())
    first = await gateway.replace_status(
        namespace, "bank", created["metadata"]["resourceVersion"], {"phase": "Creating"}
    )
    second = await gateway.replace_status(
        namespace, "bank", first["metadata"]["resourceVersion"], {"phase": "Creating"}
    )
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_the_networks_finalizer_is_put_on_and_taken_off(
    gateway: Gateway, control_plane: ControlPlane, namespace: str, create_network: Create
) -> None:
    uid = create_network(minimal())["metadata"]["uid"]
    assert await gateway.add_network_finalizer(namespace, "bank", OTHER_UID) is Outcome.REPLACED
    assert await gateway.add_network_finalizer(namespace, "bank", uid) is Outcome.DONE
    assert await gateway.add_network_finalizer(namespace, "bank", uid) is Outcome.DONE
    control_plane.kubectl("delete", "--namespace", namespace, "ccf/bank", "--wait=false")
    network = await gateway.get_network(namespace, "bank")
    assert network is not None
    assert network["metadata"]["finalizers"] == [labels.NETWORK_FINALIZER]
    assert await gateway.remove_network_finalizer(namespace, "bank", uid) is Outcome.DONE
    assert await gateway.get_network(namespace, "bank") is None
    assert await gateway.add_network_finalizer(namespace, "bank", uid) is Outcome.GONE


async def test_an_event_with_a_key_is_published_once(
    gateway: Gateway, control_plane: ControlPlane, namespace: str, create_network: Create
) -> None:
    network = create_network(minimal())
    for expected in ("created", "exists"):
        published = await gateway.publish_event(
            network, reason="WinnerChosen", note="é" * 1000, warning=True, key="attempt-1"
        )
        assert published == expected
    shown = control_plane.kubectl("events", "--namespace", namespace, "--for", "CCFNetwork/bank").stdout
    assert shown.count("WinnerChosen") == 1


async def test_machines_that_do_not_exist_are_missing_in_the_answer(
    gateway: Gateway, control_plane: ControlPlane, namespace: str
) -> None:
    name = f"machine-of-{namespace}"
    control_plane.kubectl(
        "create", "-f", "-", stdin=f'{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{name}"}}}}'
    )
    assert list(await gateway.get_machines([name, "gone"])) == [name]
    assert await gateway.get_pv("gone") is None


@pytest.fixture
def kubeconfig_of_nobody(control_plane: ControlPlane, tmp_path: Path) -> Path:
    """A kubeconfig that names an address where nothing listens."""
    path = tmp_path / "kubeconfig"
    path.write_text(control_plane.kubeconfig.read_text().replace(control_plane.url, "https://127.0.0.1:1"))
    return path


async def test_an_api_server_that_is_away_is_unavailable(kubeconfig_of_nobody: Path) -> None:
    async with await Gateway.connect(str(kubeconfig_of_nobody), call_timeout=2.0) as gateway:
        with pytest.raises(Unavailable):
            await gateway.get_pod("default", "x")
