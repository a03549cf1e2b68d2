from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ccf_operator.domain.observation import ContainerView, EventView, Terminated
from ccf_operator.domain.told_by_events import FORGOTTEN, PATIENCE, about_claim, about_pod
from unit.domain import given

WAITS = ContainerView(waiting_reason="PodInitializing")
ATTACHING: dict[str, Any] = {"stage": ContainerView(), "ccf": WAITS, "ip": None, "phase": "Pending"}
STAGED: dict[str, Any] = {
    "stage": ContainerView(terminated=Terminated(0, finished_at=given.at(20))),
    "ccf": WAITS,
    "phase": "Pending",
}


def event(reason: str, last: float = 10, first: float | None = None) -> EventView:
    return EventView(reason, f"words of {reason}", given.at(last if first is None else first), given.at(last))


def of_pod(*events: EventView, after: float = 30, **fields: Any) -> list[str]:
    pod = given.pod("a", **{**ATTACHING, **fields})
    return [f"{one.source}/{one.reason}: {one.message}" for one in about_pod(pod, events, given.at(after))]


def of_claim(*events: EventView, after: float = 30, **fields: Any) -> list[str]:
    claim = given.claim("v", **{"phase": "Pending", "volume_name": None, **fields})
    return [f"{one.source}/{one.reason}: {one.message}" for one in about_claim(claim, events, given.at(after))]


MOUNT = "Kubelet/FailedMount: words of FailedMount"
ATTACH = "Storage/FailedAttachVolume: words of FailedAttachVolume"
SANDBOX = "Kubelet/FailedCreatePodSandBox: words of FailedCreatePodSandBox"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        (["FailedMount"], [MOUNT]),
        (["FailedCreatePodSandBox"], [SANDBOX]),
        (["NetworkNotReady"], ["Kubelet/NetworkNotReady: words of NetworkNotReady"]),
        (["Scheduled", "Pulled", "FailedScheduling"], []),
        (["FailedAttachVolume", "FailedMount"], [ATTACH, MOUNT]),
        (["FailedAttachVolume", "SuccessfulAttachVolume"], []),
        (["FailedAttachVolume", "SuccessfulAttachVolume", "FailedMount"], [MOUNT]),
        (["SuccessfulAttachVolume", "FailedAttachVolume"], [ATTACH]),
        (["FailedAttachVolume", "FailedMount", "FailedCreatePodSandBox"], [SANDBOX]),
        (["FailedMount", "FailedCreatePodSandBox", "Pulling"], []),
    ],
)
def test_what_a_pod_that_attaches_is_told_by_events_is_in_the_way_until_a_later_one_shows_that_it_is_over(
    events: list[str], expected: list[str]
) -> None:
    assert of_pod(*(event(reason, last) for last, reason in enumerate(events))) == expected


def test_of_events_of_one_reason_the_latest_is_told() -> None:
    late = EventView("FailedMount", "the latest", given.at(0), given.at(12))
    assert of_pod(late, event("FailedMount", 11)) == ["Kubelet/FailedMount: the latest"]


@pytest.mark.parametrize(
    "fields",
    [
        {"ip": "10.0.0.1"},
        {"ip": "10.0.0.1", "stage": ContainerView(running=True)},
        {"ccf": ContainerView(running=True)},
        {"machine": None},
        {"deleting": True},
        {"phase": "Failed"},
        STAGED,
    ],
)
def test_a_pod_that_has_come_further_or_is_past_it_is_not_told_what_was(fields: dict[str, Any]) -> None:
    assert of_pod(event("FailedMount"), event("FailedCreatePodSandBox", 11), **fields) == []


def test_a_sandbox_that_was_lost_after_stage_had_ended_and_is_not_made_again_is_told() -> None:
    assert of_pod(event("FailedCreatePodSandBox", 21), **STAGED) == [SANDBOX]


def test_what_is_not_told_again_for_long_is_over_but_not_what_is_told_once() -> None:
    events = event("FailedMount", 10), event("FailedAttachVolume", 10)
    long = FORGOTTEN + timedelta(seconds=10)
    assert of_pod(*events, after=long.total_seconds() - 1) == [ATTACH, MOUNT]
    assert of_pod(*events, after=long.total_seconds()) == [ATTACH]


PROVISIONING = "Storage/ProvisioningFailed: words of ProvisioningFailed"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        (["WaitForFirstConsumer"], []),
        (["ProvisioningFailed"], [PROVISIONING]),
        (["FailedBinding"], ["Storage/FailedBinding: words of FailedBinding"]),
        (["VolumeMismatch"], ["Storage/VolumeMismatch: words of VolumeMismatch"]),
        (["FailedBinding", "WaitForFirstConsumer"], []),
        (["ProvisioningFailed", "ProvisioningSucceeded"], []),
        (["ProvisioningSucceeded", "ProvisioningFailed"], [PROVISIONING]),
    ],
)
def test_what_keeps_a_claim_from_its_volume_is_told_until_a_later_event_shows_that_it_is_over(
    events: list[str], expected: list[str]
) -> None:
    assert sorted(of_claim(*(event(reason, last) for last, reason in enumerate(events)))) == sorted(expected)


@pytest.mark.parametrize("fields", [{"phase": "Bound"}, {"phase": "Lost"}, {"deleting": True}])
def test_a_claim_that_does_not_wait_for_a_volume_is_not_told_what_was(fields: dict[str, Any]) -> None:
    assert of_claim(event("ProvisioningFailed"), **fields) == []


def test_a_provisioner_may_take_its_time() -> None:
    external = event("ExternalProvisioning", last=40, first=10)
    soon = 10 + PATIENCE.total_seconds()
    assert of_claim(external, after=soon - 1) == []
    assert of_claim(external, after=soon) == ["Storage/ExternalProvisioning: words of ExternalProvisioning"]
