"""The disruption budgets: whom each protects."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ccf_operator.api.status import Command
from ccf_operator.render import labels
from ccf_operator.render.disruption import recovery_budget, trusted_budget
from ccf_operator.render.labels import Role
from ccf_operator.render.pod import pod
from unit.render.orders import NETWORK, order_of

_HOLDS = {"In": lambda value, values: value in values, "NotIn": lambda value, values: value not in values}


def protects(budget: dict[str, Any], pod_labels: dict[str, str]) -> bool:
    selector = budget["spec"]["selector"]
    return all(pod_labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        _HOLDS[e["operator"]](pod_labels.get(e["key"]), e["values"]) for e in selector.get("matchExpressions", [])
    )


def test_so_many_trusted_nodes_stay() -> None:
    trusted = trusted_budget(NETWORK, 3)
    fresh = pod(order_of(Command.JOIN))["metadata"]["labels"]

    assert trusted["spec"]["minAvailable"] == 3
    assert not protects(trusted, fresh)
    assert protects(trusted, {**fresh, labels.TRUSTED: "true"})


def test_a_recovery_is_never_drained_away() -> None:
    recovery = recovery_budget(NETWORK)
    candidate = pod(order_of(Command.RECOVER))["metadata"]["labels"]

    assert recovery["spec"]["maxUnavailable"] == 0
    assert protects(recovery, candidate)
    assert protects(recovery, {**candidate, labels.ROLE: Role.WINNER.value})
    assert not protects(recovery, {**candidate, labels.ROLE: Role.NODE.value})


@pytest.mark.parametrize(
    ("role", "trusted", "command"),
    list(itertools.product([None, *Role], [None, "true"], [Command.JOIN, Command.RECOVER])),
)
def test_no_pod_is_under_two_budgets(role: Role | None, trusted: str | None, command: Command) -> None:
    made = pod(order_of(command))["metadata"]["labels"]
    changed = {**made, labels.ROLE: role.value if role is not None else None, labels.TRUSTED: trusted}
    worn = {key: value for key, value in changed.items() if value is not None}

    assert sum(protects(budget, worn) for budget in (trusted_budget(NETWORK, 2), recovery_budget(NETWORK))) < 2
