"""The ConfigMap that tells clients which service to trust."""

from __future__ import annotations

from typing import Any

from ccf_operator.api.status import ServiceStatus
from ccf_operator.render import labels, names
from ccf_operator.render.names import NetworkRef


def identity_config_map(network: NetworkRef, service: ServiceStatus) -> dict[str, Any]:
    """The certificates of the current and the previous service, for clients to mount.

    `bundle.pem` holds what is to be trusted: both, unless the overlap after a recovery has ended. Raises ValueError
    while the service has no certificate.
    """
    if not service.certificate:
        raise ValueError("the service has no certificate yet")
    current = _ended(service.certificate)
    data = {"service_cert.pem": current, "bundle.pem": current, "recovery_count": str(service.recovery_count)}
    if service.previous_certificate:
        previous = _ended(service.previous_certificate)
        data["previous_service_cert.pem"] = previous
        data["bundle.pem"] = current if service.overlap_ended else current + previous
    if service.create_tx_id:
        data["create_txid"] = service.create_tx_id
    if service.public_key:
        data["fingerprint"] = service.public_key
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.identity_config_map(network.name),
            "namespace": network.namespace,
            "labels": labels.network_labels(network),
            "annotations": labels.network_annotations(network),
            "ownerReferences": [labels.owner_reference(network)],
        },
        "data": data,
    }


def _ended(pem: str) -> str:
    return pem.strip() + "\n"
