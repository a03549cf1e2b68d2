"""The two Services of a network: one for its clients, one under which its nodes find each other."""

from __future__ import annotations

from typing import Any

from ccf_operator.render import labels, names
from ccf_operator.render.names import NetworkRef


def services(network: NetworkRef) -> tuple[dict[str, Any], dict[str, Any]]:
    """The client Service and the headless one."""
    return client_service(network), nodes_service(network)


def client_service(network: NetworkRef) -> dict[str, Any]:
    """The Service that clients use: only nodes that are labelled as fit for traffic are behind it."""
    return _service(
        network,
        names.client_service(network.name),
        {
            "type": "ClusterIP",
            "selector": {**labels.network_labels(network), labels.TRAFFIC: "true"},
            "ports": [_port("client", names.CLIENT_PORT)],
        },
    )


def nodes_service(network: NetworkRef) -> dict[str, Any]:
    """The headless Service: nodes that are pending or recovering must be found too (CCF facts §11)."""
    return _service(
        network,
        names.nodes_service(network.name),
        {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": labels.network_labels(network),
            "ports": [
                _port("client", names.CLIENT_PORT),
                _port("operator", names.OPERATOR_PORT),
                _port("node", names.NODE_PORT),
            ],
        },
    )


def _port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": name, "protocol": "TCP"}


def _service(network: NetworkRef, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": network.namespace,
            "labels": labels.network_labels(network),
            "annotations": labels.network_annotations(network),
            "ownerReferences": [labels.owner_reference(network)],
        },
        "spec": spec,
    }
