from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.spec import Recovery
from ccf_operator.api.status import NodeRecord, PodState
from ccf_operator.domain.observation import ContainerView, PodView, ReadBytes, Terminated
from ccf_operator.domain.pod_progress import (
    UNTIL_IT_RUNS,
    has_waited_too_long,
    in_words,
    may_have_started,
    note_progress,
    pod_state,
)
from unit.domain.given import at, ended_container, pod, record

NOT_YET = ContainerView()
INITIALIZING = ContainerView(waiting_reason="PodInitializing")
DONE = ContainerView(terminated=Terminated(0))


def view(**fields: Any) -> PodView:
    """A pod that has a machine, and nothing else yet."""
    known: dict[str, Any] = {"phase": "Pending", "ip": None, "stage": NOT_YET, "ccf": NOT_YET}
    return pod("n", **{**known, **fields})


def waits(reason: str) -> ContainerView:
    return ContainerView(waiting_reason=reason, waiting_message="words")


@pytest.mark.parametrize(
    ("of", "state"),
    [
        (None, PodState.NOT_CREATED),
        (view(machine=None), PodState.UNSCHEDULED),
        (view(machine=None, unschedulable="no room"), PodState.UNSCHEDULED),
        (view(), PodState.ATTACHING),
        (view(stage=INITIALIZING, ccf=INITIALIZING), PodState.ATTACHING),
        (view(stage=INITIALIZING, ccf=INITIALIZING, ip="10.0.0.1"), PodState.PULLING),
        (view(stage=waits("ImagePullBackOff"), ccf=INITIALIZING), PodState.PULLING),
        (view(stage=waits("InvalidImageName"), ccf=INITIALIZING), PodState.PULLING),
        (view(stage=waits("CreateContainerConfigError"), ip="10.0.0.1"), PodState.CREATING),
        (view(stage=ContainerView(running=True), ip="10.0.0.1"), PodState.STAGING),
        (view(stage=DONE, ccf=INITIALIZING, ip="10.0.0.1"), PodState.STAGED),
        (view(stage=DONE, ccf=NOT_YET), PodState.STAGED),
        (view(stage=DONE, ccf=waits("ErrImagePull"), ip="10.0.0.1"), PodState.PULLING),
        (view(stage=DONE, ccf=waits("RunContainerError"), ip="10.0.0.1"), PodState.CREATING),
        (view(stage=DONE, ccf=ContainerView(running=True), phase="Running"), PodState.RUNNING),
        (view(stage=DONE, ccf=ended_container(), phase="Failed"), PodState.ENDED),
        (view(stage=ended_container(3), phase="Failed"), PodState.ENDED),
        (view(phase="Failed"), PodState.REJECTED),
        (view(phase="Failed", machine=None), PodState.REJECTED),
        (view(phase="Failed", stage=DONE), PodState.REJECTED),
    ],
)
def test_the_state_of_a_pod(of: PodView | None, state: PodState) -> None:
    assert pod_state(of) is state
    assert in_words(state)


RECOVERY = Recovery(start_deadline="10m", candidate_deadline="5m")


def noted(
    of: NodeRecord,
    seen: PodView | None,
    after: float,
    read: ReadBytes | None = None,
    recovery: Recovery = RECOVERY,
) -> NodeRecord:
    note_progress(of, seen, read, recovery, at(after))
    return of


def test_a_state_begins_when_it_is_first_seen_and_lasts_until_another_is() -> None:
    of = noted(record("n", pod_uid=None), None, 0)
    assert (of.state, of.state_since) == (PodState.NOT_CREATED, at(0))
    of.pod_uid = "uid-n"
    assert noted(of, view(), 10).state_since == at(10)
    assert noted(of, view(), 20).state_since == at(10)
    assert noted(of, view(stage=DONE), 30).state_since == at(30)


def test_a_pod_that_has_vanished_shows_nothing_new() -> None:
    of = noted(record("n"), view(stage=DONE), 0)
    assert noted(of, None, 10).state is PodState.STAGED


STAGING = view(stage=ContainerView(running=True), ip="10.0.0.1")


def test_progress_of_stage_is_noted_when_it_has_come_further_and_not_at_every_look() -> None:
    of = noted(record("n"), STAGING, 0)
    assert of.staged is None
    assert noted(of, STAGING, 1, ReadBytes(10, 100)).staged is not None

    def known() -> tuple[int, float]:
        assert of.staged is not None
        return of.staged.done, (of.staged.at - at(0)).total_seconds()

    assert known() == (10, 1)
    noted(of, STAGING, 2, ReadBytes(20, 100))
    assert known() == (10, 1)
    noted(of, STAGING, 7, ReadBytes(20, 100))
    assert known() == (20, 7)
    noted(of, STAGING, 60, ReadBytes(20, 100))
    noted(of, STAGING, 61, None)
    assert known() == (20, 7)
    assert noted(of, view(stage=DONE), 62).staged is None


def test_where_little_time_is_given_progress_is_noted_the_more_often() -> None:
    hasty = Recovery(start_deadline="1s", candidate_deadline="2s")
    of = noted(record("n"), STAGING, 0, ReadBytes(1, 100), hasty)
    noted(of, STAGING, 0.5, ReadBytes(2, 100), hasty)
    assert of.staged is not None
    assert of.staged.done == 2


def too_long(of: NodeRecord, after: float) -> bool:
    return has_waited_too_long(of, RECOVERY, at(after))


@pytest.mark.parametrize("state", sorted(UNTIL_IT_RUNS - {PodState.STAGING}))
def test_each_state_before_the_start_has_a_deadline_of_its_own(state: PodState) -> None:
    of = record("n", state=state, state_since=at(1000))
    assert not too_long(of, 1600)
    assert too_long(of, 1601)


@pytest.mark.parametrize("state", sorted(frozenset(PodState) - UNTIL_IT_RUNS))
def test_where_another_pod_would_wait_for_the_same_or_the_node_has_started_nothing_is_ended(state: PodState) -> None:
    assert not too_long(record("n", state=state, state_since=at(0)), 10**9)


@pytest.mark.parametrize(("tries", "limit"), [(0, 600), (1, 1200), (2, 2400), (3, 3600), (60, 3600)])
def test_each_try_is_given_longer_than_the_one_before(tries: int, limit: int) -> None:
    of = record("n", state=PodState.STAGED, state_since=at(0), tries=tries)
    assert not too_long(of, limit)
    assert too_long(of, limit + 1)


def test_stage_may_read_as_long_as_it_comes_further() -> None:
    of = noted(record("n"), STAGING, 0)
    for after in range(0, 10_000, 290):
        noted(of, STAGING, after, ReadBytes(after, 10_000))
        assert not too_long(of, after + 300)
    noted(of, STAGING, 10_000, ReadBytes(10_000, 10_000))
    assert not too_long(of, 10_300)
    assert too_long(of, 10_301)


def test_stage_that_cannot_be_asked_gets_much_longer() -> None:
    of = noted(record("n"), STAGING, 0)
    assert not too_long(of, 3600)
    assert too_long(of, 3601)


@pytest.mark.parametrize(
    ("of", "seen", "started"),
    [
        (record("n", node_id=None, pod_uid=None), None, False),
        (record("n", node_id=None), None, True),
        (record("n", node_id=None), view(), False),
        (record("n", node_id=None), view(stage=DONE), False),
        (record("n"), view(), True),
        (record("n", node_id=None, state=PodState.RUNNING), view(), True),
        (record("n", node_id=None), view(ccf=ContainerView(running=True)), True),
        (record("n", node_id=None), view(ccf=ended_container()), True),
    ],
    ids=[
        "not created", "its pod has vanished", "nothing yet", "stage has ended", "it has an id", "it ran before",
        "it runs", "it has ended",
    ],
)  # fmt: skip
def test_a_node_may_have_started_unless_all_that_would_show_it_is_there_and_does_not(
    of: NodeRecord, seen: PodView | None, started: bool
) -> None:
    assert may_have_started(of, seen) is started
