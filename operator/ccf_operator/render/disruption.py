"""The PodDisruptionBudgets of a network: what a drained machine may take away, and when."""

from __future__ import annotations

from typing import Any

from ccf_operator.render import labels, names
from ccf_operator.render.labels import Role
from ccf_operator.render.names import NetworkRef


def budgets(network: NetworkRef, majority: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The budget of the trusted nodes, of which a majority must stay, and the one that keeps a recovery whole."""
    trusted = _budget(
        network,
        names.trusted_budget(network.name),
        {
            "minAvailable": majority,
            "selector": {"matchLabels": {**labels.network_labels(network), labels.TRUSTED: "true"}},
        },
    )
    recovery = _budget(
        network,
        names.recovery_budget(network.name),
        {
            "maxUnavailable": 0,
            "selector": {
                "matchLabels": labels.network_labels(network),
                "matchExpressions": [
                    {"key": labels.ROLE, "operator": "In", "values": [Role.CANDIDATE.value, Role.WINNER.value]}
                ],
            },
        },
    )
    return trusted, recovery


def _budget(network: NetworkRef, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": name,
            "namespace": network.namespace,
            "labels": labels.network_labels(network),
            "ownerReferences": [labels.owner_reference(network)],
        },
        "spec": spec,
    }
