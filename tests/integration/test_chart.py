"""The chart: what it renders, and what the rights it grants allow the operator and what not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from ccf_operator.api import crd
from ccf_operator.kube.errors import Forbidden
from ccf_operator.kube.gateway import Gateway, Outcome
from ccf_operator.render import labels
from ccf_operator.render.names import NetworkRef
from ccf_operator.uninstall import remaining
from integration.conftest import CHART, OPERATOR_NAMESPACE, REPOSITORY, Helm
from integration.control_plane import ControlPlane
from integration.manifests import minimal

Create = Callable[..., dict[str, Any]]


def _render(helm: Helm, *arguments: str) -> list[dict[str, Any]]:
    text = helm("template", "ccf-operator", str(CHART), "--namespace", OPERATOR_NAMESPACE, *arguments)
    return [document for document in yaml.safe_load_all(text) if document]


def _one(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


def test_helm_finds_nothing_wrong(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_the_charts_crds_are_the_models_and_are_kept(helm: Helm) -> None:
    rendered = [document for document in _render(helm) if document["kind"] == "CustomResourceDefinition"]
    assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in rendered)
    made = [crd.definition(), crd.decision_definition()]
    assert {one["metadata"]["name"]: one["spec"] for one in rendered} == {
        one["metadata"]["name"]: one["spec"] for one in made
    }
    without = _render(helm, "--set", "crd.install=false")
    assert all(document["kind"] != "CustomResourceDefinition" for document in without)


def test_pods_pass_the_restricted_standard(helm: Helm, control_plane: ControlPlane) -> None:
    """Admission by the API server itself, in a namespace that enforces `restricted`."""
    labels_of_namespace = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "restricted", "labels": labels_of_namespace},
    }
    assert control_plane.kubectl("create", "-f", "-", stdin=json.dumps(namespace)).returncode == 0
    documents = _render(helm)
    for kind in ("Deployment", "Job"):
        template = _one(documents, kind)["spec"]["template"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**template["metadata"], "name": kind.lower(), "namespace": "restricted"},
            "spec": template["spec"],
        }
        done = control_plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        assert done.returncode == 0, done.stderr


def test_the_deployment_never_runs_two_and_cannot_write_its_file_system(helm: Helm) -> None:
    deployment = _one(_render(helm), "Deployment")["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_chart_installs_upgrades_and_leaves_the_crd_behind(
    helm: Helm, control_plane: ControlPlane, namespace: str
) -> None:
    release = ["ccf-operator", "--namespace", namespace, "--kubeconfig", str(control_plane.kubeconfig)]
    # The session's CRD was not made by Helm.
    helm("install", *release[:1], str(CHART), *release[1:], "--take-ownership", "--force-conflicts", "--wait=hookOnly")
    helm("upgrade", *release[:1], str(CHART), *release[1:], "--set", "logLevel=debug", "--wait=hookOnly")
    shown = control_plane.kubectl("get", "--namespace", namespace, "deployment/ccf-operator", "-o", "json").stdout
    (container,) = json.loads(shown)["spec"]["template"]["spec"]["containers"]
    assert {"name": "CCF_OPERATOR_LOG_LEVEL", "value": "debug"} in container["env"]
    own = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"] if "valueFrom" in one}
    assert own == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "NODE_NAME": "spec.nodeName"}
    helm("uninstall", *release, "--no-hooks", "--wait=hookOnly")
    assert control_plane.kubectl("get", "crd", "ccfnetworks.ccf.dev").returncode == 0
    assert control_plane.kubectl("get", "--namespace", namespace, "deployment/ccf-operator").returncode != 0


@pytest.fixture
def namespaced_rights(helm: Helm, control_plane: ControlPlane, namespace: str) -> str:
    """The chart's rights for the test's namespace only; its name."""
    _grant(control_plane, _render(helm, "--set", f"watchNamespaces={{{namespace}}}"))
    return namespace


def _grant(control_plane: ControlPlane, documents: list[dict[str, Any]]) -> None:
    kinds = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    rights = [document for document in documents if document["kind"] in kinds]
    done = control_plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(rights))
    assert done.returncode == 0, done.stderr


@pytest_asyncio.fixture
async def operator_gateway(control_plane: ControlPlane) -> AsyncIterator[Gateway]:
    """A gateway of the operator's service account."""
    async with await Gateway.connect(str(control_plane.operator_kubeconfig)) as connected:
        yield connected


async def test_the_operators_rights_suffice_for_all_it_does(
    operator_gateway: Gateway, namespaced_rights: str, create_network: Create
) -> None:
    gateway, namespace = operator_gateway, namespaced_rights
    network = create_network(minimal())
    uid = network["metadata"]["uid"]
    ref = NetworkRef("bank", namespace, uid)

    def manifest(api_version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": labels.network_labels(ref),
            "ownerReferences": [labels.owner_reference(ref)],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **spec}

    assert [n["metadata"]["name"] for n in await gateway.list_networks(namespace)] == ["bank"]
    await gateway.add_network_finalizer(namespace, "bank", uid)
    read = await gateway.get_network(namespace, "bank")
    assert read is not None
    await gateway.replace_status(namespace, "bank", read["metadata"]["resourceVersion"], {"phase": "Creating"})

    pod = manifest("v1", "Pod", "bank-0", {"spec": {"containers": [{"name": "ccf", "image": "none"}]}})
    pod["metadata"]["finalizers"] = [labels.POD_FINALIZER]
    claim_spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = manifest("v1", "PersistentVolumeClaim", "bank-ledger-0", {"spec": claim_spec})
    for created in (pod, claim, manifest("v1", "ConfigMap", "bank-0", {"data": {"config.json": "{}"}})):
        assert await gateway.create(created) == "created"
        assert await gateway.create(created) == "exists"
    applied = (
        manifest("v1", "Service", "bank", {"spec": {"ports": [{"port": 443}], "selector": {"a": "b"}}}),
        manifest("v1", "ConfigMap", "bank-service-identity", {"data": {"bundle.pem": "x"}}),
        manifest("policy/v1", "PodDisruptionBudget", "bank-trusted", {"spec": {"minAvailable": 2}}),
    )
    for wanted in applied:
        await gateway.apply(wanted, ref)
        await gateway.apply(wanted, ref)

    (listed,) = await gateway.list_pods(namespace, "bank")
    pod_uid = listed["metadata"]["uid"]
    await gateway.patch_labels(namespace, "bank-0", pod_uid, {labels.TRAFFIC: "yes"})
    await gateway.delete_pod(namespace, "bank-0", pod_uid, grace_seconds=0)
    assert await gateway.remove_pod_finalizer(namespace, "bank-0", pod_uid) is Outcome.DONE
    (volume,) = await gateway.list_claims(namespace, "bank")
    await gateway.annotate_claim(namespace, "bank-ledger-0", volume["metadata"]["uid"], None, {"a": "b"})
    assert len(await gateway.list_config_maps(namespace, "bank")) == 2
    await gateway.delete_config_map(namespace, "bank-0")
    assert await gateway.get_pv("none") is None
    assert await gateway.get_machines(["none"]) == {}
    assert await gateway.list_decisions(namespace) == []
    assert await gateway.list_events_about(namespace, pod_uid) == []
    assert await gateway.answer_decision(namespace, "none", "none", {"state": "Refused"}) is Outcome.GONE
    assert await gateway.publish_event(network, reason="Created", note="Seen.") == "created"
    await gateway.remove_network_finalizer(namespace, "bank", uid)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("delete", "persistentvolumeclaims"),
        ("deletecollection", "pods"),
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "pods --subresource=exec"),
        ("delete", "ccfnetworks.ccf.dev"),
        ("create", "ccfnetworks.ccf.dev"),
        ("patch", "ccfnetworks.ccf.dev --subresource=status"),
        ("create", "events"),
        ("patch", "events.events.k8s.io"),
        ("create", "ccfrecoverydecisions.ccf.dev"),
        ("patch", "ccfrecoverydecisions.ccf.dev"),
        ("delete", "ccfrecoverydecisions.ccf.dev"),
        ("update", "nodes"),
        ("delete", "persistentvolumes"),
        ("create", "serviceaccounts --subresource=token"),
        ("create", "roles.rbac.authorization.k8s.io"),
        ("patch", "rolebindings.rbac.authorization.k8s.io"),
        ("delete", "namespaces"),
    ],
)
def test_the_operator_has_no_right_it_does_not_need(
    control_plane: ControlPlane, namespaced_rights: str, verb: str, resource: str
) -> None:
    done = control_plane.kubectl(
        "auth",
        "can-i",
        verb,
        *resource.split(),
        "--namespace",
        namespaced_rights,
        f"--as={control_plane.operator_user}",
    )
    assert done.stdout.strip() == "no"


async def test_the_operator_reads_the_secrets_of_its_members_and_no_other(
    operator_gateway: Gateway, namespaced_rights: str, control_plane: ControlPlane, helm: Helm
) -> None:
    for name in ("bank-operator", "other"):
        done = control_plane.kubectl(
            "create", "secret", "generic", name, "--from-literal=a=b", "--namespace", namespaced_rights
        )
        assert done.returncode == 0, done.stderr
    with pytest.raises(Forbidden):
        await operator_gateway.get_secret(namespaced_rights, "bank-operator")

    members = json.dumps([{"namespace": namespaced_rights, "secret": "bank-operator"}])
    namespaces = f"watchNamespaces={{{namespaced_rights}}}"
    _grant(control_plane, _render(helm, "--set", namespaces, "--set-json", f"operatorMembers={members}"))

    assert await operator_gateway.get_secret(namespaced_rights, "bank-operator") is not None
    with pytest.raises(Forbidden):
        await operator_gateway.get_secret(namespaced_rights, "other")
    for verb in ("list", "watch", "create", "update", "patch", "delete"):
        asked = ("auth", "can-i", verb, "secrets", "--namespace", namespaced_rights)
        said = control_plane.kubectl(*asked, f"--as={control_plane.operator_user}")
        assert said.stdout.strip() == "no", verb


def test_a_member_without_a_name_is_refused(binaries: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(binaries / "helm"), "template", "x", str(CHART), "--set-json", 'operatorMembers=[{"namespace": "a"}]'],
        text=True,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.returncode != 0
    assert "secret" in done.stderr


async def test_rights_end_at_the_watched_namespaces(
    operator_gateway: Gateway, namespaced_rights: str, control_plane: ControlPlane
) -> None:
    assert await operator_gateway.list_pods(namespaced_rights, "bank") == []
    other = f"{namespaced_rights}-other"
    assert control_plane.kubectl("create", "namespace", other).returncode == 0
    with pytest.raises(Forbidden):
        await operator_gateway.list_pods(other, "bank")
    with pytest.raises(Forbidden):
        await operator_gateway.list_networks()


async def test_the_uninstall_guard_finds_networks_with_the_operators_rights(
    operator_gateway: Gateway, namespaced_rights: str, control_plane: ControlPlane, create_network: Create
) -> None:
    assert await remaining(operator_gateway, [namespaced_rights]) == []
    create_network(minimal())
    assert await remaining(operator_gateway, [namespaced_rights]) == [f"{namespaced_rights}/bank"]
    guard = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ccf_operator.uninstall",
        stderr=asyncio.subprocess.PIPE,
        env={
            "KUBECONFIG": str(control_plane.operator_kubeconfig),
            "CCF_OPERATOR_WATCH_NAMESPACES": namespaced_rights,
            "PYTHONPATH": str(REPOSITORY / "operator"),
        },
    )
    _, said = await guard.communicate()
    assert guard.returncode == 1
    assert f"{namespaced_rights}/bank" in said.decode()
