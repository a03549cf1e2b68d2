from __future__ import annotations

import pytest

from ccf_operator.api.status import Timeline
from e2e.demo.timeline import RECOVERY, Step, Who, bar, moments, share, steps
from unit.demo.statuses import after

WHOLE = {
    **moments(
        Timeline(
            suspected_at=after(0.5),
            proven_at=after(1),
            fenced_at=after(3),
            recovered_at=after(7),
            chosen_at=after(7),
            losers_gone_at=after(9),
            joined_at=after(13),
            accepted_at=after(15.3),
            open_at=after(18),
        )
    ),
    "killed": after(0),
    "accepted": after(15),
    "shares": after(16),
    "servesAgain": after(19),
    "readBack": after(20),
}


def test_every_step_of_a_recovery_has_its_seconds() -> None:
    taken = {step.title: (step.begin, step.took) for step in steps(RECOVERY, WHOLE, "killed")}
    assert taken == {
        "loss proven": (0, 1),
        "volumes fenced": (1, 2),
        "candidates recover": (3, 4),
        "winner chosen": (7, 0),
        "losers gone": (7, 2),
        "joiners caught up": (7, 6),
        "members accept it": (13, 2),
        "members' shares": (15, 1),
        "ledger decrypted, open": (16, 2),
        "every node serves": (18, 1),
        "all read back": (19, 1),
    }


def test_steps_whose_end_is_not_known_are_left_out() -> None:
    known = {"killed": after(0), "proven": after(2)}
    assert [step.title for step in steps(RECOVERY, known, "killed")] == ["loss proven"]


def test_a_step_with_an_unknown_beginning_counts_from_the_start() -> None:
    known = {"killed": after(0), "chosen": after(4)}
    assert [(s.begin, s.took) for s in steps(RECOVERY, known, "killed")] == [(0, 4)]


def test_clocks_that_differ_make_no_negative_time() -> None:
    known = {"killed": after(2), "proven": after(1)}
    assert steps(RECOVERY, known, "killed")[0].took == 0


def test_time_lines_need_their_start() -> None:
    with pytest.raises(KeyError):
        steps(RECOVERY, {"proven": after(1)}, "killed")


def test_time_that_steps_share_counts_once() -> None:
    assert share(steps(RECOVERY, WHOLE, "killed"), Who.OPERATOR) == 16
    assert share(steps(RECOVERY, WHOLE, "killed"), Who.MEMBERS) == 3


@pytest.mark.parametrize(
    ("begin", "took", "drawn"),
    [(0, 10, (0, 20)), (5, 5, (10, 10)), (10, 0, (19, 1)), (0, 0, (0, 1)), (9.9, 0.1, (19, 1))],
)
def test_bars_stay_in_their_line_and_never_vanish(begin: float, took: float, drawn: tuple[int, int]) -> None:
    assert bar(Step("a step", Who.OPERATOR, begin, took), 10, 20) == drawn


def test_a_time_line_of_no_length_has_bars() -> None:
    assert bar(Step("a step", Who.OPERATOR, 0, 0), 0, 20) == (0, 1)
