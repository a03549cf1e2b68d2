"""The PersistentVolumeClaim of a volume."""

from __future__ import annotations

from typing import Any

from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.domain.effects import ReclaimVolume
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


def claim_again(spec: CCFNetworkSpec, network: NetworkRef, wanted: ReclaimVolume, created_for: str) -> dict[str, Any]:
    """The claim of a volume once more, as the PersistentVolume that it had needs it to be bound to it.

    Kubernetes binds it once the volume's own reference to the claim that is gone has been cleared, which is a person's.
    """
    manifest = claim(spec, network, wanted.volume, created_for)
    manifest["spec"] |= {
        "accessModes": list(wanted.access_modes),
        "resources": {"requests": {"storage": wanted.size}},
        "storageClassName": wanted.storage_class,
        "volumeName": wanted.persistent_volume,
    }
    return manifest
