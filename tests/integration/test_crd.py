"""What the API server makes of manifests: defaults, refusals, subresources, columns."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import NetworkStatus
from ccf_operator.kube.gateway import Gateway
from integration.conftest import REPOSITORY
from integration.control_plane import ControlPlane
from integration.manifests import member, minimal, without_share

Create = Callable[..., dict[str, Any]]
PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


def _apply(control_plane: ControlPlane, namespace: str, manifest: dict[str, Any]) -> tuple[int, str]:
    done = control_plane.kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(manifest))
    return done.returncode, done.stdout + done.stderr


def test_what_a_user_leaves_out_is_filled_in_as_the_models_say(create_network: Create) -> None:
    given = minimal()["spec"]
    answered = create_network(minimal())["spec"]
    assert answered["nodes"] == 3
    assert answered["recovery"]["mode"] == "Automatic"
    assert answered["pods"]["resources"] == {"requests": {"cpu": "100m", "memory": "256Mi"}}
    assert CCFNetworkSpec.model_validate(answered) == CCFNetworkSpec.model_validate(given)


def test_a_part_given_leaves_the_rest_of_it_at_the_default(create_network: Create) -> None:
    spec = create_network(
        minimal(recovery={"mode": "Manual"}, pods={"resources": {"limits": {"memory": "1Gi"}}}, storage={})
    )["spec"]
    assert spec["recovery"]["candidateDeadline"] == "10m"
    assert spec["recovery"]["mode"] == "Manual"
    assert spec["pods"]["resources"]["requests"] == {"cpu": "100m", "memory": "256Mi"}
    assert spec["pods"]["runAsUser"] == 1000
    assert spec["storage"] == {"accessMode": "ReadWriteOnce", "size": "10Gi"}


def test_free_form_member_data_and_null_are_taken(create_network: Create) -> None:
    spec = create_network(
        minimal(members=[member("alice", data={"is_operator": True, "deep": {"a": [1, "x"]}}, recoveryRole=None)])
    )["spec"]
    assert spec["members"][0]["data"] == {"is_operator": True, "deep": {"a": [1, "x"]}}
    assert "recoveryRole" not in spec["members"][0]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "name too long": (minimal("b" * 41), "at most 40 lower-case letters"),
    "name with a dot": (minimal("bank.one"), "at most 40 lower-case letters"),
    "name that begins with a digit": (minimal("1bank"), "beginning with a letter"),
    "no nodes": (minimal(nodes=0), "greater than or equal to 1"),
    "too many nodes": (minimal(nodes=10), "less than or equal to 9"),
    "no members": (minimal(members=[]), "at least 1 item"),
    "two members of one name": (minimal(members=[member("alice"), member("alice")]), "Duplicate value"),
    "no source of a certificate": (
        minimal(members=[{**member("alice"), "certificate": {}}]),
        "write exactly one of configMapKeyRef: {name: <ConfigMap>, key: <key>} and value",
    ),
    "two sources of a certificate": (
        minimal(members=[{**member("alice"), "certificate": {**member("alice")["certificate"], "value": PEM}}]),
        "write exactly one of configMapKeyRef",
    ),
    "a file name as PEM": (
        minimal(members=[{**member("alice"), "certificate": {"value": "alice_cert.pem"}}]),
        "to name a file of a ConfigMap write configMapKeyRef",
    ),
    "a certificate as encryption key": (
        minimal(members=[{**member("alice"), "encryptionPublicKey": {"value": PEM}}]),
        "-----BEGIN PUBLIC KEY-----",
    ),
    "nobody could recover": (minimal(members=[without_share("alice")]), "give at least one member an encryption"),
    "only a member who takes no part": (
        minimal(members=[member("alice", recoveryRole="NonParticipant")]),
        "give at least one member an encryptionPublicKey",
    ),
    "threshold above the shares": (
        minimal(members=[member("alice"), without_share("bob")], recoveryThreshold=2),
        "lower it, or give more members an encryptionPublicKey",
    ),
    "owners do not count towards the threshold": (
        minimal(members=[member("alice"), member("bob", recoveryRole="Owner")], recoveryThreshold=2),
        "lower it, or give more members an encryptionPublicKey",
    ),
    "role without key": (
        minimal(members=[member("alice"), without_share("bob", recoveryRole="Owner")]),
        "add encryptionPublicKey or leave recoveryRole out",
    ),
    "unknown mode": (minimal(recovery={"mode": "Auto"}), '"Automatic", "Manual", "Disabled"'),
    "duration without unit": (minimal(recovery={"quorumLossWindow": "30"}), "for example 30s, 10m or 500ms"),
    "size without sense": (minimal(storage={"size": "10 GB"}), "for example 10Gi"),
    "chunk size in Kubernetes' units": (minimal(ledger={"chunkSize": "5Mi"}), "for example 5MB"),
    "image with a space": (minimal(image="a b"), "write an image reference without spaces"),
    "election before the message": (
        minimal(consensus={"messageTimeout": "5s", "electionTimeout": "1s"}),
        "electionTimeout must be longer than messageTimeout",
    ),
    "messages without pause": (minimal(consensus={"messageTimeout": "0s"}), "write for example messageTimeout: 100ms"),
    "root": (minimal(pods={"runAsUser": 0}), "greater than or equal to 1"),
    "a field that does not exist": (minimal(node=5), 'unknown field "spec.node"'),
    "a toleration's field that does not exist": (
        minimal(pods={"tolerations": [{"keys": "x"}]}),
        'unknown field "spec.pods.tolerations[0].keys"',
    ),
}


@pytest.mark.parametrize(("manifest", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_manifest_is_refused_with_what_to_write(
    control_plane: ControlPlane, manifest: dict[str, Any], says: str
) -> None:
    done = control_plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize("field", ["image", "members", "constitution"])
def test_what_is_required_is_named(control_plane: ControlPlane, field: str) -> None:
    manifest = minimal()
    del manifest["spec"][field]
    done = control_plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    assert f"spec.{field}: Required value" in done.stderr


def test_owners_alone_suffice_with_a_threshold_of_one(create_network: Create) -> None:
    spec = create_network(minimal(members=[member("alice", recoveryRole="Owner")], recoveryThreshold=1))["spec"]
    assert spec["recoveryThreshold"] == 1


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "members": ({"members": [member("alice"), member("bob")]}, "governance proposal (set_member, remove_member)"),
    "member data": ({"members": [member("alice", data={"x": 2})]}, "governance proposal (set_member, remove_member)"),
    "constitution": (
        {"constitution": {"configMapRef": {"name": "another"}}},
        "governance proposal (set_constitution)",
    ),
    "threshold": ({"recoveryThreshold": None}, "governance proposal (set_recovery_threshold)"),
    "storage class": ({"storage": {"storageClassName": "slow"}}, "storageClassName cannot change"),
    "storage class left out": ({"storage": {}}, "storageClassName cannot change"),
    "access mode": (
        {"storage": {"storageClassName": "fast", "accessMode": "ReadWriteOncePod"}},
        "accessMode cannot change",
    ),
}


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES.keys())
def test_what_governance_owns_cannot_be_changed(
    control_plane: ControlPlane, namespace: str, change: dict[str, Any], says: str
) -> None:
    before = minimal(
        members=[member("alice", data={"x": 1})], recoveryThreshold=1, storage={"storageClassName": "fast"}
    )
    assert _apply(control_plane, namespace, before)[0] == 0
    _say_that_there_is_a_service(control_plane, namespace)
    after = copy.deepcopy(before)
    after["spec"].update(change)
    code, output = _apply(control_plane, namespace, after)
    assert code != 0
    assert says in output


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_service_was_not_made_of_yet_can_be_corrected(
    control_plane: ControlPlane, namespace: str, change: dict[str, Any], says: str
) -> None:
    before = minimal(
        members=[member("alice", data={"x": 1})], recoveryThreshold=1, storage={"storageClassName": "fast"}
    )
    assert _apply(control_plane, namespace, before)[0] == 0
    after = copy.deepcopy(before)
    after["spec"].update(change)
    code, output = _apply(control_plane, namespace, after)
    assert code == 0, output
    assert says not in output


def _say_that_there_is_a_service(control_plane: ControlPlane, namespace: str) -> None:
    status = json.dumps({"status": {"service": {"publicKey": "0" * 64}}})
    done = control_plane.kubectl(
        "patch", "ccf", "bank", "--namespace", namespace, "--subresource=status", "--type=merge", "-p", status
    )
    assert done.returncode == 0, done.stderr


def test_the_rest_can_be_changed(control_plane: ControlPlane, namespace: str) -> None:
    assert _apply(control_plane, namespace, minimal())[0] == 0
    changed = minimal(nodes=5, image="registry.example/ccf-app:7.0.1", storage={"size": "20Gi"}, logLevel="Debug")
    code, output = _apply(control_plane, namespace, changed)
    assert code == 0, output


@pytest.mark.parametrize("how", [["apply"], ["apply", "--server-side"]], ids=["client-side", "server-side"])
def test_applying_the_same_again_changes_nothing(control_plane: ControlPlane, namespace: str, how: list[str]) -> None:
    manifest = json.dumps(minimal(members=[member("alice", data={"x": [1]}), without_share("bob")]))

    def apply() -> dict[str, Any]:
        done = control_plane.kubectl(*how, "--namespace", namespace, "-o", "json", "-f", "-", stdin=manifest)
        assert done.returncode == 0, done.stderr
        metadata: dict[str, Any] = json.loads(done.stdout)["metadata"]
        return metadata

    # The second one may store the status that says that nobody has looked; no third one does anything.
    first, second, third = apply(), apply(), apply()
    assert third["resourceVersion"] == second["resourceVersion"]
    assert third["generation"] == first["generation"]
    diff = control_plane.kubectl("diff", *how[1:], "--namespace", namespace, "-f", "-", stdin=manifest)
    assert (diff.returncode, diff.stdout) == (0, ""), diff.stderr


async def test_applying_again_after_the_operator_has_written_changes_nothing(
    control_plane: ControlPlane, namespace: str, gateway: Gateway
) -> None:
    assert _apply(control_plane, namespace, minimal())[0] == 0
    network = await gateway.get_network(namespace, "bank")
    assert network is not None
    await gateway.add_network_finalizer(namespace, "bank", network["metadata"]["uid"])
    network = await gateway.get_network(namespace, "bank")
    assert network is not None
    written = await gateway.replace_status(
        namespace, "bank", network["metadata"]["resourceVersion"], {"phase": "Creating"}
    )
    assert _apply(control_plane, namespace, minimal())[0] == 0
    after = await gateway.get_network(namespace, "bank")
    assert after is not None
    assert after["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]


async def test_scale_reads_and_sets_nodes(
    control_plane: ControlPlane, namespace: str, gateway: Gateway, create_network: Create
) -> None:
    created = create_network(minimal())
    await gateway.replace_status(
        namespace,
        "bank",
        created["metadata"]["resourceVersion"],
        {"nodesTotal": 2, "selector": "ccf.dev/network=bank"},
    )
    path = f"/apis/ccf.dev/v1alpha1/namespaces/{namespace}/ccfnetworks/bank/scale"
    scale = json.loads(control_plane.kubectl("get", "--raw", path).stdout)
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 2, "selector": "ccf.dev/network=bank"}
    done = control_plane.kubectl("scale", "--namespace", namespace, "ccf/bank", "--replicas=5")
    assert done.returncode == 0, done.stderr
    after = await gateway.get_network(namespace, "bank")
    assert after is not None
    assert after["spec"]["nodes"] == 5


def _full(model: type[BaseModel]) -> dict[str, Any]:
    """A value for every field of a status model, by its JSON schema."""
    document = model.model_json_schema(by_alias=True)
    definitions = document.get("$defs", {})

    def value(schema: dict[str, Any]) -> Any:
        if "$ref" in schema:
            return value(definitions[schema["$ref"].removeprefix("#/$defs/")])
        if "anyOf" in schema:
            return value(next(choice for choice in schema["anyOf"] if choice != {"type": "null"}))
        if "enum" in schema:
            return schema["enum"][-1]
        if schema["type"] == "object" and "properties" in schema:
            return {name: value(field) for name, field in schema["properties"].items()}
        if schema["type"] == "object":
            return {"key": value(schema["additionalProperties"])}
        if schema["type"] == "array":
            return [value(schema["items"])]
        if schema.get("format") == "date-time":
            return datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC).isoformat()
        return {"string": "text", "integer": 7_000_000_000, "boolean": True}[schema["type"]]

    full: dict[str, Any] = value(document)
    return full


async def test_a_status_with_every_field_comes_back_as_written(
    namespace: str, gateway: Gateway, create_network: Create
) -> None:
    status = NetworkStatus.model_validate({**_full(NetworkStatus), "nodesTotal": 3})
    written = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert written["attempt"]["candidates"][0]["survey"]["configurations"] == [["text"]]
    created = create_network(minimal())
    await gateway.replace_status(namespace, "bank", created["metadata"]["resourceVersion"], written)
    network = await gateway.get_network(namespace, "bank")
    assert network is not None
    assert network["status"] == written
    assert NetworkStatus.model_validate(network["status"]) == status


async def test_a_fresh_status_with_its_nulls_is_taken_too(
    namespace: str, gateway: Gateway, create_network: Create
) -> None:
    created = create_network(minimal())
    written = NetworkStatus().model_dump(mode="json", by_alias=True)
    answer = await gateway.replace_status(namespace, "bank", created["metadata"]["resourceVersion"], written)
    assert NetworkStatus.model_validate(answer["status"]) == NetworkStatus()


async def test_the_columns_say_how_it_is(
    control_plane: ControlPlane, namespace: str, gateway: Gateway, create_network: Create
) -> None:
    created = create_network(minimal())
    status = {
        "readyNodes": "2/3",
        "phase": "Degraded",
        "recoveries": 1,
        "reason": "NodeEnded",
        "message": "One node ended.",
        "service": {"status": "Open", "recoveryCount": 1},
        "quorum": {"verdict": "Degraded"},
        "highWaterMark": {"txID": "2.14", "service": "ab", "seenAt": "2026-01-02T03:04:05Z"},
    }
    await gateway.replace_status(namespace, "bank", created["metadata"]["resourceVersion"], status)
    for name in ("ccf", "ccf-operator"):
        lines = control_plane.kubectl("get", "--namespace", namespace, name).stdout.splitlines()
        assert lines[0].split() == ["NAME", "READY", "SERVICE", "PHASE", "RECOVERIES", "TXID", "AGE"]
        assert lines[1].split()[1:6] == ["2/3", "Open", "Degraded", "1", "2.14"]
    wide = control_plane.kubectl("get", "--namespace", namespace, "ccf", "-o", "wide").stdout.splitlines()
    assert wide[0].split()[-3:] == ["VERDICT", "REASON", "MESSAGE"]
    assert wide[1].rstrip().endswith("One node ended.")


async def test_who_deletes_all_of_a_namespace_keeps_the_networks(
    control_plane: ControlPlane, namespace: str, gateway: Gateway, create_network: Create
) -> None:
    create_network(minimal())
    swept = control_plane.kubectl("delete", "all", "--all", "--namespace", namespace, "--wait=false")
    assert swept.returncode == 0, swept.stderr
    found = await gateway.get_network(namespace, "bank")
    assert found is not None
    assert "deletionTimestamp" not in found["metadata"]


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_taken(control_plane: ControlPlane, namespace: str, example: Path) -> None:
    done = control_plane.kubectl("apply", "--namespace", namespace, "-o", "json", "-f", str(example))
    assert done.returncode == 0, done.stderr
    CCFNetworkSpec.model_validate(json.loads(done.stdout)["spec"])


def test_every_part_is_explained(control_plane: ControlPlane) -> None:
    explained = control_plane.kubectl("explain", "ccfnetwork.spec.recovery.mode").stdout
    assert "Automatic: recover once the loss is proven" in " ".join(explained.split())
