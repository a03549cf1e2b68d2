from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ccf_operator.api.status import Phase
from ccf_operator.domain.decide import decide
from ccf_operator.domain.pace import BUSY, EAGER, JUST_STARTED, STEADY, WAITING
from unit.domain.world import World


def pace(world: World) -> float:
    return world.step().wake_after


def lost_with_silent_candidates() -> World:
    """All nodes have ended; the candidates have started, and have said nothing yet."""
    world = World().running()
    world.kill(*world.living())
    while world.status.attempt is None or not all(c.node for c in world.status.attempt.candidates):
        world.step()
    world.step()
    world.silence(*world.living())
    return world


def test_nothing_going_on_is_looked_at_seldom() -> None:
    world = World().running()
    world.settle()
    assert pace(world) == STEADY


def test_a_node_that_has_just_started_is_asked_again_at_once_and_later_with_patience() -> None:
    world = lost_with_silent_candidates()
    assert pace(world) == EAGER
    later = replace(world.observe(), now=world.now + JUST_STARTED + timedelta(seconds=1))
    assert decide(later).wake_after == BUSY


def test_members_are_waited_for_without_haste_until_they_have_accepted() -> None:
    world = World().running()
    world.kill(*world.living())
    world.settle()
    world.now += JUST_STARTED
    assert world.phase() is Phase.AWAITING_MEMBERS
    assert pace(world) == WAITING
    world.vote()
    assert pace(world) == BUSY
