"""The pod of a node.

Never restarted: a restarted CCF process would be another node, or refuse (CCF facts §8.4, §11). It is not evicted when
its machine is cut off, for that would turn a partition of the API into the killing of a healthy majority, and its
object stays until its end is on record.
"""

from __future__ import annotations

from typing import Any

from ccf_operator.api.spec import CCFNetworkSpec, Spread
from ccf_operator.api.status import Command
from ccf_operator.kube.views import CCF, STAGE
from ccf_operator.render import labels, layout, names
from ccf_operator.render.labels import Role
from ccf_operator.render.order import NodeOrder

GRACE_SECONDS = 30
"""CCF ends within a tenth of a second when asked (CCF facts §10); this is for one that hangs."""

TERMINATION_LOG = "/dev/termination-log"

_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_HOST = "kubernetes.io/hostname"
_ZONE = "topology.kubernetes.io/zone"
_APART_FROM = [Role.NODE.value, Role.WINNER.value]
"""Candidates follow their volumes, so nobody keeps away from them, nor they from anybody."""


def role(order: NodeOrder) -> Role:
    """What the pod is to its network when it is created."""
    return Role.CANDIDATE if order.record.command is Command.RECOVER else Role.NODE


def pod(order: NodeOrder) -> dict[str, Any]:
    """The pod of one node; it passes PodSecurity `restricted`."""
    spec, record, network = order.spec, order.record, order.network
    pods = spec.pods
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": record.name,
            "namespace": network.namespace,
            "labels": {
                **labels.node_labels(network, record.name, record.volume, role(order)),
                labels.GENERATION: str(record.generation),
                labels.COMMAND: record.command.value,
            },
            "annotations": {
                **labels.network_annotations(network),
                **({labels.MADE_OF: record.made_of} if record.made_of is not None else {}),
                **({labels.JOIN_TARGET: record.join_target} if record.join_target is not None else {}),
            },
            "finalizers": [labels.POD_FINALIZER],
            "ownerReferences": [labels.owner_reference(network)],
        },
        "spec": {
            "hostname": record.name,
            "subdomain": names.nodes_service(network.name),
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security(spec),
            "tolerations": [
                *({"key": key, "operator": "Exists", "effect": "NoExecute"} for key in _TOLERATED),
                *pods.tolerations,
            ],
            "affinity": {"podAntiAffinity": _host_spread(order)},
            "topologySpreadConstraints": [_zone_spread(order)],
            "initContainers": [_stage(order)],
            "containers": [_ccf(order)],
            "volumes": [
                # One entry for the claim: two entries for one claim hang.
                {"name": "ledger", "persistentVolumeClaim": {"claimName": record.volume}},
                {"name": "config", "configMap": {"name": record.name}},
                {"name": "work", "emptyDir": {}},
            ],
        },
    }
    body = manifest["spec"]
    if pods.node_selector:
        body["nodeSelector"] = dict(pods.node_selector)
    if pods.priority_class_name is not None:
        body["priorityClassName"] = pods.priority_class_name
    if pods.service_account_name is not None:
        body["serviceAccountName"] = pods.service_account_name
    if spec.image_pull_secrets:
        body["imagePullSecrets"] = [{"name": secret.name} for secret in spec.image_pull_secrets]
    return manifest


def _stage(order: NodeOrder) -> dict[str, Any]:
    return {
        "name": STAGE,
        "image": order.platform.stage_image,
        "command": ["python", "-m", "ccf_operator.stage"],
        "args": [
            *("--plan", layout.in_config(layout.STAGE_FILE), "--volume", layout.STAGE_VOLUME),
            *("--progress", f":{names.STAGE_PORT}"),
        ],
        "ports": [{"name": "progress", "containerPort": names.STAGE_PORT}],
        "resources": dict(order.spec.pods.resources),
        "securityContext": confined(),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "ledger", "mountPath": layout.STAGE_VOLUME},
            {"name": "config", "mountPath": layout.CONFIG, "readOnly": True},
        ],
    }


def _ccf(order: NodeOrder) -> dict[str, Any]:
    spec = order.spec
    container: dict[str, Any] = {
        "name": CCF,
        "image": spec.image,
        "command": list(spec.command),
        "args": ["--config", layout.in_config(layout.CONFIG_FILE), "--log-level", spec.log_level.value],
        "workingDir": layout.WORK,
        "ports": [
            {"name": "client", "containerPort": names.CLIENT_PORT},
            {"name": "operator", "containerPort": names.OPERATOR_PORT},
            {"name": "node", "containerPort": names.NODE_PORT},
        ],
        "resources": dict(spec.pods.resources),
        "securityContext": confined(),
        "terminationMessagePath": TERMINATION_LOG,
        # What CCF says before it aborts is in its log, nowhere else (CCF facts §10).
        "terminationMessagePolicy": "FallbackToLogsOnError",
        # That it listens, no more: who gets traffic is decided by label. No liveness probe: a node that is killed is
        # gone for good, and what a hung node is worth is for the quorum to say.
        "readinessProbe": {"tcpSocket": {"port": "operator"}, "periodSeconds": 2, "timeoutSeconds": 2},
        "volumeMounts": [
            {"name": "ledger", "mountPath": layout.VOLUME, "readOnly": True},
            {
                "name": "ledger",
                "mountPath": layout.CURRENT,
                "subPath": layout.generation(order.record.generation),
            },
            {"name": "config", "mountPath": layout.CONFIG, "readOnly": True},
            {"name": "work", "mountPath": layout.WORK},
        ],
    }
    if spec.image_pull_policy is not None:
        container["imagePullPolicy"] = spec.image_pull_policy
    return container


def pod_security(spec: CCFNetworkSpec) -> dict[str, Any]:
    """The security context of every pod that mounts a volume of the network."""
    user = spec.pods.run_as_user
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        # Only a volume whose root is not ours yet: old generations are not touched again.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def confined() -> dict[str, Any]:
    """The security context of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _host_spread(order: NodeOrder) -> dict[str, Any]:
    term = {
        "topologyKey": _HOST,
        "labelSelector": {
            "matchLabels": labels.network_labels(order.network),
            "matchExpressions": [{"key": labels.ROLE, "operator": "In", "values": _APART_FROM}],
        },
    }
    if role(order) is Role.NODE and order.spec.pods.host_spread is Spread.REQUIRED:
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}


def _zone_spread(order: NodeOrder) -> dict[str, Any]:
    required = role(order) is Role.NODE and order.spec.pods.zone_spread is Spread.REQUIRED
    return {
        "maxSkew": 1,
        "topologyKey": _ZONE,
        "whenUnsatisfiable": "DoNotSchedule" if required else "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels.network_labels(order.network)},
    }
