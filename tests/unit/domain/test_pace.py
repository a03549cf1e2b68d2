from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ccf_operator.api.status import Command, NetworkStatus, Phase, ServiceStatus
from ccf_operator.domain.decide import decide
from ccf_operator.domain.pace import BUSY, EAGER, JUST_STARTED, PATIENT, STEADY, WAITING, wake_after
from unit.domain.given import at, attempt, draft, inputs, record, status
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


LONG_AGO = at(-3600)


@pytest.mark.parametrize(
    ("since", "seconds"), [(at(0), WAITING), (at(-100), 10.0), (at(-300), PATIENT), (LONG_AGO, PATIENT)]
)
def test_the_longer_a_network_cannot_start_the_more_patient_the_operator_is(since: datetime, seconds: float) -> None:
    waits = draft(NetworkStatus(phase=Phase.CREATING, phase_since=since), inputs=inputs("ConfigMap m does not exist"))
    assert wake_after(waits) == seconds


@pytest.mark.parametrize(
    "of",
    [
        status(record("a", command=Command.START), service=ServiceStatus(), phase=Phase.CREATING, phase_since=LONG_AGO),
        status(record("a"), phase=Phase.RUNNING, phase_since=LONG_AGO),
        status(phase=Phase.RECOVERING, phase_since=LONG_AGO, attempt=attempt()),
    ],
    ids=["its first node is there", "it serves", "it is recovered"],
)
def test_patience_is_only_for_those_that_have_nothing_yet(of: NetworkStatus) -> None:
    assert wake_after(draft(of, inputs=inputs("ConfigMap m does not exist"))) <= STEADY
