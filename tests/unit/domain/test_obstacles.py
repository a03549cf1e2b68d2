from __future__ import annotations

import pytest

from ccf_operator.api.status import CandidateResult, Obstacle, ObstacleSource
from ccf_operator.domain import obstacles
from ccf_operator.domain.draft import Draft
from unit.domain import given
from unit.domain.given import at

API, SCHEDULER, KUBELET = ObstacleSource.API_SERVER, ObstacleSource.SCHEDULER, ObstacleSource.KUBELET


def obstacle(
    about: str = "Pod a",
    source: ObstacleSource = KUBELET,
    reason: str = "FailedMount",
    said: str = "no",
    since: int = 0,
) -> Obstacle:
    return Obstacle(source=source, object=about, reason=reason, message=said, since=at(since))


def kept(draft: Draft) -> list[tuple[str, str, int]]:
    obstacles.keep_obstacles(draft)
    return [
        (one.object, one.message, round((one.since - given.START).total_seconds())) for one in draft.status.obstacles
    ]


def test_an_obstacle_that_stands_keeps_its_time_and_has_the_last_words_of_its_source() -> None:
    draft = given.draft(given.status(obstacles=[obstacle(said="once", since=3)]), after=9)
    draft.obstruct(KUBELET, "Pod a", "FailedMount", "and\n  again")
    draft.obstruct(KUBELET, "Pod b", "FailedMount", "new")
    assert kept(draft) == [("Pod a", "and again", 3), ("Pod b", "new", 9)]


def test_one_that_nobody_says_any_more_is_gone() -> None:
    assert kept(given.draft(given.status(obstacles=[obstacle()]))) == []


def test_what_two_say_of_one_object_is_kept_once() -> None:
    draft = given.draft(given.status())
    draft.obstruct(KUBELET, "Pod a", "FailedMount", "first")
    draft.obstruct(KUBELET, "Pod a", "FailedMount", "second")
    assert kept(draft) == [("Pod a", "first", 0)]


def test_causes_come_first_and_there_is_an_end_to_them() -> None:
    draft = given.draft(given.status())
    for number in range(40):
        draft.obstruct(KUBELET, f"Pod {number:02}", "FailedMount", "no")
    draft.obstruct(SCHEDULER, "Pod z", "Unschedulable", "no room")
    draft.obstruct(API, "Pod z", "QuotaExceeded", "no quota")
    obstacles.keep_obstacles(draft)
    assert [one.source for one in draft.status.obstacles[:3]] == [API, SCHEDULER, KUBELET]
    assert len(draft.status.obstacles) == obstacles.KEPT


def test_words_are_cut() -> None:
    assert len(obstacles.shortened("x" * 9000)) == obstacles.LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("message", "standing", "told"),
    [
        ("it starts", [], "it starts"),
        ("it starts", [obstacle()], "it starts. In the way: Pod a: FailedMount (Kubelet): no"),
        ("", [obstacle()], "In the way: Pod a: FailedMount (Kubelet): no"),
        ("it starts. In the way: Pod z: Old (Kubelet): gone", [], "it starts"),
        (
            "it starts. In the way: Pod z: Old (Kubelet): gone",
            [obstacle()],
            "it starts. In the way: Pod a: FailedMount (Kubelet): no",
        ),
        ("a waits: no such image", [obstacle(said="no such image")], "a waits: no such image"),
    ],
    ids=["none", "one", "alone", "healed", "another", "said already"],
)
def test_a_message_has_what_is_in_the_way_and_loses_it(message: str, standing: list[Obstacle], told: str) -> None:
    assert obstacles.with_obstacles(message, standing) == told


def test_the_same_words_about_several_objects_are_said_once_and_many_are_counted() -> None:
    standing = [obstacle("Pod a"), obstacle("Pod b"), obstacle("Pod c"), obstacle(said="x"), obstacle(said="y")]
    assert obstacles.in_words(standing) == (
        "Pod a and 2 more: FailedMount (Kubelet): no; Pod a: FailedMount (Kubelet): x; and 1 more in status.obstacles"
    )


def test_a_next_step_that_is_known_goes_first_and_advice_that_has_served_its_purpose_goes() -> None:
    before, now = [obstacle()], [obstacle("Pod b")]
    advice = obstacles.next_step("", [], before, "bank")
    assert "kubectl -n bank describe pod a" in advice
    assert obstacles.next_step("members: vote", [], now, "bank") == "members: vote"
    assert obstacles.next_step(advice, before, now, "bank") == advice.replace("pod a", "pod b")
    assert obstacles.next_step(advice, before, [], "bank") == ""


def test_an_attempt_and_its_candidates_have_the_words_and_lose_them() -> None:
    result = given.candidate("b", result=CandidateResult.EMPTY, detail="the volume holds no ledger")
    attempt = given.attempt(given.candidate("a"), result, message="waiting")
    draft = given.draft(given.status(attempt=attempt))
    draft.obstruct(KUBELET, "Pod r-a", "FailedMount", "no")
    obstacles.keep_obstacles(draft)
    obstacles.tell_attempt(draft)
    told = draft.status.attempt
    assert told is not None
    assert told.message == "waiting. In the way: Pod r-a: FailedMount (Kubelet): no"
    assert [c.detail for c in told.candidates] == ["Pod r-a: FailedMount (Kubelet): no", "the volume holds no ledger"]

    healed = given.draft(draft.status)
    obstacles.collect(healed, ())
    obstacles.keep_obstacles(healed)
    obstacles.tell_attempt(healed)
    told = healed.status.attempt
    assert told is not None
    assert told.message == "waiting"
    assert [c.detail for c in told.candidates] == [None, "the volume holds no ledger"]
