"""The PodDisruptionBudgets of a network: what a drained machine may take away, and when.

No pod is ever under two of them, for Kubernetes refuses to evict such a pod at all.
"""

from __future__ import annotations

from typing import Any

from ccf_operator.render import labels, names
from ccf_operator.render.labels import Role
from ccf_operator.render.names import NetworkRef

_OF_A_RECOVERY = [Role.CANDIDATE.value, Role.WINNER.value]


def trusted_budget(network: NetworkRef, min_available: int) -> dict[str, Any]:
    """The budget of the trusted nodes, of which so many must stay."""
    selector = _selector(network, "NotIn")
    selector["matchLabels"][labels.TRUSTED] = "true"
    return _budget(network, names.trusted_budget(network.name), {"minAvailable": min_available, "selector": selector})


def recovery_budget(network: NetworkRef) -> dict[str, Any]:
    """The budget of candidates and winner, all of which must stay."""
    return _budget(
        network, names.recovery_budget(network.name), {"maxUnavailable": 0, "selector": _selector(network, "In")}
    )


def _selector(network: NetworkRef, operator: str) -> dict[str, Any]:
    return {
        "matchLabels": labels.network_labels(network),
        "matchExpressions": [{"key": labels.ROLE, "operator": operator, "values": _OF_A_RECOVERY}],
    }


def _budget(network: NetworkRef, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": name,
            "namespace": network.namespace,
            "labels": labels.network_labels(network),
            "annotations": labels.network_annotations(network),
            "ownerReferences": [labels.owner_reference(network)],
        },
        "spec": spec,
    }
