from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Condition, NetworkStatus, Obstacle, ObstacleSource
from ccf_operator.domain.namespace_end import may_be_going
from unit.domain.given import START, claim, observation, pod, record, status

REFUSED = Obstacle(
    source=ObstacleSource.API_SERVER, object="Pod a", reason="NamespaceTerminating", message="forbidden", since=START
)
KNOWN = Condition(
    type="Recoverable", status="False", reason="NamespaceTerminating", message="", last_transition_time=START
)


def network(**fields: Any) -> NetworkStatus:
    return status(record("a"), **fields)


@pytest.mark.parametrize(
    ("of", "seen", "asked"),
    [
        pytest.param(network(), {}, False, id="all is there"),
        pytest.param(status(record("a", pod_uid=None)), {"pods": {}}, False, id="a pod is still to be made"),
        pytest.param(network(), {"deleting": True}, True, id="the network goes"),
        pytest.param(network(), {"claims": {"v-a": claim("v-a", deleting=True)}}, True, id="a claim goes"),
        pytest.param(network(), {"claims": {}}, True, id="a claim is gone"),
        pytest.param(network(), {"pods": {"a": pod("a", deleting=True)}}, True, id="a pod goes"),
        pytest.param(network(), {"pods": {}}, True, id="a pod is gone, and all else is as it was"),
        pytest.param(network(obstacles=[REFUSED]), {}, True, id="something was refused for it"),
        pytest.param(network(conditions=[KNOWN]), {}, True, id="it is known to go"),
    ],
)
def test_it_is_asked_where_anything_goes_or_is_gone(of: NetworkStatus, seen: dict[str, Any], asked: bool) -> None:
    look = observation(of, **seen)
    assert may_be_going(look, look.pods) is asked
