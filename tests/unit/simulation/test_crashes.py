"""The operator may die between any two effects, and another start from the status alone: every such place is tried."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from unit.simulation.history import History
from unit.simulation.stories import asked, chosen, ends_whole, kill, look_until, opened


def a_majority_is_killed(history: History) -> None:
    kill(history)


def the_winner_is_killed(history: History) -> None:
    kill(history)
    look_until(history, lambda: chosen(history))
    attempt = history.status.attempt
    assert attempt is not None
    assert attempt.winner is not None
    history.kill(attempt.winner.node)


def the_recovered_service_is_lost(history: History) -> None:
    kill(history)
    look_until(history, lambda: asked(history))
    history.accept()
    history.submit_shares()
    history.pass_time(1)
    history.write()
    kill(history)


def one_is_replaced(history: History) -> None:
    kill(history, history.processes()[0].name)


def it_is_deleted_and_applied_again(history: History) -> None:
    history.delete_and_apply()


def the_status_is_lost(history: History) -> None:
    history.lose_status()
    history.settle()
    kill(history)


@pytest.mark.parametrize(
    "course",
    [
        a_majority_is_killed,
        the_winner_is_killed,
        the_recovered_service_is_lost,
        one_is_replaced,
        it_is_deleted_and_applied_again,
        the_status_is_lost,
    ],
    ids=lambda course: course.__name__,
)
def test_it_dies_after_every_effect(course: Callable[[History], None]) -> None:
    """What it had under way comes to nothing, or every other time to effect while its successor looks."""
    for number in count():
        history = opened()
        history.dies_after, history.leaves_late = number, number % 2 == 1
        course(history)
        history.see_to_the_end(decides=True)
        ends_whole(history)
        if history.dies_after is not None:
            break
    assert number > 10, "so many effects have an end of the operator after them"
