from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.decision import Action, CCFRecoveryDecisionSpec
from ccf_operator.api.status import AttemptPhase, AttemptResult, Command, HighWaterMark, NetworkStatus, Phase, Timeline
from ccf_operator.domain.decide import decide
from ccf_operator.domain.effects import AnswerDecision, DeletePod
from ccf_operator.domain.observation import DecisionView, Observation
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.tokens import attempt_token
from ccf_operator.domain.txid import TxID
from unit.domain.given import (
    NEW,
    OLD,
    UID,
    at,
    attempt,
    configuration,
    crowned,
    end,
    observation,
    quorum,
    record,
    recovered,
    status,
)
from unit.domain.world import World

ACCEPTED = {"key": NEW, "status": "WaitingForRecoveryShares", "recovery_count": 1, "created": "4.21"}


def both(*, mark: str = "2.20", accepted: bool = True, **fields: Any) -> NetworkStatus:
    """The winner r-a is chosen, its members may have voted; a and b, once taken for ended, live."""
    old = [record("a"), record("b"), record("c", ended=end(), released=True, stop="Fenced")]
    new = record("r-a", volume="v-new", generation=0, command=Command.RECOVER, attempt=1)
    known = attempt(
        recovered("a", "2.20", volume="v-new", generation=0),
        winner=crowned("r-a", volume="v-new", service_certificate=f"PEM {NEW}"),
        phase=AttemptPhase.AWAITING_MEMBERS,
        timeline=Timeline(proven_at=at(0), chosen_at=at(0), accepted_at=at(1) if accepted else None),
        network=configuration("r-a").model_copy(update={"service": NEW}),
        **fields,
    )
    seen = HighWaterMark(tx_id=mark, service=OLD, seen_at=at(0))
    return status(*old, new, configuration=configuration("a", "b", "c"), attempt=known, high_water_mark=seen)


def seen_both(of: NetworkStatus, *, old: bool = True, new: Any = None, after: float = 10) -> Observation:
    """A look at which a leads the service that is being recovered, and r-a the recovered one."""
    heard = quorum("a", "b", members="abc", commit="2.24") if old else {}
    heard |= quorum("r-a", **(ACCEPTED if new is None else new))
    return observation(of, answers=heard, after=after)


def look(of: NetworkStatus, *decisions: DecisionView, **seen: Any) -> Plan:
    return decide(replace(seen_both(of, **seen), decisions=decisions))


def decided(action: Action, token: str) -> DecisionView:
    made = CCFRecoveryDecisionSpec(network="bank", token=token, action=action)
    return DecisionView("word", "uid-word", at(0), made)


def ending(plan: Plan) -> list[str]:
    return sorted(effect.pod for effect in plan.effects if isinstance(effect, DeletePod))


def answer(plan: Plan) -> str:
    return next(effect.state.value for effect in plan.effects if isinstance(effect, AnswerDecision))


def token(plan: Plan) -> str:
    assert plan.status.attempt is not None
    return plan.status.attempt.token


def test_where_both_have_come_up_a_person_is_shown_both_and_nothing_is_ended() -> None:
    plan = look(both())
    assert (plan.status.phase, plan.status.reason) == (Phase.BLOCKED, "TwoServices")
    assert ending(plan) == []
    assert "2.24" in plan.status.next_step
    for action in (Action.APPROVE, Action.ABORT):
        assert f'"token": "{token(plan)}", "action": "{action.value}"' in plan.status.next_step


def test_what_was_not_accepted_gives_way_by_itself() -> None:
    offered = {"key": NEW, "status": "Recovering", "state": "PartOfPublicNetwork", "recovery_count": 1}
    plan = look(both(accepted=False), new=offered)
    assert plan.status.history[0].result is AttemptResult.ABANDONED


def test_what_may_have_been_accepted_unseen_does_not() -> None:
    heard = quorum("a", "b", members="abc")
    plan = decide(observation(both(accepted=False), answers=heard, after=10))
    assert plan.status.reason == "TwoServices"
    assert ending(plan) == []


def test_a_service_that_is_open_is_not_taken_for_the_only_one_while_the_other_leads() -> None:
    opened = {"key": NEW, "status": "Open", "recovery_count": 1, "created": "4.21"}
    assert look(both(), new=opened).status.reason == "TwoServices"
    assert look(both(), new=opened, old=False).status.attempt is not None


def test_the_recovered_one_goes_on_when_the_other_has_provably_ended() -> None:
    asked = look(both())
    plan = look(asked.status, decided(Action.APPROVE, token(asked)), after=11)
    assert answer(plan) == "Applied"
    assert ending(plan) == ["a", "b"]
    assert plan.status.attempt is not None
    assert plan.status.attempt.approval is not None
    gone = plan.status.model_copy(deep=True)
    for name in "ab":
        node = gone.node(name)
        assert node is not None
        node.ended = end()
    opened = {"key": NEW, "status": "Open", "recovery_count": 1, "created": "4.21"}
    done = look(gone, old=False, new=opened, after=20)
    assert done.status.history[0].result is AttemptResult.SUCCEEDED
    assert "2.24" in (done.status.service.approved_loss or "")


def test_the_other_goes_on_when_the_recovered_one_is_given_up() -> None:
    asked = look(both())
    plan = look(asked.status, decided(Action.ABORT, token(asked)), after=11)
    assert answer(plan) == "Applied"
    assert plan.status.history[0].result is AttemptResult.ABANDONED
    assert plan.status.unsettled is None
    assert ending(plan) == ["r-a"]
    assert (plan.status.service.public_key, plan.status.paused) == (OLD, None)


@pytest.mark.parametrize("action", [Action.APPROVE, Action.ABORT])
def test_a_token_from_before_does_not_choose_between_them(action: Action) -> None:
    asked = look(both())
    assert asked.status.attempt is not None
    plan = look(asked.status, decided(action, attempt_token(UID, asked.status.attempt)), after=11)
    assert answer(plan) == "Refused"
    assert ending(plan) == []


def test_there_is_no_choice_any_more_once_the_other_is_gone() -> None:
    asked = look(both())
    plan = look(asked.status, old=False, after=11)
    assert plan.status.reason == "TwoServices"
    gone = asked.status.model_copy(deep=True)
    for name in "ab":
        node = gone.node(name)
        assert node is not None
        node.ended = end()
    plan = look(gone, old=False, after=12)
    assert plan.status.reason != "TwoServices"
    assert "-" not in token(plan).partition("-")[2]


def test_what_was_given_up_does_not_come_back_by_itself_because_it_takes_its_time_to_end() -> None:
    silent = decide(observation(both(accepted=False), answers=quorum("a", "b", members="abc"), after=10))
    chosen = decide(
        replace(
            observation(silent.status, answers=quorum("a", "b", members="abc"), after=11),
            decisions=(decided(Action.APPROVE, token(silent)),),
        )
    )
    assert ending(chosen) == ["a", "b"]
    offered = {"key": NEW, "status": "Recovering", "state": "PartOfPublicNetwork", "recovery_count": 1}
    plan = look(chosen.status, new=offered, after=12)
    assert plan.status.attempt is not None
    assert "r-a" not in ending(plan)


def both_lost(mark: str) -> World:
    """The members have opened a recovered network that is lost, and so is by now the service before it, which had come
    back meanwhile and had committed as much as this."""
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.accept()
    world.write_to(world.recovering, 4)
    world.kill(*world.living())
    while world.status.unsettled is None:
        world.step()
    key = world.status.service.public_key
    assert key is not None
    world.history.must.note_committed(key, TxID.parse(mark))
    world.status.high_water_mark = HighWaterMark(tx_id=mark, service=key, seen_at=world.now)
    world.settle()
    return world


def test_what_a_service_has_committed_that_came_back_for_a_while_is_given_up_by_a_person_only() -> None:
    world = both_lost("2.9999")
    attempt = world.status.attempt
    assert (world.phase(), world.status.reason) == (Phase.BLOCKED, "TwoServices")
    assert attempt is not None
    assert attempt.unsettled is not None
    assert "2.9999" in " ".join(attempt.possible_loss)
    assert "trustMachineDisks" not in world.status.message
    world.decide(Action.APPROVE, attempt.token)
    world.settle()
    world.accept()
    world.settle()
    assert world.phase() is Phase.RUNNING
    assert "2.9999" in (world.status.service.approved_loss or "")


def test_or_it_is_recovered_and_what_the_recovered_one_has_committed_is_given_up() -> None:
    world = both_lost("2.9999")
    assert world.status.attempt is not None
    old = world.status.service.public_key
    decision = world.decide(Action.ABORT, world.status.attempt.token)
    world.settle()
    assert world.answer(decision) == "Applied"
    assert decision in world.status.history[0].message
    assert world.status.unsettled is None
    assert world.status.attempt is not None
    assert world.status.attempt.base_service == old
    assert "2.9999 was seen committed" in world.status.message


def test_nobody_is_asked_about_a_service_that_has_not_come_back() -> None:
    world = both_lost("2.1")
    assert world.status.attempt is not None
    assert (world.status.attempt.winner is not None, world.status.unsettled) == (True, None)
