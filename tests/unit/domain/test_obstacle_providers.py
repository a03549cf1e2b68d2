from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import (
    CandidateResult,
    Command,
    Ended,
    EndEvidence,
    JoinFailures,
    NetworkStatus,
    Silence,
    SilenceCause,
)
from ccf_operator.domain.observation import ContainerView, EventView, NamesView, PodView, Resolution
from ccf_operator.domain.obstacle_providers import PROVIDERS
from ccf_operator.domain.obstacles import collect
from ccf_operator.render.labels import VOLUME
from unit.domain import given

WAITS = ContainerView(waiting_reason="ImagePullBackOff", waiting_message='Back-off pulling image "x"')


def said(of: NetworkStatus, **fields: Any) -> list[str]:
    draft = given.draft(of, **fields)
    collect(draft, PROVIDERS)
    return [f"{one.source}/{one.object}/{one.reason}: {one.message}" for one in draft.obstacles]


def pods(**fields: Any) -> dict[str, PodView]:
    return {"a": given.pod("a", **fields)}


def test_where_all_is_well_nobody_says_anything() -> None:
    assert said(given.status(given.record("a"))) == []


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        ({"ccf": WAITS}, ['Kubelet/Pod a/ImagePullBackOff: container ccf: Back-off pulling image "x"']),
        (
            {"stage": ContainerView(waiting_reason="CreateContainerConfigError", waiting_message="no secret")},
            ["Kubelet/Pod a/CreateContainerConfigError: container stage: no secret"],
        ),
        ({"ccf": ContainerView(waiting_reason="PodInitializing")}, []),
        ({"stage": ContainerView(waiting_reason="ContainerCreating")}, []),
        (
            {"others": {"proxy": ContainerView(waiting_reason="CrashLoopBackOff")}},
            ["Kubelet/Pod a/CrashLoopBackOff: container proxy: the kubelet says no more"],
        ),
        (
            {"explorer": ContainerView(waiting_reason="ErrImagePull", waiting_message="gone")},
            ["Kubelet/Pod a/ImagePullBackOff: container explorer: gone"],
        ),
        ({"ccf": WAITS, "deleting": True}, []),
        ({"ccf": WAITS, "owner_uid": "another"}, []),
    ],
)
def test_the_scheduler_and_kubelets_are_heard(pod: dict[str, Any], expected: list[str]) -> None:
    assert said(given.status(given.record("a")), pods=pods(**pod)) == expected


def test_a_pod_without_a_machine_is_in_the_way_after_ten_seconds() -> None:
    unplaced = pods(unschedulable="0/3 nodes", created_at=given.at(0))
    assert said(given.status(given.record("a")), pods=unplaced, after=9) == []
    assert said(given.status(given.record("a")), pods=unplaced, after=10) == [
        "Scheduler/Pod a/Unschedulable: 0/3 nodes"
    ]


def test_of_a_pod_whose_volume_is_on_a_cordoned_machine_that_is_named() -> None:
    unplaced = pods(unschedulable="0/3 nodes", machine=None, created_at=given.at(-60), labels={VOLUME: "v-a"})
    of = given.status(given.record("a"), volumes=[given.volume("v-a", machine="m1")])
    told = "Scheduler/Pod a/Cordoned: v-a was last used on machine m1, which is cordoned: 0/3 nodes"
    assert said(of, pods=unplaced, machines={"m1": given.machine(cordoned=True)}) == [told]
    assert said(of, pods=unplaced, machines={"m1": given.machine()}) == ["Scheduler/Pod a/Unschedulable: 0/3 nodes"]
    assert said(of, pods=unplaced, machines=None) == ["Scheduler/Pod a/Unschedulable: 0/3 nodes"]


def words(reason: str) -> tuple[EventView, ...]:
    return (EventView(reason, f"words of {reason}", given.START, given.START),)


def test_what_events_alone_tell_is_in_the_way_of_pods_and_claims_that_are_wanted() -> None:
    attaching = pods(stage=ContainerView(), ccf=ContainerView(), ip=None, phase="Pending")
    claims = {"v-a": given.claim("v-a", phase="Pending", volume_name=None)}
    events = {"uid-a": words("FailedMount"), "uid-v-a": words("ProvisioningFailed"), "uid-b": words("FailedMount")}
    of = given.status(given.record("a"), volumes=[given.volume("v-a")])
    expected = [
        "Kubelet/Pod a/FailedMount: words of FailedMount",
        "Storage/PersistentVolumeClaim v-a/ProvisioningFailed: words of ProvisioningFailed",
    ]
    assert said(of, pods=attaching, claims=claims, events=events) == expected
    assert said(of, pods=pods(), claims={"v-a": given.claim("v-a")}, events=events) == []
    another = {"v-a": given.claim("v-a", phase="Pending", volume_name=None, uid="another")}
    events["another"] = words("ProvisioningFailed")
    recorded = given.status(given.record("a"), volumes=[given.volume("v-a", uid="uid-v-a")])
    assert said(recorded, pods=pods(), claims=another, events=events) == []


def silent(**fields: Any) -> NetworkStatus:
    words = "connection timed out"
    known = Silence(since=given.at(0), cause=SilenceCause.TIMED_OUT, address="10.0.0.1:8443", words=words)
    return given.status(given.record("a", **{"silence": known, **fields}))


def test_a_node_that_runs_and_does_not_answer_is_in_the_way_after_half_a_minute() -> None:
    told = "Network/Pod a/TimedOut: runs and does not answer at 10.0.0.1:8443 (connection timed out)"
    assert said(silent(), after=29) == []
    assert said(silent(), after=30) == [told]
    assert said(silent(stop="NotNeeded"), after=30) == []
    assert said(silent(ended=given.end()), after=30) == []


def test_a_joiner_that_nobody_has_heard_of_is_in_the_way() -> None:
    joiner = given.record("j", join_target="a", join_address="a.nodes:8080", unregistered_since=given.at(0))
    [told] = said(given.status(joiner), after=30, names=NamesView({"a.nodes": Resolution.UNKNOWN}))
    assert told.startswith("Network/Pod j/NotHeardOf: runs, and a has heard nothing of it")
    assert told.endswith("that name does not resolve")


def test_of_a_node_that_is_given_up_nothing_is_in_the_way() -> None:
    assert said(given.status(given.record("a", stop="NotNeeded")), pods=pods(ccf=WAITS)) == []


ABORTED = Ended(evidence=EndEvidence.CONTAINER_TERMINATED, at=given.START, exit_code=134, message="no such key")
WORDS = "CCF/Pod a/Aborted: CCF gave up with exit code 134: no such key"


def test_the_last_words_of_a_first_node_stand_until_there_is_a_service() -> None:
    first = given.record("a", command=Command.START, ended=ABORTED)
    assert said(given.status(first, service=given.service(public_key=None, opened_at=None))) == [WORDS]
    assert (
        said(given.status(first.model_copy(update={"stop": "Replaced"}), service=given.service(public_key=None))) == []
    )
    assert said(given.status(first)) == []


def test_the_last_words_of_a_joiner_stand_until_one_has_joined() -> None:
    failed = JoinFailures(
        count=1,
        last_at=given.START,
        message="a: it ended",
        node="a",
        said="CCF gave up with exit code 134: no such key",
    )
    assert said(given.status(join_failures=failed)) == [WORDS]
    assert said(given.status(join_failures=failed.model_copy(update={"said": None}))) == []


def test_the_last_words_of_a_candidate_stand_until_there_is_a_winner() -> None:
    damaged = given.candidate("x", node="a", result=CandidateResult.DAMAGED)
    recorded = given.record("a", command=Command.RECOVER, attempt=1, ended=ABORTED)
    assert said(given.status(recorded, attempt=given.attempt(damaged))) == [WORDS]
    assert said(given.status(recorded, attempt=given.attempt(damaged, winner=given.crowned("b")))) == []
