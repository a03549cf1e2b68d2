"""The pod of a node: what it must never be able to do, and what must never be done to it."""

from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Command
from ccf_operator.render import labels
from ccf_operator.render.pod import pod
from unit.render.orders import NODE, VOLUME, order_of

COMMANDS = list(Command)
ANTI_AFFINITY = "podAntiAffinity"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def rendered(command: Command, /, **changes: Any) -> dict[str, Any]:
    return pod(order_of(command, **changes))


def containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [*manifest["spec"]["initContainers"], *manifest["spec"]["containers"]]


def mounts(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_it_passes_pod_security_restricted(command: Command) -> None:
    manifest = rendered(command)

    assert manifest["spec"]["securityContext"]["runAsNonRoot"] is True
    assert manifest["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(manifest):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {next(iter(set(v) - {"name"})) for v in manifest["spec"]["volumes"]} <= {
        "configMap",
        "emptyDir",
        "persistentVolumeClaim",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_old_generations_cannot_be_written_by_ccf(command: Command) -> None:
    ccf = mounts(rendered(command)["spec"]["containers"][0])

    assert ccf["/ledger/volume"]["readOnly"] is True
    assert "subPath" not in ccf["/ledger/volume"]
    assert ccf["/ledger/current"]["subPath"] == "gen-5"
    assert not ccf["/ledger/current"].get("readOnly", False)


@pytest.mark.parametrize("command", COMMANDS)
def test_directories_are_made_by_stage_and_the_claim_is_named_once(command: Command) -> None:
    manifest = rendered(command)

    stage = mounts(manifest["spec"]["initContainers"][0])["/volume"]
    assert "subPath" not in stage
    assert not stage.get("readOnly", False)
    claims = [v for v in manifest["spec"]["volumes"] if "persistentVolumeClaim" in v]
    assert [v["persistentVolumeClaim"]["claimName"] for v in claims] == [VOLUME]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_partition_of_the_api_does_not_kill_it(command: Command) -> None:
    tolerations = rendered(command)["spec"]["tolerations"]

    for taint in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        assert {"key": taint, "operator": "Exists", "effect": "NoExecute"} in tolerations


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_one_process_and_its_end_cannot_be_hidden(command: Command) -> None:
    manifest = rendered(command)

    assert manifest["spec"]["restartPolicy"] == "Never"
    assert manifest["metadata"]["finalizers"] == [labels.POD_FINALIZER]
    assert "livenessProbe" not in manifest["spec"]["containers"][0]


@pytest.mark.parametrize("command", COMMANDS)
def test_nodes_find_it_by_name(command: Command) -> None:
    manifest = rendered(command)

    assert manifest["spec"]["hostname"] == NODE
    assert manifest["spec"]["subdomain"] == "bank-nodes"


def test_ccf_never_gets_a_token_nor_the_environment_of_other_services() -> None:
    manifest = rendered(Command.START, pods={"serviceAccountName": "special"})

    assert manifest["spec"]["serviceAccountName"] == "special"
    assert manifest["spec"]["automountServiceAccountToken"] is False
    assert manifest["spec"]["enableServiceLinks"] is False
    assert all("env" not in container and "envFrom" not in container for container in containers(manifest))


def test_nodes_keep_apart_and_candidates_follow_their_volumes() -> None:
    node = rendered(Command.JOIN)["spec"]["affinity"][ANTI_AFFINITY]
    relaxed = rendered(Command.JOIN, pods={"hostSpread": "Preferred"})["spec"]["affinity"][ANTI_AFFINITY]
    candidate = rendered(Command.RECOVER)["spec"]["affinity"][ANTI_AFFINITY]

    assert set(node) == {REQUIRED}
    assert set(relaxed) == {PREFERRED}
    assert set(candidate) == {PREFERRED}


def test_no_node_keeps_a_candidate_away() -> None:
    """Required anti-affinity works both ways: what a running pod keeps away from cannot be placed beside it."""
    [term] = rendered(Command.START)["spec"]["affinity"][ANTI_AFFINITY][REQUIRED]
    candidate = rendered(Command.RECOVER)["metadata"]["labels"]

    [expression] = term["labelSelector"]["matchExpressions"]
    assert expression["operator"] == "In"
    assert candidate[expression["key"]] not in expression["values"]
    assert rendered(Command.JOIN)["metadata"]["labels"][expression["key"]] in expression["values"]


def test_zones_are_preferred_unless_required() -> None:
    def rule(command: Command, **changes: Any) -> str:
        [constraint] = rendered(command, **changes)["spec"]["topologySpreadConstraints"]
        return str(constraint["whenUnsatisfiable"])

    assert rule(Command.JOIN) == "ScheduleAnyway"
    assert rule(Command.JOIN, pods={"zoneSpread": "Required"}) == "DoNotSchedule"
    assert rule(Command.RECOVER, pods={"zoneSpread": "Required"}) == "ScheduleAnyway"


def test_it_is_never_best_effort() -> None:
    for pods in ({}, {"resources": {"limits": {"memory": "1Gi"}}}):
        for container in containers(rendered(Command.START, pods=pods)):
            assert container["resources"]["requests"]["cpu"] not in (0, "0")
            assert container["resources"]["requests"]["memory"] not in (0, "0")


def test_all_that_the_user_asks_for_is_there() -> None:
    manifest = rendered(
        Command.START,
        command=["/app/ccf", "--worker"],
        logLevel="Debug",
        imagePullPolicy="Never",
        imagePullSecrets=[{"name": "pull"}],
        pods={
            "nodeSelector": {"disk": "fast"},
            "priorityClassName": "high",
            "runAsUser": 4711,
            "tolerations": [{"key": "ledger", "operator": "Exists"}],
        },
    )
    ccf = manifest["spec"]["containers"][0]

    assert ccf["command"] == ["/app/ccf", "--worker"]
    assert ccf["args"] == ["--config", "/config/config.json", "--log-level", "Debug"]
    assert ccf["imagePullPolicy"] == "Never"
    assert manifest["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert manifest["spec"]["nodeSelector"] == {"disk": "fast"}
    assert manifest["spec"]["priorityClassName"] == "high"
    assert {manifest["spec"]["securityContext"][k] for k in ("runAsUser", "runAsGroup", "fsGroup")} == {4711}
    assert {"key": "ledger", "operator": "Exists"} in manifest["spec"]["tolerations"]
