from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.status import (
    Adopted,
    AttemptPhase,
    AttemptResult,
    AttemptSummary,
    NetworkStatus,
    Paused,
    Phase,
    QuorumStatus,
    Start,
    Verdict,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.decide import decide
from ccf_operator.domain.effects import AnswerDecision, DeletePod
from ccf_operator.domain.observation import DecisionView
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.tokens import recovery_token
from ccf_operator.domain.txid import TxID
from ccf_operator.render import labels
from unit.domain.given import (
    OLD,
    UID,
    answers,
    at,
    attempt,
    candidate,
    claim,
    config,
    configuration,
    end,
    ended_container,
    observation,
    pod,
    quorum,
    record,
    service,
    spec,
    status,
)
from unit.domain.world import World

TOKEN = recovery_token(UID, 1, OLD)
NOBODY: Mapping[str, NodeAnswers] = {}


def whole(**fields: Any) -> NetworkStatus:
    """An open service of a, b and c."""
    nodes = [record(name) for name in "abc"]
    return status(*nodes, **{"configuration": configuration("a", "b", "c"), **fields})


def dead() -> NetworkStatus:
    nodes = [record(name, ended=end()) for name in "abc"]
    return status(*nodes, configuration=configuration("a", "b", "c"))


def begun(**fields: Any) -> Start:
    known = {"token": "1-abc", "attempt": 1, "decision": "drill", "at": "2026-01-01T00:00:00Z"}
    return Start.model_validate({**known, **fields})


def decided(action: Action = Action.START, token: str = TOKEN, **fields: Any) -> DecisionView:
    made = CCFRecoveryDecisionSpec(network="bank", token=token, action=action, **fields)
    return DecisionView("drill", "uid-drill", observation(whole()).now, made)


def look(
    of: NetworkStatus, *decisions: DecisionView, heard: Mapping[str, NodeAnswers] | None = None, **seen: Any
) -> Plan:
    said = quorum("a", "b", "c") if heard is None else heard
    return decide(observation(of, answers=said, decisions=decisions, **seen))


def answered(plan: Plan) -> tuple[str, str]:
    (answer,) = [effect for effect in plan.effects if isinstance(effect, AnswerDecision)]
    return answer.state.value, answer.message


def told(decision: DecisionView, plan: Plan) -> DecisionView:
    """The decision once its status says what was decided to answer."""
    [answer] = [e for e in plan.effects if isinstance(e, AnswerDecision) and e.uid == decision.uid]
    return replace(decision, state=answer.state.value, message=answer.message)


def ending(plan: Plan) -> list[str]:
    return sorted(effect.pod for effect in plan.effects if isinstance(effect, DeletePod))


def test_the_token_is_shown_while_nothing_is_under_way() -> None:
    assert look(whole()).status.recovery_token == TOKEN
    assert look(whole(), decided()).status.recovery_token is None
    assert look(whole(service=service(opened_at=None)), heard=NOBODY).status.recovery_token is None


def test_the_token_is_another_for_each_recovery_and_service() -> None:
    assert len({TOKEN, recovery_token(UID, 2, OLD), recovery_token(UID, 1, "2" * 64), recovery_token("x", 1, OLD)}) == 4


def test_a_started_recovery_is_written_down_before_any_node_is_ended() -> None:
    plan = look(whole(), decided(reason="drill of March"))
    assert answered(plan)[0] == "Applied"
    start = plan.status.start
    assert start is not None
    assert (start.decision, start.attempt, start.reason, start.ending_since) == ("drill", 1, "drill of March", None)
    assert ending(plan) == []
    assert plan.status.attempt is None
    assert plan.status.phase is Phase.RECOVERING
    assert start.token in plan.status.next_step
    assert not any(node.fit for node in plan.status.nodes)


def test_nodes_are_ended_only_when_no_new_clients_reach_them() -> None:
    clients = {n: pod(n, labels={labels.TRAFFIC: "true"} if n == "b" else {}) for n in "abc"}
    assert ending(look(whole(start=begun()), pods=clients)) == []
    going = {**clients, "b": pod("b", labels={labels.TRAFFIC: "true"}, deleting=True)}
    assert ending(look(whole(start=begun()), pods=going)) != [], "Services lead nobody to a pod that is being deleted"
    plan = look(whole(start=begun()))
    assert ending(plan) == ["a", "b", "c"]
    assert plan.status.start is not None
    assert plan.status.start.ending_since is not None


def test_the_high_water_mark_is_as_fresh_as_can_be_when_nodes_are_ended() -> None:
    known = whole(start=begun(), high_water_mark={"txID": "2.20", "service": OLD, "seenAt": "2026-01-01T00:00:00Z"})
    plan = look(known, heard=quorum("a", "b", "c", commit="2.25"), after=1)
    assert plan.status.high_water_mark is not None
    assert plan.status.high_water_mark.tx_id == "2.25"


def test_joiners_end_with_the_rest_and_no_others_are_started() -> None:
    nodes = [record(name) for name in "abcj"]
    known = status(*nodes, configuration=configuration("a", "b", "c"), start=begun(endingSince="2026-01-01T00:00:00Z"))
    plan = look(known, after=1, spec=spec(nodes=5))
    assert ending(plan) == ["a", "b", "c", "j"]
    assert len(plan.status.nodes) == 4


def test_the_attempt_begins_when_the_ends_prove_the_loss_and_not_before() -> None:
    started = begun(endingSince="2026-01-01T00:00:00Z")
    pods = {n: pod(n, deleting=True) for n in "abc"}
    one = {**pods, "a": pod("a", deleting=True, ccf=ended_container(0))}
    first = look(whole(start=started), pods=one, heard=NOBODY, after=1)
    assert first.status.attempt is None
    two = {**one, "b": pod("b", deleting=True, ccf=ended_container(0))}
    second = look(first.status, pods=two, heard=NOBODY, after=2)
    found = second.status.attempt
    assert found is not None
    assert (found.number, found.phase) == (1, AttemptPhase.FENCING)
    assert found.start is not None
    assert found.start.decision == "drill"
    assert second.status.start is None


def test_what_hangs_is_ended_too_but_its_end_is_not_taken_for_proven() -> None:
    plan = look(whole(start=begun()), heard=NOBODY)
    assert ending(plan) == ["a", "b", "c"]
    later = look(plan.status, heard=NOBODY, pods={n: pod(n, deleting=True) for n in "abc"}, after=300)
    assert later.status.attempt is None
    assert "out-of-service" in later.status.next_step


def test_a_proven_loss_begins_its_attempt_at_once_whatever_the_mode() -> None:
    disabled = spec(recovery={"mode": "Disabled"})
    waiting = look(dead(), heard=NOBODY, spec=disabled)
    assert waiting.status.attempt is None
    assert TOKEN in waiting.status.next_step
    plan = look(waiting.status, decided(), heard=NOBODY, spec=disabled, after=1)
    assert plan.status.attempt is not None
    assert plan.status.attempt.number == 1
    assert look(plan.status, heard=NOBODY, spec=disabled, after=2).status.attempt is not None


def test_the_start_of_a_lost_service_ends_a_pause() -> None:
    paused = Paused(token="paused-1", attempt=0, decision="stop", at=observation(whole()).now)
    known = dead()
    known.paused = paused
    plan = look(known, decided(), heard=NOBODY)
    assert plan.status.paused is None
    assert plan.status.attempt is not None


def test_an_attempt_that_led_nowhere_is_followed_by_another_in_mode_disabled_too_until_a_person_ends_it() -> None:
    world = World(recovery={"mode": "Disabled"}).running()
    committed = world.write(3)
    world.kill(*world.living())
    world.settle()
    assert world.status.recovery_token is not None
    decision = world.decide(Action.START, world.status.recovery_token)
    while world.status.attempt is None or world.status.attempt.winner is None:
        world.step()
    world.kill(*world.living())
    world.settle()
    assert world.status.history[0].result is AttemptResult.SUPERSEDED
    again = world.status.attempt
    assert again is not None
    assert again.winner is not None
    assert TxID.parse(again.winner.tx_id) >= committed
    assert (again.number, again.start is not None and again.start.decision) == (2, decision)
    world.decide(Action.ABORT, again.token)
    world.settle()
    assert world.status.attempt is None
    assert world.status.reason == "RecoveryDisabled"


@pytest.mark.parametrize(("lost_at", "goes_on"), [(0, True), (2, False)])
def test_what_was_started_for_one_loss_is_not_for_another(lost_at: float, goes_on: bool) -> None:
    known = dead()
    known.quorum = QuorumStatus(verdict=Verdict.LOST, since=at(lost_at))
    led_nowhere = AttemptSummary(number=1, result=AttemptResult.SUPERSEDED, start=begun(), ended_at=at(1))
    known.history = [led_nowhere]
    plan = look(known, heard=NOBODY, spec=spec(recovery={"mode": "Disabled"}), after=3)
    assert (plan.status.attempt is not None) is goes_on


@pytest.mark.parametrize("ends", ["called off", "withdrawn"])
def test_a_start_that_comes_to_nothing_leaves_a_pause_as_it_was(ends: str) -> None:
    paused = Paused(token="paused-1", attempt=0, decision="stop", at=observation(whole()).now)
    started = look(whole(paused=paused), decided(), heard=NOBODY)
    assert started.status.start is not None
    started.status.decisions = []
    if ends == "called off":
        plan = look(started.status, decided(Action.ABORT, started.status.start.token), heard=NOBODY)
    else:
        plan = look(started.status, heard=NOBODY, claims={"v-a": claim("v-a")})
    assert plan.status.start is None
    assert plan.status.paused == paused


@pytest.mark.parametrize(
    ("of", "token", "why"),
    [
        (whole(), recovery_token(UID, 2, OLD), TOKEN),
        (whole(), recovery_token("another", 1, OLD), TOKEN),
        (whole(attempt=attempt(candidate("a", node=None, generation=None), phase="Fencing")), TOKEN, "in progress"),
        (whole(start=begun()), TOKEN, "already"),
        (whole(service=service(opened_at=None)), TOKEN, "never been open"),
        (whole(configuration=None), TOKEN, "configuration"),
    ],
    ids=["later", "another network", "attempt", "started", "not open", "unknown"],
)
def test_what_cannot_be_started_is_refused_and_touches_nothing(of: NetworkStatus, token: str, why: str) -> None:
    before = of.start
    plan = look(of, decided(token=token), heard=NOBODY)
    state, message = answered(plan)
    assert state == "Refused"
    assert why in message
    assert plan.status.start is None or before is not None


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"v-a": claim("v-a")}, "1 of the 3"),
        ({"v-a": claim("v-a"), "v-b": claim("v-b", deleting=True)}, "1 of the 3"),
        ({n: claim(n, phase="Pending" if n == "v-c" else "Bound") for n in ("v-a", "v-b", "v-c")}, "v-c are not bound"),
    ],
    ids=["gone", "going", "unbound"],
)
def test_nothing_is_ended_that_could_not_be_recovered(claims: dict[str, Any], why: str) -> None:
    state, message = answered(look(whole(), decided(), claims=claims))
    assert state == "Refused"
    assert why in message
    late = look(whole(start=begun()), claims=claims)
    assert ending(late) == []
    assert late.status.start is None
    assert not any(node.stop for node in late.status.nodes)


GONE: dict[str, Any] = {"claims": {"v-a": claim("v-a")}}


@pytest.mark.parametrize("heard_of", [True, False], ids=["answered before", "not answered yet"])
@pytest.mark.parametrize(
    ("ends", "state", "says"),
    [("withdrawn", "Refused", "not done: 1 of the 3"), ("called off", "Applied", "called off by enough")],
)
def test_the_answer_to_a_start_that_comes_to_nothing_ends_in_the_truth(
    ends: str, state: str, says: str, heard_of: bool
) -> None:
    made = decided()
    first = look(whole(), made, heard=NOBODY)
    begun = first.status.start
    assert begun is not None
    known = told(made, first) if heard_of else made
    if ends == "called off":
        enough = replace(decided(Action.ABORT, begun.token), name="enough", uid="uid-enough")
        second = look(first.status, known, enough, heard=NOBODY, after=1)
        others = [told(enough, second)]
    else:
        second, others = look(first.status, known, heard=NOBODY, after=1, **GONE), []
    assert second.status.start is None
    known = known if heard_of else told(made, second)
    third = look(second.status, known, *others, heard=NOBODY, after=2, **GONE)
    assert answered(third)[0] == state
    assert answered(third)[1].startswith(says)
    assert third.status.decisions[-1].message == answered(third)[1]
    last = look(third.status, told(known, third), *others, heard=NOBODY, after=3, **GONE)
    assert not [effect for effect in last.effects if isinstance(effect, AnswerDecision)]


def test_an_answer_of_which_nothing_is_on_record_is_left_alone() -> None:
    made = decided()
    earlier = told(made, look(whole(), made))
    plan = look(whole(), earlier)
    assert not [effect for effect in plan.effects if isinstance(effect, AnswerDecision)]
    assert plan.status.start is None


def test_a_person_is_told_where_the_recovery_will_ask_for_approval() -> None:
    unknown = status(*[record(n, machine=None) for n in "abc"], configuration=configuration("a", "b", "c"))
    assert "ask for approval" in answered(look(unknown, decided(), machines=None))[1]
    trusting = spec(recovery={"trustMachineDisks": True})
    for known, how in ((whole(), spec()), (unknown, trusting)):
        assert "approval" not in answered(look(known, decided(), machines=None, spec=how))[1]


def test_two_of_three_volumes_are_enough() -> None:
    assert answered(look(whole(), decided(), claims={n: claim(n) for n in ("v-a", "v-b")}))[0] == "Applied"


def test_it_can_be_called_off_before_nodes_are_ended_and_not_after() -> None:
    plan = look(whole(start=begun()), decided(Action.ABORT, "1-abc"))
    assert answered(plan)[0] == "Applied"
    assert plan.status.start is None
    assert ending(plan) == []
    late = look(whole(start=begun(endingSince="2026-01-01T00:00:00Z")), decided(Action.ABORT, "1-abc"))
    assert answered(late)[0] == "Refused"
    wrong = look(whole(start=begun()), decided(Action.ABORT, "2-abc"))
    assert answered(wrong)[0] == "Refused"


def test_a_token_that_was_used_is_not_good_again_although_it_was_called_off() -> None:
    started = look(whole(), decided())
    assert started.status.start is not None
    off = look(started.status, decided(Action.ABORT, started.status.start.token), heard=NOBODY)
    off.status.decisions = []
    assert answered(look(off.status, decided()))[0] == "Refused"


def test_nodes_of_an_adopted_network_need_no_ending() -> None:
    adopted = Adopted(decision="adopt", at=observation(whole()).now)
    known = status(configuration=configuration("a", "b", "c"), adopted=adopted)
    plan = look(known, decided(), heard=NOBODY, spec=spec(recovery={"mode": "Disabled"}))
    assert plan.status.attempt is not None


def test_a_quorum_that_leads_on_does_not_stop_the_ending() -> None:
    started = begun(endingSince="2026-01-01T00:00:00Z")
    heard = {n: answers(n, configs=(config("a", "b", "c"),), primary="a") for n in "abc"}
    assert ending(look(whole(start=started), heard=heard)) == ["a", "b", "c"]
