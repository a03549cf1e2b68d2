"""The disruption budgets: whom each protects."""

from __future__ import annotations

from ccf_operator.api.status import Command
from ccf_operator.render import labels
from ccf_operator.render.disruption import budgets
from ccf_operator.render.labels import Role
from ccf_operator.render.pod import pod
from unit.render.orders import NETWORK, order_of


def protects(budget: dict[str, object], pod_labels: dict[str, str]) -> bool:
    selector = budget["spec"]["selector"]  # type: ignore[index]
    return all(pod_labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        pod_labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", [])
    )


def test_a_majority_of_trusted_nodes_stays() -> None:
    trusted, _ = budgets(NETWORK, 3)
    fresh = pod(order_of(Command.JOIN))["metadata"]["labels"]

    assert trusted["spec"]["minAvailable"] == 3
    assert not protects(trusted, fresh)
    assert protects(trusted, {**fresh, labels.TRUSTED: "true"})


def test_a_recovery_is_never_drained_away() -> None:
    _, recovery = budgets(NETWORK, 2)
    candidate = pod(order_of(Command.RECOVER))["metadata"]["labels"]

    assert recovery["spec"]["maxUnavailable"] == 0
    assert protects(recovery, candidate)
    assert protects(recovery, {**candidate, labels.ROLE: Role.WINNER.value})
    assert not protects(recovery, {**candidate, labels.ROLE: Role.NODE.value})
