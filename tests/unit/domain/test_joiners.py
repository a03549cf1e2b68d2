from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import Command, EndEvidence, JoinFailures, NodeRecord, VolumeRecord
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.joiners import (
    PLACING,
    free_volumes,
    has_caught_up,
    note_joined,
    plan_joiners,
    stop_failed,
)
from ccf_operator.domain.observation import ContainerView
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
    pod,
    quorum,
    record,
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


def test_one_that_cannot_start_on_a_used_volume_gets_another_and_on_a_new_one_is_waited_for() -> None:
    stuck = {"a": pod("a"), "j": pod("j", machine=None, ccf=ContainerView(), stage=ContainerView())}
    assert stopped(joiner(generation=2), pods=stuck, after=599).status.nodes[1].stop is None
    work = stopped(joiner(generation=2), pods=stuck, after=601)
    assert work.status.nodes[1].stop == "NotStarted"
    used = work.status.volume("v-j")
    assert used is not None
    assert used.set_aside is not None
    assert stopped(joiner(generation=0), pods=stuck, after=10**6).status.nodes[1].stop is None


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
    waiting = pod("j", machine=None, unschedulable="no room", ccf=ContainerView(), stage=ContainerView())

    def stop_of(after: float, **fields: Any) -> str | None:
        known = [volume("v-a"), volume("v-j", machine="m3"), *([volume(another)] if another else [])]
        of = status(A, joiner(generation=2, machine=None), volumes=known)
        seen = {name: machine(name) for name in (*machines, "m3")}
        work = draft(of, pods={"a": pod("a"), "j": replace(waiting, **fields)}, machines=seen, after=after)
        stop_failed(work, work.status.nodes[1:], set())
        return work.status.nodes[1].stop

    assert stop_of(29) is None
    assert stop_of(31) == ("NotStarted" if elsewhere else None)
    assert stop_of(31, machine="m3") is None
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
