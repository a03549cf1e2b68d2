from __future__ import annotations

import itertools

import pytest

from ccf_operator.api.status import AttemptPhase, AttemptResult
from ccf_operator.domain import attempts
from ccf_operator.domain.transitions import TRANSITIONS, UnknownTransition, check, move
from unit.domain.given import attempt, draft, status

FORBIDDEN = [
    (AttemptPhase.AWAITING_MEMBERS, AttemptPhase.JOINING),
    (AttemptPhase.JOINING, AttemptPhase.RECOVERING),
    (AttemptPhase.FENCING, AttemptPhase.JOINING),
    (AttemptPhase.RECOVERING, AttemptPhase.AWAITING_MEMBERS),
    (None, AttemptPhase.JOINING),
    (AttemptPhase.FENCING, AttemptResult.SUCCEEDED),
    (AttemptPhase.RECOVERING, AttemptResult.SUCCEEDED),
    (AttemptPhase.AWAITING_APPROVAL, AttemptResult.SUCCEEDED),
]


@pytest.mark.parametrize(("source", "target"), FORBIDDEN)
def test_steps_that_skip_what_must_not_be_skipped_are_unknown(
    source: AttemptPhase | None, target: AttemptPhase | AttemptResult
) -> None:
    with pytest.raises(UnknownTransition):
        check(source, target)


def test_no_step_is_listed_twice() -> None:
    steps = [(step.source, step.target) for step in TRANSITIONS]
    assert len(steps) == len(set(steps))


def test_every_phase_can_be_reached_and_left_and_can_end_without_success() -> None:
    reached, frontier = {None}, [None]
    while frontier:
        source = frontier.pop()
        for step in TRANSITIONS:
            if step.source is source and step.target not in reached:
                reached.add(step.target)  # type: ignore[arg-type]
                frontier.append(step.target)  # type: ignore[arg-type]
    assert reached == {None, *AttemptPhase, *AttemptResult}
    ends = {(step.source, step.target) for step in TRANSITIONS}
    for phase in AttemptPhase:
        assert (phase, AttemptResult.ABANDONED) in ends


def test_a_winner_once_chosen_is_not_weighed_again() -> None:
    late = (AttemptPhase.JOINING, AttemptPhase.AWAITING_MEMBERS)
    early = (AttemptPhase.FENCING, AttemptPhase.RECOVERING, AttemptPhase.AWAITING_APPROVAL)
    steps = {(step.source, step.target) for step in TRANSITIONS}
    assert not steps & set(itertools.product(late, early))


def test_an_unknown_step_leaves_the_attempt_where_it_is() -> None:
    of = attempt(phase=AttemptPhase.AWAITING_MEMBERS)
    with pytest.raises(UnknownTransition):
        move(of, AttemptPhase.FENCING)
    assert of.phase is AttemptPhase.AWAITING_MEMBERS
    move(of, AttemptPhase.AWAITING_MEMBERS)
    assert of.phase is AttemptPhase.AWAITING_MEMBERS


def test_ends_pass_through_the_table_too() -> None:
    of = attempt(phase=AttemptPhase.FENCING)
    work = draft(status(attempt=of))
    with pytest.raises(UnknownTransition):
        attempts.supersede(work, of, "for no reason that the table knows")
    assert work.status.attempt is not None
