from __future__ import annotations

from collections import Counter

import pytest

from ccf_operator.api.status import Obstacle, ObstacleSource
from ccf_operator.domain.obstacle_advice import ADVICE, advice
from unit.domain.given import START


def told(source: ObstacleSource, reason: str, message: str, about: str = "Pod bank-3") -> str:
    return advice([Obstacle(source=source, object=about, reason=reason, message=message, since=START)], "bank")


@pytest.mark.parametrize(
    ("source", "reason", "message", "named"),
    [
        (
            ObstacleSource.API_SERVER,
            "WebhookFailed",
            'Internal error occurred: failed calling webhook "check.corp.example": connection refused',
            "check.corp.example",
        ),
        (
            ObstacleSource.API_SERVER,
            "QuotaExceeded",
            'pods "bank-3" is forbidden: exceeded quota: team-a, requested: pods=1, used: pods=3, limited: pods=3',
            "kubectl -n bank describe resourcequota team-a",
        ),
        (
            ObstacleSource.API_SERVER,
            "PolicyDenied",
            "pods \"bank-3\" is forbidden: ValidatingAdmissionPolicy 'no-labels' with binding 'b' denied request: no",
            "kubectl get validatingadmissionpolicy no-labels",
        ),
        (ObstacleSource.KUBELET, "ImagePullBackOff", 'Back-off pulling image "reg/app:7"', "image reg/app:7"),
        (ObstacleSource.KUBELET, "ImagePullBackOff", "no more", "spec.image"),
        (ObstacleSource.KUBELET, "CreateContainerConfigError", 'secret "tls" not found', 'secret "tls"'),
        (ObstacleSource.KUBELET, "FailedMount", "timed out", "kubectl -n bank describe pod bank-3"),
        (ObstacleSource.KUBELET, "ANewReason", "what", "kubectl -n bank describe pod bank-3"),
        (ObstacleSource.SCHEDULER, "Unschedulable", "0/3 nodes", "bank-3"),
        (ObstacleSource.SCHEDULER, "Cordoned", "v was last used on machine m1, which is cordoned: 0/3", "uncordon m1;"),
        (ObstacleSource.NETWORK, "Refused", "10.0.0.1:8443", "kubectl -n bank logs bank-3 -c ccf"),
        (ObstacleSource.NETWORK, "ANewReason", "10.0.0.1:8081", "Pod bank-3"),
    ],
)
def test_the_advice_names_what_the_message_names(source: ObstacleSource, reason: str, message: str, named: str) -> None:
    assert named in told(source, reason, message)


def test_every_kind_has_one_line_that_can_be_told_whatever_its_message_says() -> None:
    assert max(Counter((one.source, one.reason) for one in ADVICE).values()) == 1
    for one in ADVICE:
        said = told(one.source, one.reason, "{braces} and nothing known")
        assert said
        assert "{" not in said
        assert not said.startswith("members")


def test_without_an_obstacle_there_is_nothing_to_do() -> None:
    assert advice([], "bank") == ""
