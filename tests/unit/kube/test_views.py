from __future__ import annotations

from typing import Any

from ccf_operator.domain.observation import ContainerView
from ccf_operator.kube.views import pod_view


def raw(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "bank-0", "uid": "u"}, "spec": {"nodeName": "m1"}, "status": status}


def test_a_pod_that_its_kubelet_has_rejected_says_why_and_has_no_containers() -> None:
    seen = pod_view(raw(phase="Failed", reason="NodeAffinity", message="Pod was rejected: node affinity"))
    assert (seen.phase, seen.reason, seen.message) == ("Failed", "NodeAffinity", "Pod was rejected: node affinity")
    assert (seen.stage, seen.ccf) == (ContainerView(), ContainerView())


def test_a_pod_that_nobody_has_spoken_of_has_no_reason() -> None:
    seen = pod_view(raw())
    assert (seen.phase, seen.reason, seen.message) == ("Pending", "", "")
