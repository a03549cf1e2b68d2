from __future__ import annotations

import pytest

from ccf_operator.api.decision import Action
from ccf_operator.api.status import Attempt, AttemptPhase, AttemptResult, CandidateResult, Phase, Winner
from ccf_operator.domain.txid import TxID
from unit.domain.world import World


def lost() -> World:
    """A network that has lost two of its three volumes, and then all its nodes."""
    world = World().running()
    for name in sorted(world.claims)[1:]:
        del world.claims[name]
    world.kill(*world.living())
    world.settle()
    return world


def winner_of(world: World) -> Winner:
    assert world.status.attempt is not None
    assert world.status.attempt.winner is not None
    return world.status.attempt.winner


def awaiting(world: World) -> Attempt:
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.phase is AttemptPhase.AWAITING_APPROVAL
    return attempt


def ready() -> World:
    """A network in mode Manual whose three candidates have recovered."""
    world = World(recovery={"mode": "Manual"}).running()
    world.kill(*world.living())
    world.settle()
    return world


def test_a_possible_loss_waits_for_approval_and_goes_on_with_it() -> None:
    world = lost()
    attempt = awaiting(world)
    assert world.phase() is Phase.BLOCKED
    assert attempt.possible_loss
    assert attempt.token in world.status.next_step
    decision = world.decide(Action.APPROVE, attempt.token, reason="the rest is gone")
    world.settle()
    assert world.answer(decision) == "Applied"
    assert winner_of(world).approved_loss == attempt.possible_loss
    world.accept()
    world.settle()
    past = world.status.history[0]
    assert past.result is AttemptResult.SUCCEEDED
    assert past.approval is not None
    assert past.approval.decision == decision
    assert past.approval.reason == "the rest is gone"
    assert past.approval.possible_loss == attempt.possible_loss
    assert world.status.service.approved_loss is not None
    assert "may be used again" in world.status.message


def test_a_safe_choice_says_nothing_of_lost_views() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.accept()
    world.settle()
    assert world.status.history[0].result is AttemptResult.SUCCEEDED
    assert world.status.service.approved_loss is None


def test_in_mode_manual_nothing_is_chosen_before_approval() -> None:
    world = ready()
    attempt = awaiting(world)
    assert attempt.possible_loss == []
    assert attempt.winner is None
    world.decide(Action.APPROVE, attempt.token)
    world.settle()
    assert winner_of(world).approved_loss == []


@pytest.mark.parametrize("token", ["", "nonsense", "1-00000000-00000000"])
def test_a_wrong_token_approves_nothing(token: str) -> None:
    world = lost()
    decision = world.decide(Action.APPROVE, token or awaiting(world).token.rpartition("-")[0])
    world.settle()
    assert world.answer(decision) == "Refused"
    assert awaiting(world).approval is None


def test_an_approval_is_not_good_for_another_loss() -> None:
    world = ready()
    token = awaiting(world).token
    attempt = awaiting(world)
    world.decide(Action.EXCLUDE, token, volume=attempt.candidates[0].volume)
    world.settle()
    world.decide(Action.EXCLUDE, token, volume=attempt.candidates[1].volume)
    world.settle()
    assert awaiting(world).possible_loss
    decision = world.decide(Action.APPROVE, token)
    world.settle()
    assert world.answer(decision) == "Refused"
    assert awaiting(world).approval is None
    assert awaiting(world).token in world.answered[decision][0][1]


def test_a_loss_that_grows_after_the_approval_is_asked_about_anew() -> None:
    world = ready()
    attempt = awaiting(world)
    world.decide(Action.APPROVE, attempt.token)
    for candidate in attempt.candidates[:2]:
        world.decide(Action.EXCLUDE, attempt.token, volume=candidate.volume)
    world.settle()
    assert awaiting(world).approval is not None
    assert awaiting(world).winner is None
    assert "has approved something else" in world.status.message


def test_a_decision_is_not_good_for_the_next_attempt() -> None:
    world = ready()
    first = awaiting(world)
    world.decide(Action.ABORT, first.token)
    world.settle()
    assert world.status.paused is not None
    world.decide(Action.RESUME, world.status.paused.token)
    world.settle()
    assert awaiting(world).number == first.number + 1
    late = [
        world.decide(action, first.token, volume=volume)
        for action, volume in [
            (Action.APPROVE, None),
            (Action.ABORT, None),
            (Action.PIN, first.candidates[0].volume),
            (Action.EXCLUDE, first.candidates[0].volume),
        ]
    ]
    world.settle()
    assert {world.answer(name) for name in late} == {"Refused"}
    assert awaiting(world).number == first.number + 1


def test_an_excluded_volume_is_neither_chosen_nor_counted() -> None:
    world = ready()
    attempt = awaiting(world)
    excluded = attempt.candidates[0]
    world.decide(Action.EXCLUDE, attempt.token, volume=excluded.volume)
    world.settle()
    found = next(c for c in awaiting(world).candidates if c.volume == excluded.volume)
    assert found.result is CandidateResult.EXCLUDED
    assert excluded.node not in world.living()
    world.decide(Action.APPROVE, awaiting(world).token)
    world.settle()
    assert winner_of(world).volume != excluded.volume


def test_nothing_is_started_on_a_volume_that_was_excluded_before_it_was_fenced() -> None:
    world = World(recovery={"mode": "Manual"}).running()
    silent, *others = world.living()
    world.silence(silent)
    world.kill(*others)
    world.step()
    attempt = world.status.attempt
    assert attempt is not None
    volume = next(r.volume for r in world.status.nodes if r.name == silent)
    world.decide(Action.EXCLUDE, attempt.token, volume=volume)
    world.step()
    world.kill(silent)
    world.settle()
    assert awaiting(world).number == attempt.number
    assert all(r.volume != volume for r in world.status.nodes if r.attempt == attempt.number)


def test_the_pinned_volume_is_chosen() -> None:
    world = ready()
    attempt = awaiting(world)
    last = attempt.candidates[-1]
    world.decide(Action.PIN, attempt.token, volume=last.volume)
    world.settle()
    assert awaiting(world).possible_loss == []
    world.decide(Action.APPROVE, awaiting(world).token)
    world.settle()
    assert winner_of(world).volume == last.volume


def test_in_mode_automatic_a_pin_is_no_approval_of_what_only_others_hold() -> None:
    world = World().running()
    world.write(5)
    *_, behind = world.living()
    pod = world.pods[behind]
    assert pod.process is not None
    pod.process.slow = True
    world.write(5)
    world.step()
    pod.process.slow = False
    world.kill(*world.living())
    world.step()
    attempt = world.status.attempt
    assert attempt is not None
    world.decide(Action.PIN, attempt.token, volume=pod.volume)
    world.settle()
    assert any("pinned" in loss for loss in awaiting(world).possible_loss)
    assert awaiting(world).winner is None


def test_an_aborted_attempt_leaves_nothing_and_none_follows_before_a_resume() -> None:
    world = ready()
    attempt = awaiting(world)
    decision = world.decide(Action.ABORT, attempt.token, reason="the machines come back tonight")
    world.settle()
    assert world.answer(decision) == "Applied"
    assert world.status.attempt is None
    assert world.status.history[0].result is AttemptResult.ABANDONED
    assert "the machines come back tonight" in world.status.history[0].message
    assert world.living() == []
    assert world.status.reason == "RecoveryPaused"
    paused = world.status.paused
    assert paused is not None
    assert paused.token in world.status.next_step
    for _ in range(30):
        world.step()
    assert world.status.attempt is None
    world.decide(Action.RESUME, paused.token)
    world.settle()
    assert awaiting(world).number == attempt.number + 1


def test_a_chosen_recovery_is_aborted_only_while_its_members_have_not_accepted_it() -> None:
    world = ready()
    token = awaiting(world).token
    world.decide(Action.APPROVE, token)
    world.settle()
    assert world.phase() is Phase.AWAITING_MEMBERS
    world.vote()
    refused = world.decide(Action.ABORT, token)
    world.step()
    assert world.answer(refused) == "Refused"
    assert world.status.attempt is not None


def test_what_members_have_opened_at_once_is_not_lost_by_an_abort_that_came_before_a_look() -> None:
    world = World().running()
    world.kill(*world.living())
    while (attempt := world.status.attempt) is None or attempt.winner is None:
        world.step()
    assert attempt.phase is AttemptPhase.JOINING
    world.accept()
    made = next(it for it in world.services if it.key == attempt.winner.public_key)
    committed = world.write_to(made, 5)
    world.kill(*world.living())
    decision = world.decide(Action.ABORT, attempt.token)
    world.settle()
    assert world.answer(decision) == "Applied"
    assert world.status.paused is not None
    world.decide(Action.RESUME, world.status.paused.token)
    world.settle()
    assert awaiting(world).unsettled == attempt.number
    assert max(TxID.parse(c.tx_id) for c in awaiting(world).candidates if c.tx_id) == committed


@pytest.mark.parametrize("looks", [1, 2, 3, 4, 60])
def test_an_attempt_is_aborted_at_any_step_before_its_members_accept(looks: int) -> None:
    world = World().running()
    committed = world.write(5)
    world.kill(*world.living())
    for _ in range(looks):
        world.step()
    attempt = world.status.attempt
    assert attempt is not None
    decision = world.decide(Action.ABORT, attempt.token)
    world.settle()
    assert world.answer(decision) == "Applied"
    assert world.living() == []
    paused = world.status.paused
    assert paused is not None
    world.decide(Action.RESUME, paused.token)
    world.settle()
    assert TxID.parse(winner_of(world).tx_id) >= committed
    assert winner_of(world).approved_loss == []
    world.accept()
    world.settle()
    assert world.phase() is Phase.RUNNING


def test_a_service_that_may_have_opened_is_given_up_only_by_a_person() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.vote()
    world.step()
    kept = world.pods[world.living()[0]].volume
    world.kill(*world.living())
    for volume in set(world.claims) - {kept}:
        del world.claims[volume]
    world.settle()
    assert world.status.reason == "MayHaveOpened"
    unsettled = awaiting(world)
    assert unsettled.token in world.status.next_step
    decision = world.decide(Action.APPROVE, unsettled.token)
    world.settle()
    assert world.answer(decision) == "Applied"
    past = world.status.history[0]
    assert past.result is AttemptResult.SUPERSEDED
    assert decision in past.message
    assert past.approval is not None
    assert past.approval.possible_loss == unsettled.possible_loss
    assert world.status.attempt is not None
    assert world.status.attempt.unsettled is None
    assert world.status.attempt.approval is None, "what follows is another loss"


def test_a_decision_is_applied_once_however_often_the_operator_dies() -> None:
    world = ready()
    attempt = awaiting(world)
    decision = world.decide(Action.ABORT, attempt.token)
    for _ in range(3):
        world.step(crash_after=0)
    assert world.answered == {}
    assert [d.name for d in world.status.decisions] == [decision]
    paused = world.status.paused
    assert paused is not None
    world.settle()
    assert world.answer(decision) == "Applied"
    assert len(world.status.history) == 1


def test_old_records_are_dropped_but_never_before_they_are_answered() -> None:
    world = ready()
    for _ in range(30):
        world.decide(Action.APPROVE, "nonsense")
    world.step(crash_after=0)
    assert len(world.status.decisions) == 30
    world.settle()
    assert len(world.answered) == 30
    world.step()
    assert len(world.status.decisions) == 20


def test_who_gives_up_a_service_is_told_which_ledgers_show_that_it_was_opened() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.accept()
    gone, other, kept = (world.pods[name].volume for name in world.living())
    world.kill(*world.living())
    del world.claims[gone], world.claims[other]
    world.settle()
    world.decide(Action.PIN, awaiting(world).token, volume=gone)
    world.settle()
    assert world.status.reason == "MayHaveOpened"
    shown = [loss for loss in awaiting(world).possible_loss if "was opened" in loss]
    assert [loss.split()[0] for loss in shown] == [kept]
