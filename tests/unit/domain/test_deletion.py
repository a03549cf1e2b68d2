from __future__ import annotations

from typing import Any

from ccf_operator.api.governance_status import GovernanceStatus, MembersStatus
from ccf_operator.api.status import Phase
from ccf_operator.domain.deletion import take_down
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import AnnotateVolume, DeletePod, Effect, ReleasePod, RemoveFinalizer, Report
from ccf_operator.domain.observation import ContainerView, PodView
from unit.domain.given import OLD, attempt, candidate, draft, end, ended_container, machine, pod, record, status

STUCK = {"ccf": ContainerView(), "stage": ContainerView(waiting_reason="ImagePullBackOff")}


def down(*pods: PodView, **seen: Any) -> Draft:
    work = draft(status(record("a"), record("b", ended=end())), pods={p.name: p for p in pods}, **seen)
    take_down(work)
    return work


def asked(*pods: PodView, **seen: Any) -> list[Effect]:
    return to_pods(down(*pods, **seen))


def to_pods(work: Draft) -> list[Effect]:
    return [effect for effect in work.effects if not isinstance(effect, AnnotateVolume | Report)]


def test_a_running_node_is_ended_and_its_end_waited_for() -> None:
    assert asked(pod("a")) == [DeletePod("a", "uid-a")]
    assert asked(pod("a", deleting=True)) == []
    assert asked(pod("a", deleting=True, ccf=ended_container(0))) == [ReleasePod("a", "uid-a")]


def test_nothing_is_left_when_no_pod_is_held() -> None:
    assert asked() == [RemoveFinalizer()]
    assert asked(pod("a", finalizers=())) == [RemoveFinalizer()]
    assert asked(pod("a", owner_uid="another network")) == [RemoveFinalizer()]


def test_a_pod_on_a_machine_that_does_not_work_is_let_go_at_once() -> None:
    for machines in ({"m1": machine(ready=False)}, {"m1": machine(out_of_service=True)}, {}, None):
        assert ReleasePod("a", "uid-a") in asked(pod("a", deleting=True), machines=machines)


def test_a_pod_that_never_got_so_far_does_not_hang() -> None:
    assert ReleasePod("a", "uid-a") in asked(pod("a", machine=None, **STUCK))
    assert asked(pod("a", deleting=True, **STUCK)) == []
    assert asked(pod("a", deleting=True, phase="Failed", **STUCK)) == [ReleasePod("a", "uid-a")]


def test_pods_that_are_not_on_record_are_taken_down_too() -> None:
    assert asked(pod("x")) == [DeletePod("x", "uid-x")]


def test_it_is_said_and_nothing_runs_on() -> None:
    work = down(pod("a"))
    assert work.status.phase is Phase.DELETING
    assert {r.name: r.stop for r in work.status.nodes} == {"a": "Deleted", "b": "Deleted"}
    again = draft(work.status, pods={"a": pod("a", deleting=True)}, after=60)
    take_down(again)
    assert again.status == work.status
    assert [event.reason for event in again.status.pending_events] == ["Deleting"]


def test_in_the_middle_of_a_recovery_too() -> None:
    work = draft(status(record("r-a", attempt=1), attempt=attempt(candidate("a"))), pods={"r-a": pod("r-a")})
    take_down(work)
    assert to_pods(work) == [DeletePod("r-a", "uid-r-a")]


def test_members_are_not_waited_for_any_more() -> None:
    people = MembersStatus(active=1, total=2, not_active=["bob"])
    work = draft(status(record("a"), governance=GovernanceStatus(service=OLD, members=people)))
    take_down(work)
    assert work.status.governance is None
