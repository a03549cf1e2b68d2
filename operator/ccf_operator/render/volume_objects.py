"""The PersistentVolumeClaim of a volume."""

from __future__ import annotations

from typing import Any

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.render import labels
from ccf_operator.render.names import NetworkRef


def claim(spec: CCFNetworkSpec, network: NetworkRef, volume: str, created_for: str) -> dict[str, Any]:
    """The claim named `volume`, first made for the node `created_for`.

    It has no owner reference: a ledger outlives its pods, its network object and the operator.
    """
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": volume,
            "namespace": network.namespace,
            "labels": labels.claim_labels(network, volume),
            "annotations": {labels.NETWORK_UID: network.uid, labels.CREATED_FOR: created_for},
        },
        "spec": {
            "accessModes": [spec.storage.access_mode],
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": spec.storage.size}},
        },
    }
    if spec.storage.storage_class_name is not None:
        manifest["spec"]["storageClassName"] = spec.storage.storage_class_name
    return manifest
