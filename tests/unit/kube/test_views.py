from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.domain.observation import ContainerView, EventView
from ccf_operator.kube.views import event_view, machine_view, moment, pod_view


def raw(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "bank-0", "uid": "u"}, "spec": {"nodeName": "m1"}, "status": status}


def test_a_pod_that_its_kubelet_has_rejected_says_why_and_has_no_containers() -> None:
    seen = pod_view(raw(phase="Failed", reason="NodeAffinity", message="Pod was rejected: node affinity"))
    assert (seen.phase, seen.reason, seen.message) == ("Failed", "NodeAffinity", "Pod was rejected: node affinity")
    assert (seen.stage, seen.ccf) == (ContainerView(), ContainerView())


def test_a_pod_that_nobody_has_spoken_of_has_no_reason() -> None:
    seen = pod_view(raw())
    assert (seen.phase, seen.reason, seen.message) == ("Pending", "", "")


def clock(minute: int) -> str:
    return f"2026-01-01T10:{minute:02}:00Z"


KUBELET = {"deprecatedFirstTimestamp": clock(1), "deprecatedLastTimestamp": clock(9), "deprecatedCount": 7}
SCHEDULER = {"eventTime": clock(1), "series": {"count": 7, "lastObservedTime": clock(9)}}


@pytest.mark.parametrize(
    ("fields", "first", "last"),
    [
        (KUBELET, 1, 9),
        (SCHEDULER, 1, 9),
        ({"eventTime": clock(3), "series": None, "deprecatedLastTimestamp": None}, 3, 3),
        ({}, 5, 5),
    ],
)
def test_an_event_has_the_times_of_whoever_wrote_it(fields: dict[str, Any], first: int, last: int) -> None:
    written = {"metadata": {"creationTimestamp": clock(5)}, "reason": "FailedMount", "note": "no disk", **fields}
    begun, ended = moment(clock(first)), moment(clock(last))
    assert begun is not None
    assert ended is not None
    assert event_view(written) == EventView("FailedMount", "no disk", begun, ended)


def test_an_event_without_any_time_says_nothing_and_the_words_are_told_without_what_was_put_before() -> None:
    assert event_view({"metadata": {}, "reason": "FailedMount"}) is None
    seen = event_view({"metadata": {}, **KUBELET, "note": "(combined from similar events): no disk"})
    assert seen is not None
    assert seen.message == "no disk"


def test_of_a_machine_it_is_seen_whether_it_is_cordoned_and_whether_it_goes() -> None:
    seen = machine_view({"metadata": {"name": "m1", "uid": "u"}})
    assert not seen.cordoned
    assert not seen.deleting
    going = {"name": "m1", "uid": "u", "deletionTimestamp": clock(1)}
    seen = machine_view({"metadata": going, "spec": {"unschedulable": True}})
    assert seen.cordoned
    assert seen.deleting
