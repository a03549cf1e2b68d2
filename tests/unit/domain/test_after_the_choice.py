"""Whole recoveries in the model, from the choice of the winner to each of their ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccf_operator.api.decision import Action
from ccf_operator.api.status import AttemptPhase, AttemptResult, Phase
from ccf_operator.domain.decide import decide
from ccf_operator.domain.joining import DEAD_END_PATIENCE
from ccf_operator.domain.txid import TxID
from unit.domain.world import World


def lost(nodes: int = 3) -> tuple[World, TxID]:
    """A network that has just lost all its nodes, and what it had committed."""
    world = World(nodes=nodes).running()
    committed = world.write(5)
    world.kill(*world.living())
    return world, committed


def asked(nodes: int = 3) -> tuple[World, TxID]:
    """A recovered network whose members are asked."""
    world, committed = lost(nodes)
    world.settle()
    assert world.phase() is Phase.AWAITING_MEMBERS
    return world, committed


def winner(world: World) -> str:
    found = world.attempt.winner
    assert found is not None
    return found.node


def past(world: World) -> list[AttemptResult]:
    return [one.result for one in world.status.history]


def finish(world: World, committed: TxID) -> None:
    """The members do their part; the network runs on what had been committed."""
    world.settle()
    assert world.phase() is Phase.AWAITING_MEMBERS, (world.status.reason, world.status.message)
    found = world.attempt.winner
    assert found is not None
    assert TxID.parse(found.tx_id) >= committed
    assert world.status.reason == "AcceptService"
    world.accept()
    world.settle()
    assert past(world)[0] is AttemptResult.SUCCEEDED
    assert world.phase() in (Phase.RUNNING, Phase.DEGRADED)


# The winner dies


def test_before_joiners_exist_the_next_attempt_starts_from_the_last_open_service() -> None:
    world, committed = lost()
    for _ in range(60):
        if (of := decide(world.observe()).status.attempt) is not None and of.winner is not None:
            break
        world.step()
    world.step(crash_after=0)
    world.kill(winner(world))
    world.settle()
    assert past(world) == [AttemptResult.SUPERSEDED]
    assert world.attempt.number == 2
    assert all(c.lineage == [0] for c in world.attempt.candidates)
    finish(world, committed)


def test_before_the_vote_its_joiners_go_on_and_another_takes_its_place() -> None:
    world, committed = asked()
    dead = winner(world)
    world.kill(dead)
    world.settle()
    assert world.attempt.number == 1
    assert len(world.living()) == 3
    assert dead not in world.status.next_step
    finish(world, committed)


def test_after_the_vote_the_members_submit_their_shares_at_the_new_primary() -> None:
    world, committed = asked()
    world.vote()
    world.settle()
    assert world.status.reason == "RecoveryShares"
    dead = winner(world)
    world.kill(dead)
    world.settle()
    assert world.status.reason == "RecoveryShares"
    assert dead not in world.status.next_step
    assert len(world.living()) == 2, "none joins any more: it would only be pending"
    world.submit()
    world.decrypted()
    world.settle()
    assert past(world) == [AttemptResult.SUCCEEDED]
    assert world.service.commit >= committed
    assert len(world.living()) == 3
    assert "transition_node_to_trusted" in world.status.next_step


def test_while_the_ledger_is_decrypted_the_others_are_waited_for() -> None:
    world, _ = asked()
    world.vote()
    world.submit()
    world.settle()
    assert world.status.reason == "Decrypting"
    assert not world.status.next_step
    world.kill(winner(world))
    world.settle()
    assert (world.attempt.number, world.status.reason) == (1, "Decrypting")
    world.decrypted()
    world.settle()
    assert past(world) == [AttemptResult.SUCCEEDED]


def test_before_the_opening_has_committed_it_is_a_dead_end_and_a_new_attempt_leads_out() -> None:
    world, committed = asked()
    world.vote()
    world.submit()
    world.settle()
    world.lose_the_opening()
    began, ended = world.now, list(world.deleted_running)
    world.step()
    world.step()
    assert world.status.reason == "DeadEndSuspected"
    assert world.attempt.number == 1, "one look proves nothing"
    while world.status.attempt is not None and world.status.attempt.number == 1:
        assert world.deleted_running == ended, "nothing is destroyed before it is certain"
        world.step()
        assert world.now - began < timedelta(minutes=1)
    assert world.now - began > DEAD_END_PATIENCE
    assert world.status.unsettled is None
    finish(world, committed)
    assert world.status.recoveries == 1


# All of the recovered network dies


def test_before_the_members_were_asked_nothing_is_doubted() -> None:
    world, committed = lost()
    while world.status.attempt is None or world.status.attempt.phase is not AttemptPhase.JOINING:
        world.step()
    world.kill(*world.living())
    world.settle()
    assert past(world) == [AttemptResult.SUPERSEDED]
    finish(world, committed)


def test_unless_they_had_opened_it_without_being_asked() -> None:
    world, _ = lost()
    while world.status.attempt is None or world.status.attempt.phase is not AttemptPhase.JOINING:
        world.step()
    world.accept()
    committed = world.write_to(world.recovering, 4)
    world.kill(*world.living())
    world.settle()
    assert past(world) == [AttemptResult.SUPERSEDED, AttemptResult.SUPERSEDED]
    # The operator never met its joiners: it cannot tell which of them wrote which ledger.
    assert world.status.reason == "ApprovalRequired"
    world.decide(Action.APPROVE, world.attempt.token)
    finish(world, committed)
    assert world.status.recoveries == 2
    assert world.status.doubted is None
    assert not any(volume.doubtful for volume in world.status.volumes)


def test_after_they_were_asked_its_ledgers_show_that_it_was_not_opened() -> None:
    world, committed = asked()
    world.vote()
    world.kill(*world.living())
    world.settle()
    assert past(world) == [AttemptResult.SUPERSEDED, AttemptResult.SUPERSEDED]
    assert world.status.unsettled is None
    assert all(c.lineage == [0] for c in world.attempt.candidates), "a failed attempt never feeds the next one"
    finish(world, committed)


def test_or_that_it_was_and_then_what_its_clients_committed_is_not_lost() -> None:
    world, _ = asked()
    world.accept()
    committed = world.write_to(world.recovering, 7)
    world.kill(*world.living())
    world.settle()
    assert past(world) == [AttemptResult.SUPERSEDED]
    finish(world, committed)
    assert world.status.recoveries == 2


@pytest.mark.parametrize("opened", [True, False])
def test_where_that_cannot_be_told_a_person_is_asked(opened: bool) -> None:
    world, _ = asked()
    if opened:
        world.accept()
    else:
        world.vote()
    volumes = {name: pod.volume for name, pod in world.pods.items()}
    kept = volumes[world.living()[0]]
    world.kill(*world.living())
    for volume in set(world.claims) - {kept}:
        del world.claims[volume]
    world.settle()
    assert world.phase() is Phase.BLOCKED
    assert world.status.reason == ("ApprovalRequired" if opened else "MayHaveOpened")
    assert world.attempt.possible_loss
    assert world.attempt.winner is None


# Nothing ends by itself


def test_members_that_never_come_are_waited_for_for_ever() -> None:
    world, _ = asked()
    before = world.status.model_copy(deep=True)
    for _ in range(20):
        world.now += timedelta(days=30)
        world.step()
    assert world.attempt.number == 1
    assert (world.status.phase, world.status.reason) == (Phase.AWAITING_MEMBERS, "AcceptService")
    assert world.status.next_step == before.next_step
    assert len(world.living()) == 3


def test_a_joiner_that_dies_while_the_members_are_awaited_is_replaced() -> None:
    world, committed = asked()
    world.kill(next(name for name in world.living() if name != winner(world)))
    world.settle()
    assert len(world.living()) == 3
    finish(world, committed)


def test_five_recoveries_in_a_row() -> None:
    world, committed = lost()
    for number in range(1, 6):
        finish(world, committed)
        assert world.status.recoveries == number
        assert world.status.service.recovery_count == number
        committed = world.write(3)
        world.kill(*world.living())


# An operator that dies


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    crashes=st.lists(st.integers(0, 4), max_size=25),
    end=st.sampled_from(
        ["before the vote", "after the vote", "while it is read", "the dead end", "all", "all, opened"]
    ),
)
def test_an_operator_that_dies_between_any_two_effects_comes_to_the_same_end(crashes: list[int], end: str) -> None:
    world, committed = asked()
    if end != "before the vote":
        world.vote()
    if end in ("while it is read", "the dead end", "all, opened"):
        world.submit()
    if end == "the dead end":
        world.lose_the_opening()
    elif end.startswith("all"):
        if end == "all, opened":
            world.decrypted()
            committed = world.write_to(world.recovering, 2)
        world.kill(*world.living())
    else:
        world.kill(winner(world))
    for crash in crashes:
        world.step(crash_after=crash)
    patience = world.now + timedelta(seconds=20)
    while world.now < patience:
        world.step()
    world.settle()
    if end == "after the vote":
        world.submit()
    if end in ("after the vote", "while it is read"):
        world.decrypted()
        world.settle()
        assert past(world) == [AttemptResult.SUCCEEDED]
    else:
        finish(world, committed)
    assert world.status.recoveries == (2 if end == "all, opened" else 1)
