"""The pod that reads what a volume shows by itself, where its claim says nothing."""

from __future__ import annotations

from typing import Any

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.domain.made_of import explorer_made_of
from ccf_operator.kube.views import EXPLORER
from ccf_operator.render import labels, layout, names
from ccf_operator.render.names import NetworkRef
from ccf_operator.render.pod import TERMINATION_LOG, confined, pod_security


def explorer_pod(spec: CCFNetworkSpec, network: NetworkRef, image: str, volume: str, claim_uid: str) -> dict[str, Any]:
    """A pod of `stage`'s image with the volume mounted read-only; what it finds is its termination message.

    It has no finalizer: its end proves nothing that anybody relies on.
    """
    pods = spec.pods
    body: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(spec),
        "tolerations": list(pods.tolerations),
        "containers": [
            {
                "name": EXPLORER,
                "image": image,
                "command": ["python", "-m", "ccf_operator.stage"],
                "args": ["explore", "--volume", layout.STAGE_VOLUME, "--progress", f":{names.STAGE_PORT}"],
                "ports": [{"name": "progress", "containerPort": names.STAGE_PORT}],
                "resources": dict(pods.resources),
                "securityContext": confined(),
                "terminationMessagePath": TERMINATION_LOG,
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [{"name": "ledger", "mountPath": layout.STAGE_VOLUME, "readOnly": True}],
            }
        ],
        "volumes": [{"name": "ledger", "persistentVolumeClaim": {"claimName": volume}}],
    }
    if pods.node_selector:
        body["nodeSelector"] = dict(pods.node_selector)
    if spec.image_pull_secrets:
        body["imagePullSecrets"] = [{"name": secret.name} for secret in spec.image_pull_secrets]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.explorer(network.name, claim_uid),
            "namespace": network.namespace,
            "labels": {**labels.network_labels(network), labels.ROLE: labels.Role.EXPLORER.value},
            "annotations": {
                **labels.network_annotations(network),
                labels.MADE_OF: explorer_made_of(spec, image),
            },
            "ownerReferences": [labels.owner_reference(network)],
        },
        "spec": body,
    }
