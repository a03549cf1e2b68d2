from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import Command, EndEvidence, JoinFailures, NodeRecord, PodState, VolumeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.joiners import (
    PLACING,
    free_volumes,
    has_caught_up,
    may_plan,
    note_joined,
    plan_joiners,
    stop_failed,
)
from ccf_operator.domain.made_of import made_of, storage_of
from ccf_operator.domain.observation import ContainerView, PodView
from ccf_operator.domain.pod_progress import UNTIL_IT_RUNS
from unit.domain.given import (
    answers,
    at,
    attempt,
    candidate,
    claim,
    config,
    configuration,
    crowned,
    draft,
    end,
    machine,
    node_id,
    on,
    pending,
    pod,
    quorum,
    record,
    spec,
    status,
    volume,
)

A = record("a", command=Command.START)
CHOSEN = crowned("a", public_key="key")


def free(of: VolumeRecord, *nodes: NodeRecord, **fields: Any) -> bool:
    """Whether a joiner would be given this volume."""
    seen = {key: fields.pop(key) for key in ("claims", "machines") if key in fields}
    work = draft(status(*nodes, volumes=[volume("v-a", machine="m9"), of], **fields), **seen)
    return of.name in [found.name for found in free_volumes(work)]


def test_a_volume_is_free_when_all_that_used_it_have_ended() -> None:
    assert free(volume("v-b"), A, record("b", ended=end()))
    assert not free(volume("v-b"), A, record("b", ended=end()), record("b2", volume="v-b"))


def test_the_ledger_of_a_dead_member_is_kept_for_a_recovery() -> None:
    dead = record("b", ended=end())
    assert not free(volume("v-b"), A, dead, configuration=configuration("a", "b"))
    assert free(volume("v-b"), A, dead, configuration=configuration("a"))


def test_in_a_recovery_losers_leave_their_volumes_but_not_those_nobody_could_reach() -> None:
    dead, running = record("b", ended=end()), attempt(candidate("b", result="Damaged"))
    assert free(volume("v-b"), dead, configuration=configuration("a", "b"), attempt=running)
    for result in ("Unreachable", "TimedOut"):
        assert not free(volume("v-b"), dead, attempt=attempt(candidate("b", result=result)))


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"v-b": claim("v-b", uid="another")},
        {"v-b": claim("v-b", deleting=True)},
        {"v-b": claim("v-b", phase="Pending")},
        {"v-b": claim("v-b", phase="Lost")},
    ],
    ids=["gone", "another", "going", "never bound", "lost"],
)
def test_a_claim_that_is_not_there_as_it_was_is_no_volume(claims: Any) -> None:
    assert not free(volume("v-b"), A, record("b", ended=end()), claims=claims)


@pytest.mark.parametrize(
    "machines",
    [{}, {"m2": machine("m2", ready=False)}, {"m2": machine("m2", out_of_service=True)}],
    ids=["gone", "not ready", "out of service"],
)
def test_a_volume_on_a_machine_that_does_not_work_is_not_given_out(machines: Any) -> None:
    # Also when the node that died with the machine is long forgotten.
    assert free(volume("v-b", machine="m2"), A, machines={"m2": machine("m2")})
    assert not free(volume("v-b", machine="m2"), A, machines=machines)


def test_nor_one_on_a_machine_that_another_node_holds_or_one_set_aside() -> None:
    assert not free(volume("v-b", machine="m9"), A, machines={"m9": machine("m9")})
    assert not free(volume("v-b", set_aside="nothing starts on it"), A)


def test_a_joiner_writes_to_a_new_generation_of_a_free_volume_or_to_a_new_volume() -> None:
    work = draft(status(A, record("b", ended=end()), volumes=[volume("v-a"), volume("v-b")]))
    plan_joiners(work, 1, A, "PEM", None)
    work.status.nodes[2].machine = on("m2")
    plan_joiners(work, 1, A, "PEM", None)
    first, second = work.status.nodes[2:]
    assert (first.volume, first.generation) == ("v-b", 1)
    assert second.volume not in ("v-a", "v-b")
    assert second.generation == 0
    assert first.join_address == "a.bank-nodes.default.svc.cluster.local:8080"


def test_a_new_volume_waits_until_joiners_on_used_ones_have_their_machines() -> None:
    work = draft(status(A, record("b", ended=end()), volumes=[volume("v-a"), volume("v-b")]))
    plan_joiners(work, 2, A, "PEM", None)
    assert [r.volume for r in work.status.nodes[2:]] == ["v-b"]
    work.status.nodes[2].machine = A.machine
    plan_joiners(work, 1, A, "PEM", None)
    assert [r.generation for r in work.status.nodes[2:]] == [1, 0]


def test_nor_does_it_wait_for_ever() -> None:
    work = draft(status(A, record("b", ended=end()), volumes=[volume("v-a"), volume("v-b")]))
    plan_joiners(work, 1, A, "PEM", None)
    work.status.nodes[2].planned_at = work.now - PLACING
    plan_joiners(work, 1, A, "PEM", None)
    assert len(work.status.nodes) == 4


def test_whoever_makes_way_for_the_winner_holds_neither_volume_nor_machine() -> None:
    bystander = record("b", stop="Fenced")
    assert not free(volume("v-b"), A, bystander, attempt=attempt(candidate("a")))
    assert free(volume("v-b"), A, bystander, attempt=attempt(candidate("a"), winner=CHOSEN))


@pytest.mark.parametrize(("failed", "wait"), [(1, 5), (2, 10), (3, 20), (7, 300), (10**6, 300)])
def test_the_next_joiner_waits_longer_with_each_that_fails(failed: int, wait: int) -> None:
    failures = JoinFailures(count=failed, last_at=at(0))

    def plans(after: float, failures: JoinFailures | None) -> bool:
        work = draft(status(A, join_failures=failures), after=after)
        plan_joiners(work, 1, A, "PEM", None)
        return len(work.status.nodes) > 1

    assert not plans(wait - 0.1, failures)
    assert plans(wait, failures)
    assert plans(0, None)


def stopped(joiner: NodeRecord, *others: NodeRecord, trusted: str = "", **seen: Any) -> Draft:
    work = draft(status(A, joiner, *others), **seen)
    stop_failed(work, work.status.nodes[1:2], {node_id(name) for name in trusted})
    return work


def joiner(**fields: Any) -> NodeRecord:
    return record("j", **{"join_target": "a", **fields})


def test_a_joiner_that_ended_is_let_go_and_counted() -> None:
    work = stopped(joiner(ended=end(after=7)))
    assert work.status.nodes[1].stop == "NotJoined"
    failures = work.status.join_failures
    assert failures is not None
    assert (failures.count, failures.last_at) == (1, at(7))
    assert "137" in failures.message


def test_one_that_members_have_trusted_is_theirs_to_remove() -> None:
    assert stopped(joiner(ended=end()), trusted="j").status.nodes[1].stop is None


def test_one_that_had_joined_is_not_a_failed_one() -> None:
    assert stopped(joiner(ended=end(), joined_at=at(0))).status.nodes[1].stop is None


def test_one_whose_target_has_ended_asks_no_other_and_is_replaced_without_blame() -> None:
    work = stopped(joiner(join_target="b"), record("b", ended=end()))
    assert work.status.nodes[1].stop == "TargetGone"
    assert work.status.join_failures is None


def test_one_that_a_rollback_has_stranded_is_replaced_when_it_stays_so() -> None:
    assert stopped(joiner(stranded_since=at(10)), after=40).status.nodes[1].stop is None
    work = stopped(joiner(stranded_since=at(10)), after=41)
    assert work.status.nodes[1].stop == "Stranded"
    assert work.status.join_failures is not None
    assert stopped(joiner(stranded_since=at(10)), after=41, trusted="j").status.nodes[1].stop is None


def test_one_whose_claim_is_gone_can_never_start() -> None:
    assert stopped(joiner(), claims={"v-a": claim("v-a")}).status.nodes[1].stop == "VolumeGone"


@pytest.mark.parametrize("there", [{}, {"j": pod("j", uid="another")}], ids=["gone", "another has its name"])
def test_one_whose_pod_went_before_its_end_was_seen_is_not_waited_for(there: dict[str, PodView]) -> None:
    pods = {"a": pod("a"), **there}
    assert stopped(joiner(), pods=pods).status.nodes[1].stop == "PodGone"
    assert stopped(joiner(), pods=pods, trusted="j").status.nodes[1].stop is None
    assert stopped(joiner(pod_uid=None), pods=pods).status.nodes[1].stop is None, "it is being made"


EVICTED = pod("j", phase="Failed", reason="Evicted", ccf=ContainerView())


@pytest.mark.parametrize(
    ("view", "trusted", "answers", "stop"),
    [
        (EVICTED, "", False, "PodOver"),
        (EVICTED, "j", False, None),
        (EVICTED, "", True, None),
        (replace(EVICTED, phase="Running"), "", False, None),
    ],
    ids=["evicted", "it is the members' to remove", "it answers", "its pod may go on"],
)
def test_one_whose_pod_is_over_and_whose_end_is_not_reported_makes_way(
    view: PodView, trusted: str, answers: bool, stop: str | None
) -> None:
    of = joiner(started_at=at(0))
    said = {"j": pending("j")} if answers else {}
    assert stopped(of, pods={"j": view}, trusted=trusted, answers=said).status.nodes[1].stop == stop


UNSCHEDULED = pod("j", machine=None, ccf=ContainerView(), stage=ContainerView())
UNBOUND = {"v-a": claim("v-a"), "v-j": claim("v-j", phase="Pending", volume_name=None)}


def waiting(state: PodState, **fields: Any) -> NodeRecord:
    """A joiner whose pod is in this state since the beginning."""
    return joiner(state=state, state_since=at(0), node_id=None, **fields)


def left_waiting(of: NodeRecord, *, after: float, view: PodView = UNSCHEDULED, **seen: Any) -> Draft:
    return stopped(of, pods={"a": pod("a"), "j": view}, after=after, **seen)


def test_one_that_finds_no_place_for_its_volume_gets_another_and_without_a_volume_waiting_is_right() -> None:
    unplaced = waiting(PodState.UNSCHEDULED, generation=2)
    assert left_waiting(unplaced, after=599).status.nodes[1].stop is None
    work = left_waiting(unplaced, after=601)
    assert work.status.nodes[1].stop == "NotStarted"
    used = work.status.volume("v-j")
    assert used is not None
    assert used.set_aside is not None
    assert left_waiting(waiting(PodState.UNSCHEDULED), after=601).status.nodes[1].stop == "NotStarted"
    assert left_waiting(waiting(PodState.UNSCHEDULED), after=10**6, claims=UNBOUND).status.nodes[1].stop is None


@pytest.mark.parametrize("state", sorted(UNTIL_IT_RUNS - {PodState.STAGING}))
@pytest.mark.parametrize("generation", [0, 2])
def test_one_that_never_becomes_is_let_go_in_whichever_state_it_is_stuck(state: PodState, generation: int) -> None:
    stuck = pod("j", ccf=ContainerView(), stage=ContainerView())
    assert left_waiting(waiting(state, generation=generation), view=stuck, after=600).status.nodes[1].stop is None
    work = left_waiting(waiting(state, generation=generation), view=stuck, after=601)
    assert work.status.nodes[1].stop == "NotStarted"
    assert work.status.join_failures is not None
    used = work.status.volume("v-j")
    assert used is not None
    assert (used.set_aside is not None) == (state is PodState.ATTACHING), "it may not be the volume's fault"
    again = status(A, waiting(state), volumes=[volume("v-a"), volume("v-j", unstarted=1)])
    work = draft(again, pods={"a": pod("a"), "j": stuck}, after=601)
    stop_failed(work, work.status.nodes[1:], set())
    assert work.status.volumes[1].set_aside is not None, "the second time it may be"


def test_one_whose_process_has_been_seen_is_waited_for_in_whatever_state_its_pod_is() -> None:
    ran = joiner(state=PodState.STAGED, state_since=at(0))
    assert left_waiting(ran, view=pod("j", ccf=ContainerView()), after=10**6).status.nodes[1].stop is None


def test_one_that_a_corrected_spec_would_make_otherwise_is_replaced_at_once_and_without_blame() -> None:
    pulling = waiting(PodState.PULLING, made_of=made_of(spec(image="mistyped")))
    view = pod("j", ccf=ContainerView(), stage=ContainerView())
    assert left_waiting(pulling, view=view, after=1, spec=spec(image="mistyped")).status.nodes[1].stop is None
    work = left_waiting(pulling, view=view, after=1)
    assert work.status.nodes[1].stop == "Replaced"
    assert work.status.join_failures is None


def test_a_corrected_spec_ends_the_wait_for_the_next_try_and_the_count_of_those_before() -> None:
    failures = JoinFailures(count=9, last_at=at(0), made_of=made_of(spec(image="mistyped")))
    of = status(A, joiner(ended=end(after=1), made_of=made_of(spec())), join_failures=failures)
    assert may_plan(draft(of, after=1))
    assert not may_plan(draft(of, after=1, spec=spec(image="mistyped")))
    work = draft(of, after=1)
    stop_failed(work, work.status.nodes[1:], set())
    assert work.status.join_failures is not None
    assert work.status.join_failures.count == 1


def planned_on(*volumes: VolumeRecord, claims: Any, **fields: Any) -> str:
    of = status(A, volumes=[volume("v-a", machine="m9"), *volumes], **fields)
    work = draft(of, claims={"v-a": claim("v-a"), **claims})
    plan_joiners(work, 1, A, "PEM", None)
    return work.status.nodes[-1].volume


def test_a_volume_that_was_never_bound_is_used_before_another_is_made_if_it_is_of_the_storage_wanted() -> None:
    unbound = claim("v-x", phase="Pending", volume_name=None)
    of = volume("v-x", (), storage=storage_of(spec()))
    assert planned_on(of, claims={"v-x": unbound}) == "v-x"
    assert planned_on(of.model_copy(update={"uid": None}), claims={}) == "v-x", "its claim is still to be made"
    assert planned_on(of, claims={}) != "v-x", "its claim is gone"
    assert planned_on(volume("v-x", (), storage="another"), claims={"v-x": unbound}) != "v-x"


def test_tries_on_volumes_that_are_set_aside_do_not_leave_ever_more_of_them_behind() -> None:
    aside = [volume(f"v-{n}", (), set_aside="no", unstarted=1 + n) for n in range(3)]
    claims = {of.name: claim(of.name) for of in aside}
    assert planned_on(*aside[:2], claims=claims) not in claims
    assert planned_on(*aside, claims=claims) == "v-0"
    unknown = [volume(f"v-{n}", (), set_aside="it is not known what it holds") for n in range(3)]
    assert planned_on(*unknown, claims=claims) not in claims


@pytest.mark.parametrize(
    ("another", "machines", "elsewhere"),
    [
        (None, {"m1", "m2"}, True),
        (None, {"m1"}, False),
        (None, set[str](), False),
        ("v-x", {"m1"}, True),
    ],
)
def test_one_without_a_machine_is_not_waited_for_where_there_is_another_place(
    another: str | None, machines: set[str], elsewhere: bool
) -> None:
    unplaced = replace(UNSCHEDULED, unschedulable="no room")

    def stop_of(after: float, **fields: Any) -> str | None:
        known = [volume("v-a"), volume("v-j", machine="m3"), *([volume(another)] if another else [])]
        of = status(A, waiting(PodState.UNSCHEDULED, generation=2, machine=None), volumes=known)
        seen = {name: machine(name) for name in (*machines, "m3")}
        work = draft(of, pods={"a": pod("a"), "j": replace(unplaced, **fields)}, machines=seen, after=after)
        stop_failed(work, work.status.nodes[1:], set())
        return work.status.nodes[1].stop

    assert stop_of(29) is None
    assert stop_of(31) == ("NotStarted" if elsewhere else None)
    assert stop_of(601) == "NotStarted"


def test_a_joiner_that_joins_clears_the_count() -> None:
    work = draft(status(A, joiner(), join_failures=JoinFailures(count=5, last_at=at(0))))
    leader = quorum("a", "j")["a"]
    note_joined(work, work.status.nodes[1], leader)
    assert work.status.nodes[1].joined_at is not None
    assert work.status.join_failures is None


def test_caught_up_is_what_the_primary_has_heard_from_it() -> None:
    def caught_up(acks: dict[str, int], commit: str | None = "2.20") -> bool:
        leader = answers("a", configs=[config("a", "j")], primary="a", acks=acks, commit=commit)
        return has_caught_up(joiner(), leader)

    assert caught_up({"j": 20})
    assert not caught_up({"j": 19})
    assert not caught_up({})
    assert not caught_up({"j": 20}, commit=None)
    assert EndEvidence.CONTAINER_TERMINATED.value == "ContainerTerminated"
