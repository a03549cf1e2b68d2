"""What is decided while the API server refuses what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import (
    Attempt,
    CandidateResult,
    CandidateStage,
    Command,
    Ended,
    EndEvidence,
    ObstacleSource,
    Phase,
    Timeline,
)
from ccf_operator.domain.decide import decide
from ccf_operator.domain.effects import (
    CreateNode,
    CreateVolume,
    DeletePod,
    Effect,
    ExploreVolume,
    LabelPod,
    ReleasePod,
)
from ccf_operator.domain.exploration import why_given_up
from ccf_operator.domain.joiners import stop_failed
from ccf_operator.domain.nodes import serves, want_pods
from ccf_operator.domain.observation import Refusal
from ccf_operator.domain.obstacle_providers import PASSES, refusals
from ccf_operator.domain.plan import Plan
from ccf_operator.render import labels
from unit.domain import given
from unit.domain.given import at

WORDS = 'Internal error occurred: failed calling webhook "check.corp.example": connection refused'


def refused(effect: Effect, about: str = "Pod r-a", since: float = 0, **fields: Any) -> Refusal:
    return Refusal(effect, ObstacleSource.API_SERVER, about, "WebhookFailed", WORDS, at(since), **fields)


def look(of: Attempt, *refusals: Refusal, after: float, pods: dict[str, Any] | None = None) -> Plan:
    """A look at an attempt: the nodes a, b and c have ended, candidates' pods are as given."""
    ended = [given.record(name, ended=given.end(), stop="Fenced", released=True) for name in "abc"]
    nodes = [
        given.record(
            c.node, volume=c.volume, generation=1, command=Command.RECOVER, attempt=1, pod_uid=None, node_id=None
        )
        for c in of.candidates
        if c.node is not None
    ]
    status = given.status(
        *ended,
        *nodes,
        attempt=of,
        configuration=given.configuration("a", "b", "c"),
        phase=Phase.RECOVERING,
        phase_since=given.START,
    )
    return decide(given.observation(status, after=after, pods=pods or {}, refusals=refusals))


def attempted(plan: Plan) -> Attempt:
    assert plan.status.attempt is not None
    return plan.status.attempt


def test_a_candidate_whose_pod_is_refused_is_never_late_and_says_who_refuses_it() -> None:
    plan = look(given.attempt(given.candidate("a")), refused(CreateNode("r-a")), after=100_000)
    (found,) = attempted(plan).candidates
    assert (found.stage, found.result) == (CandidateStage.REFUSED, None)
    assert found.detail is not None
    assert "check.corp.example" in found.detail
    assert "check.corp.example" in attempted(plan).message
    assert "check.corp.example" in plan.status.message
    assert "check.corp.example" in plan.status.next_step
    assert plan.status.reason == "Candidates"
    assert CreateNode("r-a") in plan.effects


def test_the_time_of_a_candidate_begins_when_its_pod_is_not_refused_any_more() -> None:
    waiting = given.candidate("a", stage=CandidateStage.REFUSED)
    plan = look(given.attempt(waiting), after=100_000)
    (found,) = attempted(plan).candidates
    assert found.result is None
    assert found.created_at == at(100_000)
    assert found.detail is None
    assert "webhook" not in plan.status.message


def test_where_the_others_suffice_a_refused_candidate_is_done_without_after_a_while() -> None:
    three = given.attempt(
        given.candidate("a", stage=CandidateStage.REFUSED),
        given.recovered("b", "2.20"),
        given.recovered("c", "2.20"),
        timeline=Timeline(proven_at=given.START),
    )
    for since, expected in ((95, None), (80, CandidateResult.UNREACHABLE)):
        ended = [given.record(name, ended=given.end(), stop="Fenced", released=True) for name in "abc"]
        nodes = [
            given.record(f"r-{n}", volume=f"v-{n}", generation=1, command=Command.RECOVER, attempt=1) for n in "bc"
        ]
        none = given.record(
            "r-a", volume="v-a", generation=1, command=Command.RECOVER, attempt=1, pod_uid=None, node_id=None
        )
        status = given.status(*ended, *nodes, none, attempt=three, configuration=given.configuration("a", "b", "c"))
        pods = {f"r-{name}": given.pod(f"r-{name}") for name in "bc"}
        seen = given.observation(status, after=100, pods=pods, refusals=(refused(CreateNode("r-a"), since=since),))
        found = attempted(decide(seen)).candidates[0]
        assert found.result is expected, since
        assert (found.node is None) == (expected is not None)


def test_where_they_do_not_suffice_it_is_waited_for() -> None:
    plan = look(
        given.attempt(
            given.candidate("a"), given.candidate("b", node=None, result=CandidateResult.EMPTY, stage="Done")
        ),
        refused(CreateNode("r-a")),
        after=100_000,
    )
    assert attempted(plan).candidates[0].result is None
    assert plan.status.reason == "Candidates"


def test_a_node_that_cannot_be_told_to_stop_is_not_given_up_for_not_stopping() -> None:
    running = given.record("a", stop="Fenced", attempt=None)
    others = [given.record(name, ended=given.end(), stop="Fenced") for name in "bc"]
    unfenced = given.candidate("a", node=None, generation=None, stage="Fencing")
    status = given.status(
        running,
        *others,
        attempt=given.attempt(unfenced, phase="Fencing", timeline=Timeline(proven_at=given.START)),
        configuration=given.configuration("a", "b", "c"),
    )
    no = refused(DeletePod("a", "uid-a"), "Pod a")
    waits = decide(given.observation(status, after=5000, refusals=(no,)))
    assert attempted(waits).candidates[0].result is None
    gives_up = decide(given.observation(status, after=5000))
    assert attempted(gives_up).candidates[0].result is CandidateResult.UNREACHABLE


@pytest.mark.parametrize("held", [True, False], ids=["its pod is held", "its pod is let go"])
def test_no_candidate_starts_beside_a_node_that_is_only_said_to_be_gone_until_its_pod_is_let_go(held: bool) -> None:
    gone = Ended(evidence=EndEvidence.OUT_OF_SERVICE, at=given.START)
    record = given.record("a", ended=gone, stop="Fenced")
    recovers = given.record(
        "r-a", volume="v-a", generation=1, command=Command.RECOVER, attempt=1, pod_uid=None, node_id=None
    )
    pod = given.pod("a", deleting=True, finalizers=(labels.POD_FINALIZER,) if held else ())
    draft = given.draft(given.status(record, recovers, attempt=given.attempt(given.candidate("a"))), pods={"a": pod})
    want_pods(draft)
    assert (CreateNode("r-a") in draft.effects) is not held
    assert ReleasePod("a", "uid-a") in draft.effects


def test_a_claim_that_was_refused_is_asked_for_until_it_is_there() -> None:
    joiner = given.record("a", node_id=None)
    status = given.status(joiner, volumes=[given.volume("v-a", uid=None)])
    draft = given.draft(status, claims={})
    want_pods(draft)
    assert CreateVolume("v-a") in draft.effects
    assert CreateNode("a") not in draft.effects


@pytest.mark.parametrize(("uid", "stop"), [(None, None), ("uid-v-a", "VolumeGone")], ids=["never made", "gone"])
def test_a_claim_is_gone_only_if_it_was_there(uid: str | None, stop: str | None) -> None:
    joiner = given.record("a", node_id=None, join_target="b")
    status = given.status(joiner, given.record("b"), volumes=[given.volume("v-a", uid=uid), given.volume("v-b")])
    draft = given.draft(status, claims={"v-b": given.claim("v-b")})
    stop_failed(draft, [draft.status.nodes[0]], frozenset())
    assert draft.status.nodes[0].stop == stop


def test_a_volume_is_not_given_up_while_what_reads_it_is_refused() -> None:
    claim = given.claim("v")
    no = refused(ExploreVolume("v", claim.uid), "Pod explorer")
    assert why_given_up(given.draft(given.status(), after=90_000), claim, given.START) is not None
    assert why_given_up(given.draft(given.status(), after=90_000, refusals=(no,)), claim, given.START) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"labels": {labels.TRAFFIC: "true"}}, True),
        ({"labels": {}}, False),
        ({"labels": {labels.TRAFFIC: "true"}, "ready": False}, False),
        ({"labels": {labels.TRAFFIC: "true"}, "deleting": True}, False),
    ],
    ids=["labelled", "the label was refused", "not Ready", "going"],
)
def test_a_node_serves_if_the_service_sends_clients_to_it(fields: dict[str, Any], expected: bool) -> None:
    draft = given.draft(given.status(given.record("a", fit=True)), pods={"a": given.pod("a", **fields)})
    assert serves(draft, draft.status.nodes[0]) is expected
    draft.status.nodes[0].fit = False
    assert not serves(draft, draft.status.nodes[0])


def test_ready_counts_the_labels_that_are_there_and_says_why_there_are_not_more() -> None:
    status = given.status(
        *(given.record(name, fit=True, joined_at=given.START) for name in "abc"),
        configuration=given.configuration("a", "b", "c"),
        phase=Phase.RUNNING,
    )
    pods = {name: given.pod(name, labels={labels.TRAFFIC: "true"} if name == "a" else {}) for name in "abc"}
    answers = given.quorum("a", "b", "c", rows=dict.fromkeys("abc", "Trusted"))
    no = tuple(refused(LabelPod(name, f"uid-{name}", ()), f"Pod {name}") for name in "bc")
    found = decide(given.observation(status, after=60, pods=pods, answers=answers, refusals=no)).status
    assert found.ready_nodes == "1/3"
    ready = next(condition for condition in found.conditions if condition.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "NodesMissing")
    assert ready.message.startswith("1 of 3 nodes serve clients")
    assert "check.corp.example" in ready.message


@pytest.mark.parametrize(
    ("passing", "age", "told"), [(False, 0, True), (True, 0, False), (True, PASSES.total_seconds(), True)]
)
def test_what_may_pass_is_told_when_it_stays(passing: bool, age: float, told: bool) -> None:
    draft = given.draft(given.status(), after=age, refusals=(refused(CreateNode("r-a"), passing=passing),))
    refusals(draft)
    assert bool(draft.obstacles) is told
    assert bool(draft.status.pending_events) is told


def test_a_refusal_is_an_event_once() -> None:
    no = refused(CreateNode("r-a"))
    first = given.draft(given.status(), refusals=(no,))
    refusals(first)
    second = given.draft(given.status(obstacles=first.obstacles), refusals=(no,))
    refusals(second)
    assert [event.reason for event in first.status.pending_events] == ["Refused"]
    assert second.status.pending_events == []
