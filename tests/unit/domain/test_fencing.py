from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Attempt, CandidateResult, Command, EndEvidence, NodeRecord, Timeline
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.fencing import FENCED, TRIES, fence, spare
from ccf_operator.domain.observation import ContainerView
from ccf_operator.domain.quorum import Loss
from ccf_operator.render import labels
from unit.domain.given import (
    answers,
    at,
    attempt,
    candidate,
    claim,
    config,
    draft,
    end,
    ended_container,
    machine,
    node_id,
    pod,
    record,
    status,
    view,
)

PROVEN, DOUBTED = Loss(True, "lost"), Loss(False, "a survivor contradicts")


def unfenced(name: str = "a", **fields: Any) -> Attempt:
    known = {"node": None, "generation": None, "created_at": None, "stage": "Fencing"}
    return attempt(candidate(name, **{**known, **fields}), timeline=Timeline(proven_at=at(0)))


def fenced(*nodes: NodeRecord, of: Attempt | None = None, loss: Loss = PROVEN, after: float = 0, **seen: Any) -> Draft:
    """One look of fencing volume v-a, on which these nodes are on record."""
    running = of if of is not None else unfenced()
    work = draft(status(record("a", ended=end(), volume="v-a"), *nodes, attempt=running), after=after, **seen)
    assert work.status.attempt is not None
    fence(work, work.status.attempt, view(work), loss)
    return work


def result_of(work: Draft) -> CandidateResult | None:
    assert work.status.attempt is not None
    return work.status.attempt.candidates[0].result


def planned(work: Draft) -> NodeRecord | None:
    assert work.status.attempt is not None
    name = work.status.attempt.candidates[0].node
    return work.status.node(name) if name is not None else None


def survivor(**fields: Any) -> NodeRecord:
    return record("s", volume="v-a", **fields)


def voice(name: str = "s") -> dict[str, NodeAnswers]:
    return {name: answers(name, configs=[config(*"abs")])}


def test_a_volume_whose_every_node_has_ended_gets_a_candidate_in_a_new_generation() -> None:
    work = fenced()
    node = planned(work)
    assert node is not None
    assert (node.command, node.volume, node.generation, node.attempt) == (Command.RECOVER, "v-a", 1, 1)
    assert work.status.attempt is not None
    assert work.status.attempt.candidates[0].generation == 1
    ended = work.status.node("a")
    assert ended is not None
    assert ended.stop is not None, "its pod is let go, for the claim to be mounted elsewhere"


def test_it_is_planned_once() -> None:
    work = fenced()
    count = len(work.status.nodes)
    assert work.status.attempt is not None
    fence(work, work.status.attempt, view(work), PROVEN)
    assert len(work.status.nodes) == count


def test_one_node_that_may_still_run_keeps_the_volume_unfenced() -> None:
    work = fenced(survivor(), answers=voice())
    assert planned(work) is None
    stopped = work.status.node("s")
    assert stopped is not None
    assert stopped.stop is not None, "it has answered, and so had its chance to contradict"


def test_nobody_is_stopped_while_the_loss_is_in_doubt() -> None:
    work = fenced(survivor(), answers=voice(), loss=DOUBTED)
    node = work.status.node("s")
    assert node is not None
    assert node.stop is None
    assert result_of(work) is None


@pytest.mark.parametrize(
    ("fields", "goes"),
    [
        pytest.param({}, False, id="its deletion was not asked"),
        pytest.param({"deleting": True}, True, id="it was"),
    ],
)
def test_who_was_to_be_fenced_is_spared_as_long_as_it_can_be(fields: dict[str, Any], goes: bool) -> None:
    work = draft(status(record("a", stop=FENCED)), pods={"a": pod("a", **fields)})
    spare(work)
    assert (work.status.nodes[0].stop == FENCED) is goes


@pytest.mark.parametrize(
    "fields", [{"stop": "RecoveryStarted"}, {"stop": "Fenced", "attempt": 1}, {"stop": "Fenced", "ended": end()}]
)
def test_nobody_else_is_spared(fields: dict[str, Any]) -> None:
    work = draft(status(record("a", **fields)), pods={"a": pod("a")})
    spare(work)
    assert work.status.nodes[0].stop == fields["stop"]


def test_a_silent_node_is_left_alone_and_its_volume_done_without_after_a_while() -> None:
    work = fenced(survivor(), after=10)
    assert result_of(work) is None
    work = fenced(survivor(), after=31)
    node = work.status.node("s")
    assert node is not None
    assert node.stop is None
    assert result_of(work) is CandidateResult.UNREACHABLE


def test_at_once_if_its_machine_is_down() -> None:
    work = fenced(survivor(), after=1, machines={"m1": machine(ready=False)})
    assert result_of(work) is CandidateResult.UNREACHABLE


def test_a_node_that_answers_only_half_has_had_no_chance_to_contradict() -> None:
    # A proven connection, and then time was up: it has not said who leads.
    half = NodeAnswers(reached=True, node_id=node_id("s"), problem="no complete answer within 2 s")
    work = fenced(survivor(), answers={"s": half})
    node = work.status.node("s")
    assert node is not None
    assert node.stop is None


def test_a_survivor_that_answers_late_is_fenced_after_all() -> None:
    given_up = unfenced(result=CandidateResult.UNREACHABLE, detail="silent")
    work = fenced(survivor(), of=given_up, answers=voice(), after=500)
    node = work.status.node("s")
    assert node is not None
    assert node.stop is not None
    work = fenced(survivor(ended=end()), of=given_up, after=510)
    assert planned(work) is not None
    assert result_of(work) is None


def test_one_that_was_told_to_stop_is_given_the_time_that_takes() -> None:
    work = fenced(survivor(stop="Fenced"), after=40)
    assert result_of(work) is None
    work = fenced(survivor(stop="Fenced"), after=120)
    assert result_of(work) is CandidateResult.UNREACHABLE


def test_a_claim_that_is_gone_or_another_is_no_volume() -> None:
    assert result_of(fenced(claims={})) is CandidateResult.UNREACHABLE
    assert result_of(fenced(claims={"v-a": claim("v-a", uid="another")})) is CandidateResult.UNREACHABLE


def test_a_claim_that_was_away_and_is_back_is_fenced() -> None:
    given_up = unfenced(result=CandidateResult.UNREACHABLE, detail="its claim is not there")
    assert planned(fenced(of=given_up)) is not None


def stranger(**fields: Any) -> dict[str, Any]:
    return {"x": pod("x", labels={labels.VOLUME: "v-a"}, **fields)}


def test_a_pod_that_is_not_on_record_may_write_too_but_blocks_nobody_for_ever() -> None:
    work = fenced(pods=stranger(), after=5)
    assert planned(work) is None
    assert result_of(work) is None
    work = fenced(pods=stranger(), after=120)
    assert planned(work) is None
    assert result_of(work) is CandidateResult.UNREACHABLE
    assert planned(fenced(pods=stranger(ccf=ended_container()))) is not None


def test_nor_does_one_that_never_started() -> None:
    never = stranger(machine=None, deleting=True, ccf=ContainerView(), stage=ContainerView())
    assert planned(fenced(pods=never)) is not None


def test_nodes_of_an_earlier_attempt_are_stopped_whether_they_answer_or_not() -> None:
    work = fenced(survivor(attempt=1, command=Command.RECOVER))
    node = work.status.node("s")
    assert node is not None
    assert node.stop is not None


def test_another_try_waits_its_time_and_is_not_made_for_ever() -> None:
    waiting = unfenced(result=CandidateResult.UNREACHABLE, tries=1, retry_at=at(15))
    assert planned(fenced(of=waiting, after=10)) is None
    assert planned(fenced(of=waiting, after=15)) is not None
    spent = unfenced(result=CandidateResult.UNREACHABLE, tries=TRIES)
    assert planned(fenced(of=spent, after=10**6)) is None


def test_bystanders_of_the_lost_service_make_room() -> None:
    bystander = record("j")
    work = fenced(bystander, answers=voice("j"))
    node = work.status.node("j")
    assert node is not None
    assert node.stop is not None
    assert EndEvidence.NEVER_STARTED.value == "NeverStarted"


def test_a_try_that_waits_for_its_time_is_given_up_when_the_claim_goes() -> None:
    waiting = unfenced(result=CandidateResult.UNREACHABLE, tries=1, retry_at=at(5))
    work = fenced(of=waiting, claims={}, after=10)
    assert work.status.attempt is not None
    assert work.status.attempt.candidates[0].retry_at is None, "or a person would never be asked"


@pytest.mark.parametrize(("waited", "given_up"), [(1, False), (60, False), (100, True)])
def test_the_end_of_a_node_in_whose_place_another_comes_is_waited_for_since_that_was_decided(
    waited: float, given_up: bool
) -> None:
    detail = "its node is made anew"
    again = unfenced(result=CandidateResult.UNREACHABLE, detail=detail, retry_at=at(1000), stage="Done")
    before = record("r", volume="v-a", attempt=1, stop="Replaced", node_id=None)
    work = fenced(before, of=again, after=1000 + waited, pods={"r": pod("r", deleting=True)})
    assert work.status.attempt is not None
    candidate_now = work.status.attempt.candidates[0]
    assert (candidate_now.retry_at is None, candidate_now.detail != detail) == (given_up, given_up)
