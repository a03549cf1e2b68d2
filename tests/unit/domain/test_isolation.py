from __future__ import annotations

import pytest

from ccf_operator.domain.isolation import is_isolated, reaches_nobody, who_is_isolated
from ccf_operator.domain.observation import OperatorView
from unit.domain.given import at


@pytest.mark.parametrize(
    ("networks", "pods", "since", "nobody", "isolated"),
    [
        (2, 6, 0, True, True),
        (2, 6, 1, False, False),
        (2, 6, None, False, False),
        (1, 3, 0, True, False),
        (0, 0, None, False, False),
        (0, 0, 0, False, False),
    ],
    ids=["none of two networks", "not for long", "one is reached", "one network alone", "nothing", "nothing any more"],
)
def test_it_is_cut_off_that_reaches_no_node_of_several_networks(
    networks: int, pods: int, since: float | None, nobody: bool, isolated: bool
) -> None:
    operator = OperatorView(networks=networks, pods=pods, unreached_since=at(since) if since is not None else None)
    assert reaches_nobody(operator, at(30)) is nobody
    assert is_isolated(operator, at(30)) is isolated


def test_it_says_who_and_where() -> None:
    operator = OperatorView(machine="m7", pods=6, networks=2)
    assert who_is_isolated(operator) == (
        "the operator on machine m7 reaches none of the 6 pods of 2 networks, which their kubelets report ready"
    )
    assert "the operator reaches none of the 1 pod of 1 network," in who_is_isolated(OperatorView(pods=1, networks=1))
