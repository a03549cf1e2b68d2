"""A service comes back whose loss was proven by somebody's word, at every point of its recovery.

Of the three machines one is heard and two are believed gone (`events`), so that those two are a quorum when they come
back. What must hold then: two services are never open without a status that says so and what to do; nothing of the one
that came back is ended but by a person's word; what clients saw committed is lost only where a person was told; and the
network becomes whole in the end.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccf_operator.api.decision import Action
from ccf_operator.api.status import AttemptPhase
from unit.simulation.events import HARMLESS, PEOPLE, Event, events, happen
from unit.simulation.history import History
from unit.simulation.stories import asked, chosen, kill, look_until, opened
from unit.simulation.test_histories import SEARCH

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

Point = Callable[[History], None]


def begun(history: History) -> None:
    """It is written that a recovery begins, and nothing is done of it."""
    for _ in range(10):
        history.look(stop_after=0)
        if history.status.attempt is not None:
            return


def fenced(history: History) -> None:
    look_until(history, lambda: history.status.attempt is not None)


def recovering(history: History) -> None:
    look_until(history, lambda: phase(history) is AttemptPhase.RECOVERING)


def shown(history: History) -> None:
    while phase(history) is not AttemptPhase.AWAITING_APPROVAL:
        history.look()
        history.pass_time(60)


def approved(history: History) -> None:
    shown(history)
    history.decide(Action.APPROVE)
    look_until(history, lambda: chosen(history))


def awaited(history: History) -> None:
    approved(history)
    look_until(history, lambda: asked(history))


def accepted(history: History) -> None:
    awaited(history)
    history.accept()


def accepted_and_seen(history: History) -> None:
    accepted(history)
    history.look()


def opened_unseen(history: History) -> None:
    accepted(history)
    history.submit_shares()
    history.pass_time(1)


def opened_and_seen(history: History) -> None:
    opened_unseen(history)
    look_until(history, lambda: history.status.recoveries == 1)


def lost_unseen(history: History) -> None:
    opened_unseen(history)
    attempt = history.status.attempt
    assert attempt is not None
    kill(history, *(pod.name for pod in history.processes() if pod.record.attempt == attempt.number))


def lost_and_seen(history: History) -> None:
    lost_unseen(history)
    look_until(history, lambda: history.status.unsettled is not None)


def lost_and_shown(history: History) -> None:
    lost_and_seen(history)
    look_until(history, lambda: history.status.attempt is not None)
    history.settle()


POINTS = (
    begun,
    fenced,
    recovering,
    shown,
    approved,
    awaited,
    accepted,
    accepted_and_seen,
    opened_unseen,
    opened_and_seen,
    lost_unseen,
    lost_and_seen,
    lost_and_shown,
)


def phase(history: History) -> AttemptPhase | None:
    return history.status.attempt.phase if history.status.attempt is not None else None


@SEARCH
@given(
    point=st.sampled_from(POINTS),
    gone=st.integers(0, 3),
    back=st.lists(st.tuples(st.sampled_from([0, 0, 1, 2]), st.integers(0, 3)), min_size=1, max_size=3),
    apart=st.booleans(),
    tail=events(*HARMLESS, *sorted(PEOPLE), least=0, most=20),
    of_two=st.sampled_from([Action.APPROVE, Action.ABORT]),
)
def test_whenever_it_comes_back_a_person_knows_and_nothing_is_lost_unapproved(
    point: Point, gone: int, back: list[tuple[int, int]], apart: bool, tail: list[Event], of_two: Action
) -> None:
    history = opened(trusted=True)
    history.of_two = of_two
    happen(history, [Event("believed gone", 3, gone)])
    point(history)
    history.check()
    if apart:
        happen(history, [Event("partition", 1, 2)])
    for who, how in back:
        happen(history, [Event("came back", who, how), Event("write", 1), Event("look"), Event("write", 1)])
    happen(history, tail)
    history.see_to_the_end(decides=True)
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    history.check_nothing_is_lost()
    history.check_is_settled()
