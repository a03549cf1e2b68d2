from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import Field

from ccf_operator.api.spec import CCFNetworkSpec, Storage
from ccf_operator.api.status import (
    Command,
    Counters,
    Ended,
    EndEvidence,
    NetworkStatus,
    NodeRecord,
    PodState,
    QuorumStatus,
    ServiceStatus,
    Verdict,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import RemoveNodeRow
from ccf_operator.domain.observation import ClaimView, ContainerView
from ccf_operator.domain.pod_progress import UNTIL_IT_RUNS
from ccf_operator.domain.topology import (
    Governance,
    begin,
    keep_fitness,
    meet_service,
    retry_start,
    want_nodes,
)
from unit.domain.given import (
    NEW,
    OLD,
    answers,
    at,
    claim,
    config,
    configuration,
    draft,
    end,
    ended_container,
    inputs,
    machine,
    node_id,
    pending,
    pod,
    quorum,
    record,
    spec,
    status,
    view,
    volume,
)

ABC = [record("a", command=Command.START), record("b"), record("c")]
EMPTY = NetworkStatus()


# The first node


def begun(**seen: Any) -> Draft:
    work = draft(EMPTY, **seen)
    begin(work)
    return work


def test_the_first_node_starts_a_service_on_a_new_volume() -> None:
    [first] = begun().status.nodes
    assert (first.command, first.generation, first.name) == (Command.START, 0, "bank-0f1e2-0")


def starting(view_of_it: Any = None, **fields: Any) -> NetworkStatus:
    of = begun().status.model_copy(deep=True)
    of.nodes[0] = of.nodes[0].model_copy(update={"pod_uid": "u", **fields})
    return of


def tries(of: NetworkStatus, **seen: Any) -> list[NodeRecord]:
    known: dict[str, Any] = {"pods": {}}
    work = draft(of, **{**known, **seen})
    retry_start(work)
    return work.status.nodes


CORRECTED: dict[str, Any] = {"spec": spec(image="ccf:8")}
GAVE_UP = end().model_copy(update={"exit_code": 1})


@pytest.mark.parametrize(
    "changed",
    [
        CORRECTED,
        {"inputs": inputs().__class__(constitution=(("actions.js", "// corrected"),), members=inputs().members)},
        {"spec": spec(storage={"storageClassName": "another"})},
    ],
    ids=["the spec", "a file it refers to", "the storage"],
)
def test_a_first_node_that_ended_is_tried_again_when_what_it_is_made_of_changes(changed: Any) -> None:
    failed = starting(ended=GAVE_UP)
    assert len(tries(failed)) == 1
    first, second = tries(failed, **changed)
    assert first.stop is not None
    assert second.volume != first.volume
    assert second.tries == 0
    again = failed.model_copy(update={"nodes": [first, second]})
    assert len(tries(again, **changed)) == 2, "once for each change"


@pytest.mark.parametrize(
    ("ended", "tried"),
    [
        (GAVE_UP, 2),
        (end(EndEvidence.NEVER_STARTED), 2),
        (end(EndEvidence.NEVER_STARTED).model_copy(update={"unseen": True}), 1),
        (end(), 1),
        (end(EndEvidence.MACHINE_DELETED), 1),
        (end(EndEvidence.OUT_OF_SERVICE), 1),
    ],
    ids=[
        "it gave up",
        "it never ran",
        "it was not seen to run",
        "it was killed",
        "its machine is gone",
        "its machine is out of service",
    ],
)
def test_one_that_may_have_served_before_it_ended_is_not_replaced(ended: Ended, tried: int) -> None:
    assert len(tries(starting(ended=ended), **CORRECTED)) == tried


def test_fields_that_a_later_operator_knows_are_no_correction() -> None:
    class LaterStorage(Storage):
        novelty: str = "off"

    class LaterSpec(CCFNetworkSpec):
        storage: LaterStorage = Field(default_factory=LaterStorage)
        novelty: str = "off"
        novelties: list[str] = Field(default_factory=list)
        more: LaterStorage = Field(default_factory=LaterStorage)

    now = spec(storage={"size": "7Gi"})
    later = LaterSpec.model_validate(now.model_dump(mode="json", by_alias=True))
    failed = starting(ended=GAVE_UP)
    failed.nodes[0].started_from = begun(spec=now).status.nodes[0].started_from
    assert len(tries(failed, spec=later)) == 1
    assert len(tries(failed, spec=later.model_copy(update={"novelty": "on"}))) == 2


def test_one_that_cannot_start_is_replaced_too() -> None:
    stuck = pod("bank-0f1e2-0", uid="u", ccf=ContainerView(waiting_reason="ImagePullBackOff"))
    assert len(tries(starting(), pods={stuck.name: stuck}, **CORRECTED)) == 2


NEVER = end(EndEvidence.NEVER_STARTED)


def test_one_that_never_started_is_tried_again_by_itself_each_time_later_and_on_the_same_volume() -> None:
    assert len(tries(starting(ended=NEVER), after=4.9)) == 1
    first, second = tries(starting(ended=NEVER), after=5)
    assert (second.volume, second.generation, second.tries) == (first.volume, 1, 1)
    assert len(tries(starting(ended=NEVER, tries=3), after=39)) == 1
    assert len(tries(starting(ended=NEVER, tries=3), after=40)) == 2
    assert len(tries(starting(ended=NEVER, tries=99), after=300)) == 2


@pytest.mark.parametrize(("before", "same"), [(0, False), (1, False), (2, True), (3, False), (4, True), (5, True)])
def test_where_stage_keeps_failing_another_volume_is_made_seldom(before: int, same: bool) -> None:
    failed = NEVER.model_copy(update={"reason": "StageFailed", "exit_code": 1})
    first, second = tries(starting(ended=failed, tries=before), after=10**4)
    assert (first.volume == second.volume) is same


@pytest.mark.parametrize(("code", "again"), [(1, True), (137, True), (2, False), (3, False), (6, False), (None, False)])
def test_what_stage_refuses_is_not_tried_on_another_volume(code: int | None, again: bool) -> None:
    """The volume shows more than the status knows, so another service may be there already."""
    refused = NEVER.model_copy(update={"reason": "StageFailed", "exit_code": code})
    assert (len(tries(starting(ended=refused), after=10**4)) == 2) is again


def test_a_volume_whose_machine_does_not_work_or_that_is_of_another_storage_is_not_used_again() -> None:
    def same(**changes: Any) -> bool:
        of = starting(ended=NEVER)
        of.volumes[0] = of.volumes[0].model_copy(update=changes)
        first, second = tries(of, after=5, machines={"m1": machine(), "m2": machine("m2", ready=False)})
        return first.volume == second.volume

    assert same()
    assert same(machine="m1")
    assert not same(machine="m2")
    assert not same(storage="another")


@pytest.mark.parametrize("state", sorted(UNTIL_IT_RUNS - {PodState.STAGING}))
def test_one_whose_pod_never_becomes_makes_way_for_another_on_a_volume_of_its_own(state: PodState) -> None:
    stuck = pod("bank-0f1e2-0", uid="u", ccf=ContainerView(), stage=ContainerView())
    of = starting(state=state, state_since=at(0))
    assert len(tries(of, pods={stuck.name: stuck}, after=600)) == 1
    first, second = tries(of, pods={stuck.name: stuck}, after=601)
    assert (first.stop, second.tries) == ("NotStarted", 1)
    assert second.volume != first.volume, "it has not ended yet"


def test_one_without_a_place_waits_unless_its_volume_is_gone_or_on_a_machine_that_does_not_work() -> None:
    unplaced = pod("bank-0f1e2-0", uid="u", machine=None, ccf=ContainerView(), stage=ContainerView())

    def replaced(bound: ClaimView | None, on: str | None = None) -> bool:
        of = starting(state=PodState.UNSCHEDULED, state_since=at(0))
        name = of.volumes[0].name
        of.volumes[0] = of.volumes[0].model_copy(update={"machine": on, "uid": f"uid-{name}"})
        claims = {name: replace(bound, name=name, uid=f"uid-{name}")} if bound is not None else {}
        machines = {"m1": machine(), "m2": machine("m2", ready=False)}
        return len(tries(of, pods={unplaced.name: unplaced}, claims=claims, machines=machines, after=10**5)) == 2

    assert not replaced(claim("x", phase="Pending", volume_name=None))
    assert not replaced(claim("x"))
    assert not replaced(claim("x"), on="m1")
    assert replaced(claim("x"), on="m2")
    assert replaced(None)


def test_one_that_runs_is_left_alone() -> None:
    running = pod("bank-0f1e2-0", uid="u")
    assert len(tries(starting(), pods={running.name: running}, **CORRECTED)) == 1


def test_how_many_nodes_follow_and_how_they_recover_is_no_reason_for_another_try() -> None:
    failed = starting(ended=GAVE_UP)
    assert len(tries(failed, spec=spec(nodes=5, recovery={"mode": "Manual"}))) == 1


def test_no_try_is_made_while_something_is_missing_or_once_there_is_a_service() -> None:
    failed = starting(ended=GAVE_UP)
    assert len(tries(failed, inputs=inputs("missing"), **CORRECTED)) == 1
    made = failed.model_copy(update={"service": ServiceStatus(public_key=OLD)})
    assert len(tries(made, **CORRECTED)) == 1


def met(of: list[NodeRecord], said: dict[str, NodeAnswers]) -> str | None:
    work = draft(status(*of, service=ServiceStatus()), answers=said)
    meet_service(work)
    return work.status.service.public_key


def test_the_service_is_met_once_its_first_node_leads_it() -> None:
    assert met(ABC[:1], quorum("a")) == OLD
    assert met(ABC[:1], {"a": answers("a", configs=None)}) is None
    assert met(ABC[:1], {"a": answers("a", configs=[config("a")])}) is None


def test_a_first_node_that_is_being_replaced_makes_no_service() -> None:
    # It may still answer; the service it made ends with it.
    going = record("a", command=Command.START, stop="Replaced")
    said = {**quorum("a"), **quorum("z", key=NEW)}
    assert met([going, record("z", command=Command.START)], said) == NEW
    assert met([going], said) is None


# How many nodes


def wanted(
    of: list[NodeRecord], said: dict[str, NodeAnswers], *, nodes: int = 3, known: Any = None, **seen: Any
) -> tuple[Draft, Governance]:
    work = draft(status(*of, configuration=known), answers=said, spec=spec(nodes=nodes), **seen)
    return work, want_nodes(work, view(work))


def planned(work: Draft) -> list[str]:
    return [r.name for r in work.status.nodes if r.name.startswith("bank-")]


def stops(work: Draft) -> dict[str, str]:
    return {r.name: r.stop for r in work.status.nodes if r.stop is not None}


def test_missing_nodes_join_all_at_once() -> None:
    work, _ = wanted(ABC[:1], quorum("a"))
    assert len(planned(work)) == 2
    work, _ = wanted(ABC[:1], quorum("a"), nodes=9)
    assert len(planned(work)) == 8


def test_without_a_primary_nothing_is_planned() -> None:
    work, asked = wanted(ABC[:1], {"a": answers("a", configs=[config("a")])})
    assert not planned(work)
    assert asked == Governance()


def test_joiners_under_way_are_counted() -> None:
    work, _ = wanted([ABC[0], record("j", join_target="a")], quorum("a"))
    assert len(planned(work)) == 1


def test_a_dead_member_gets_a_replacement_that_members_must_trust_as_they_remove_it() -> None:
    dead = [*ABC[:2], record("c", ended=end())]
    work, _ = wanted(dead, quorum("a", "b", members="abc"), known=configuration("a", "b", "c"))
    assert len(planned(work)) == 1
    rows = {"a": "Trusted", "b": "Trusted", "c": "Trusted", "j": "Pending"}
    said = quorum("a", "b", members="abc", rows=rows)
    said["j"] = pending("j")
    work, asked = wanted([*dead, record("j", join_target="a")], said, known=configuration("a", "b", "c"))
    assert not planned(work)
    assert [r.name for r in asked.trust] == ["j"]
    assert asked.remove == (node_id("c"),)
    assert "c" not in stops(work), "its end is the members' to deal with"


def test_fewer_nodes_are_the_members_to_remove_the_newest_first_and_never_the_primary() -> None:
    of = [ABC[0], record("b"), record("c", planned_at=ABC[0].planned_at.replace(year=2027))]
    work, asked = wanted(of, quorum("a", "b", "c"), nodes=2)
    assert asked.remove == (node_id("c"),)
    assert not stops(work)
    _, asked = wanted(of, quorum("c", "a", "b"), nodes=1)
    assert node_id("c") not in asked.remove
    assert len(asked.remove) == 2


def test_one_that_does_not_answer_goes_before_any_that_does() -> None:
    # It may have died unseen: to remove another beside it would leave no quorum.
    _, asked = wanted(ABC, quorum("a", "c", members="abc"), nodes=2)
    assert asked.remove == (node_id("b"),)


def test_joiners_that_are_not_needed_any_more_are_stopped() -> None:
    work, _ = wanted([*ABC, record("j", join_target="a")], quorum("a", "b", "c"))
    assert stops(work) == {"j": "NotNeeded"}


def test_a_joiner_that_is_trusted_before_it_has_said_who_it_is_is_no_spare_one() -> None:
    of = [*ABC[:2], record("c", node_id=None, join_target="a")]
    work, _ = wanted(of, quorum("a", "b", members="abc"))
    assert not stops(work)
    assert not planned(work)
    of = [*of, record("j", join_target="a")]
    work, _ = wanted(of, quorum("a", "b", members="abc"))
    assert stops(work) == {"j": "NotNeeded"}, "whoever is trusted as c, three there are without it"


def test_a_retired_node_is_stopped_when_ccf_lists_it_and_its_row_goes_after_its_end() -> None:
    said = quorum("a", "b", members="ab", removable=["c"])
    work, _ = wanted(ABC, said, nodes=2)
    assert stops(work) == {"c": "Retired"}
    assert not [e for e in work.effects if isinstance(e, RemoveNodeRow)]
    work, _ = wanted([*ABC[:2], record("c", stop="Retired", ended=end())], said, nodes=2)
    assert [e for e in work.effects if isinstance(e, RemoveNodeRow)] == [RemoveNodeRow("a", node_id("c"))]


def test_the_row_of_a_node_that_is_forgotten_goes_too() -> None:
    work, _ = wanted(ABC[:2], quorum("a", "b", removable=["x"]), nodes=2)
    assert [e for e in work.effects if isinstance(e, RemoveNodeRow)] == [RemoveNodeRow("a", node_id("x"))]


def test_a_retired_node_that_is_not_listed_yet_goes_on() -> None:
    # CCF facts §7.2: until then it counts in the old configuration's quorum. It is no joiner that is not needed.
    joined = record("c", joined_at=ABC[0].planned_at, join_target="a")
    work, _ = wanted([*ABC[:2], joined], quorum("a", "b", members="ab"), nodes=2)
    assert not stops(work)
    rows = {"a": "Trusted", "b": "Trusted", "c": "Retired"}
    work, _ = wanted([*ABC[:2], record("c", join_target="a")], quorum("a", "b", members="ab", rows=rows), nodes=2)
    assert not stops(work)
    work, _ = wanted([*ABC[:2], joined], quorum("a", "b", members="ab"), nodes=3)
    assert planned(work), "nor does it stand for the one that is to replace it"


def test_a_stranded_joiner_makes_room_for_another_after_a_while() -> None:
    of = [*ABC[:2], record("j", join_target="a", stranded_since=at(0))]
    work, _ = wanted(of, quorum("a", "b"), after=20)
    assert not stops(work)
    assert not planned(work)
    work, _ = wanted(of, quorum("a", "b"), after=40)
    assert stops(work) == {"j": "Stranded"}
    assert not planned(work), "not at once: something may be wrong that the next would run into, too"
    work.status.nodes[2].ended = end()
    again, _ = wanted(work.status.nodes, quorum("a", "b"), after=60)
    assert len(planned(again)) == 1


def test_the_pod_of_a_node_that_has_ended_and_is_no_part_of_it_any_more_is_let_go() -> None:
    work, _ = wanted([*ABC[:2], record("c", ended=end(), joined_at=end().at)], quorum("a", "b"), nodes=2)
    assert stops(work) == {"c": "Gone"}


def test_a_joiner_that_keeps_failing_does_not_keep_pods_coming() -> None:
    work, _ = wanted([ABC[0], record("j", join_target="a", ended=end())], quorum("a"), nodes=2)
    assert stops(work) == {"j": "NotJoined"}
    assert not planned(work)
    again, _ = wanted([ABC[0]], quorum("a"), nodes=2)
    assert planned(again)


# Fitness


def fit(said: dict[str, NodeAnswers], verdict: Verdict = Verdict.HEALTHY, **fields: Any) -> set[str]:
    of = status(*[r.model_copy(update=fields) for r in ABC], quorum=QuorumStatus(verdict=verdict))
    work = draft(of, answers=said)
    keep_fitness(work, view(work))
    return {r.name for r in work.status.nodes if r.fit}


def test_fit_is_who_follows_the_primary_of_an_open_service() -> None:
    assert fit(quorum("a", "b", "c")) == {"a", "b", "c"}
    assert fit(quorum("a", "b", members="abc"), fit=True) == {"a", "b"}
    assert fit(quorum("a", "b", "c", ready_app=False)) == set()
    assert fit(quorum("a", "b", "c", status="Opening", ready_app=True)) == set()


def test_a_node_that_is_not_trusted_or_follows_another_serves_nobody() -> None:
    said = quorum("a", "b")
    said["c"] = answers("c", configs=[config("a", "b")], primary="a")
    assert fit(said) == {"a", "b"}
    said = quorum("a", "b", members="abc")
    said["c"] = answers("c", configs=[config(*"abc")])
    assert fit(said) == {"a", "b"}


def test_a_doubt_takes_nobody_from_traffic_that_may_be_the_operators_own() -> None:
    assert fit({}, Verdict.HEALTHY, fit=True) == {"a", "b", "c"}
    assert fit({}, Verdict.SUSPECTED, fit=True) == {"a", "b", "c"}
    alone = {"a": answers("a", configs=[config(*"abc")])}
    assert fit(alone, Verdict.SUSPECTED, fit=True) == {"b", "c"}


def test_a_proven_loss_takes_all() -> None:
    assert fit({}, Verdict.LOST, fit=True) == set()
    assert Counters().next_node == 0
    assert ended_container().terminated is not None
    assert volume("v").name == "v"
