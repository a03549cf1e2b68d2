"""The operator against a real API server: what it makes, what it leaves alone, and that it goes on after a crash.

No kubelet runs here: pods stay as they were created, and no node ever answers.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ccf_operator.kube.gateway import Gateway
from ccf_operator.render import labels
from integration.control_plane import ControlPlane
from integration.manifests import minimal
from integration.operator_process import OperatorProcess, operator

Raw = dict[str, Any]
Create = Callable[[Raw], Raw]

PATIENCE = 90.0


@pytest.fixture
def running(operator_kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[OperatorProcess]:
    with operator(operator_kubeconfig, namespace, tmp_path / "operator.log") as started:
        yield started


async def until(what: str, look: Callable[[], Awaitable[Any]]) -> Any:
    """Whatever `look` finds first that is true; fails after a while with what was waited for."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not seen in {PATIENCE:g} s: {what}"
        await asyncio.sleep(0.05)


def inputs(namespace: str) -> list[Raw]:
    """The ConfigMaps that the minimal manifest refers to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encryption = rsa.generate_private_key(65537, 2048).public_key()
    members = {
        "alice_cert.pem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "alice_enc_pubk.pem": encryption.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode(),
    }
    return [
        config_map(namespace, "bank-members", members),
        config_map(namespace, "bank-constitution", {"actions.js": "// actions", "apply.js": "// apply"}),
    ]


def config_map(namespace: str, name: str, data: dict[str, str]) -> Raw:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


async def provide(gateway: Gateway, namespace: str) -> None:
    for manifest in inputs(namespace):
        await gateway.create(manifest)


async def first_pod(gateway: Gateway, namespace: str) -> Raw:
    async def look() -> Raw | None:
        pods = await gateway.list_pods(namespace, "bank")
        return pods[0] if pods else None

    found: Raw = await until("a pod", look)
    return found


async def settled(gateway: Gateway, namespace: str) -> Raw:
    """The network once its status has stayed the same through two of the operator's looks."""
    seen: list[str] = []

    async def look() -> Raw | None:
        network = await gateway.get_network(namespace, "bank")
        assert network is not None
        seen.append(network["metadata"]["resourceVersion"])
        return network if len(seen) > 25 and len(set(seen[-25:])) == 1 else None

    found: Raw = await until("a status that stays", look)
    return found


async def test_a_manifest_becomes_everything_a_network_needs(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create
) -> None:
    await provide(gateway, namespace)
    network = create_network(minimal())
    uid = network["metadata"]["uid"]

    pod = await first_pod(gateway, namespace)

    name = pod["metadata"]["name"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == uid
    assert labels.POD_FINALIZER in pod["metadata"]["finalizers"]
    configuration = await gateway.get_config_map(namespace, name)
    assert configuration is not None
    assert json.loads(configuration["data"]["config.json"])["command"]["type"] == "Start"
    [claim] = await gateway.list_claims(namespace, "bank")
    assert "ownerReferences" not in claim["metadata"]
    for kind, version, wanted in (
        ("Service", "v1", "bank"),
        ("Service", "v1", "bank-nodes"),
    ):

        async def look(kind: str = kind, version: str = version, wanted: str = wanted) -> Raw | None:
            return await gateway.find(version, kind, namespace, wanted)

        made = await until(f"{kind} {wanted}", look)
        assert made["metadata"]["ownerReferences"][0]["uid"] == uid


async def test_nothing_of_ours_is_on_the_object_but_one_finalizer(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create
) -> None:
    await provide(gateway, namespace)
    create_network(minimal())
    await first_pod(gateway, namespace)

    network = await settled(gateway, namespace)

    assert network["metadata"]["finalizers"] == [labels.NETWORK_FINALIZER]
    assert not network["metadata"].get("annotations")
    assert not network["metadata"].get("labels")


async def test_the_same_manifest_again_changes_nothing(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    await provide(gateway, namespace)
    manifest = json.dumps({**minimal(), "metadata": {"name": "bank", "namespace": namespace}})
    assert control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=manifest).returncode == 0
    await first_pod(gateway, namespace)
    before = await settled(gateway, namespace)

    again = control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=manifest)
    difference = control_plane.kubectl("diff", "--server-side", "-f", "-", stdin=manifest)

    assert again.returncode == 0, again.stderr
    assert difference.returncode == 0, difference.stdout
    after = await settled(gateway, namespace)
    assert _of_the_user(after) == _of_the_user(before)


def _of_the_user(network: Raw) -> Raw:
    """The object without what the operator writes to its status."""
    metadata = {key: value for key, value in network["metadata"].items() if key != "resourceVersion"}
    metadata["managedFields"] = [one for one in metadata["managedFields"] if one.get("subresource") != "status"]
    return {**network, "metadata": metadata, "status": None}


async def test_what_is_missing_is_said_and_its_coming_is_noticed(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create
) -> None:
    create_network(minimal())

    async def blocked() -> Raw | None:
        network = await gateway.get_network(namespace, "bank")
        status = (network or {}).get("status") or {}
        return status if "bank-constitution" in json.dumps(status) else None

    status = await until("a status that names the missing ConfigMap", blocked)
    assert status["reason"] == "InputsMissing"
    assert await gateway.list_pods(namespace, "bank") == []

    await provide(gateway, namespace)

    assert await first_pod(gateway, namespace)


async def test_a_killed_operator_goes_on_and_makes_nothing_twice(
    operator_kubeconfig: Path, gateway: Gateway, namespace: str, create_network: Create, tmp_path: Path
) -> None:
    await provide(gateway, namespace)
    create_network(minimal())
    with operator(operator_kubeconfig, namespace, tmp_path / "first.log") as first:
        pod = await first_pod(gateway, namespace)
        first.kill()
    with operator(operator_kubeconfig, namespace, tmp_path / "second.log"):
        await settled(gateway, namespace)
        pods, claims = await gateway.list_pods(namespace, "bank"), await gateway.list_claims(namespace, "bank")

    assert [p["metadata"]["uid"] for p in pods] == [pod["metadata"]["uid"]]
    assert len(claims) == 1


async def test_deletion_takes_everything_but_the_volumes(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    await provide(gateway, namespace)
    create_network(minimal())
    await first_pod(gateway, namespace)

    control_plane.kubectl("delete", "ccf", "bank", "--namespace", namespace, "--wait=false")

    await until("the end of the network object", lambda: _gone(gateway, namespace))
    assert await gateway.list_pods(namespace, "bank") == []
    assert len(await gateway.list_claims(namespace, "bank")) == 1


async def test_a_deletion_that_began_without_the_operator_is_finished_by_it(
    control_plane: ControlPlane,
    operator_kubeconfig: Path,
    gateway: Gateway,
    namespace: str,
    create_network: Create,
    tmp_path: Path,
) -> None:
    await provide(gateway, namespace)
    create_network(minimal())
    with operator(operator_kubeconfig, namespace, tmp_path / "first.log"):
        pod = await first_pod(gateway, namespace)
    control_plane.kubectl("delete", "ccf", "bank", "--namespace", namespace, "--wait=false")
    assert not await _gone(gateway, namespace)

    with operator(operator_kubeconfig, namespace, tmp_path / "second.log"):
        await until("the end of the network object", lambda: _gone(gateway, namespace))

    assert await gateway.get_pod(namespace, pod["metadata"]["name"]) is None


async def test_a_name_that_is_taken_is_left_to_its_owner(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create, control_plane: ControlPlane
) -> None:
    theirs = control_plane.kubectl("create", "service", "clusterip", "bank", "--tcp=80", "--namespace", namespace)
    assert theirs.returncode == 0
    before = await gateway.find("v1", "Service", namespace, "bank")
    await provide(gateway, namespace)
    create_network(minimal())

    async def reason() -> bool:
        network = await gateway.get_network(namespace, "bank")
        return ((network or {}).get("status") or {}).get("reason") == "NameTaken"

    await until("the reason NameTaken", reason)
    after = await gateway.find("v1", "Service", namespace, "bank")
    assert before is not None
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]

    control_plane.kubectl("delete", "service", "bank", "--namespace", namespace)

    async def ours() -> Raw | None:
        service = await gateway.find("v1", "Service", namespace, "bank")
        return service if service and service["metadata"].get("ownerReferences") else None

    await until("our Service once the name is free", ours)


async def test_it_says_that_it_is_well_and_ends_when_asked(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create
) -> None:
    await provide(gateway, namespace)
    create_network(minimal())
    await first_pod(gateway, namespace)

    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{running.health_port}/healthz")
    assert answer.json()["networks"] == 1

    assert running.stop() == 0


async def test_every_line_of_a_network_names_it(
    running: OperatorProcess, gateway: Gateway, namespace: str, create_network: Create
) -> None:
    await provide(gateway, namespace)
    create_network(minimal())
    name = (await first_pod(gateway, namespace))["metadata"]["name"]

    async def told() -> list[Raw]:
        lines = [json.loads(line) for line in running.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return lines if name in {line["node"] for line in lines} else []

    lines = await until("a line about the pod", told)
    for line in lines:
        assert {"namespace", "network", "attempt", "node", "level", "timestamp", "logger"} <= set(line)
        if line["logger"].startswith("ccf_operator.reconcile."):
            assert (line["namespace"], line["network"]) == (namespace, "bank")


async def _gone(gateway: Gateway, namespace: str) -> bool:
    return await gateway.get_network(namespace, "bank") is None
