from __future__ import annotations

import pytest

from e2e.bench.moments import Moment
from e2e.bench.result import Run, Who, lines, reactions, table


def test_medians_and_ratios_are_of_the_runs_that_show_the_moment() -> None:
    runs = [
        *(Run(Who.OPERATOR, {Moment.OPEN: took}) for took in (6.0, 8.0, 30.0)),
        *(Run(Who.SCRIPT, {Moment.OPEN: took}) for took in (10.0, 10.0, 1.0)),
        Run(Who.SCRIPT, {Moment.PROOF: 2.0}),
    ]
    found = {line.moment: line for line in lines(runs)}
    opened = found[Moment.OPEN]
    assert (opened.operator, opened.script) == (8.0, 10.0)
    assert opened.ratio == pytest.approx(0.8)
    assert found[Moment.PROOF].operator is None
    assert found[Moment.PROOF].ratio is None
    assert "loss to open, operator to script: 0.80" in table(runs)


def test_a_reaction_is_the_operators_from_the_proof_to_its_first_candidate() -> None:
    runs = [
        Run(Who.OPERATOR, {Moment.PROOF: 2.0, Moment.FIRST_CANDIDATE: 2.5}),
        Run(Who.OPERATOR, {Moment.PROOF: 1.0, Moment.FIRST_CANDIDATE: 1.125}),
        Run(Who.OPERATOR, {Moment.PROOF: 1.0}),
        Run(Who.SCRIPT, {Moment.PROOF: 1.0, Moment.FIRST_CANDIDATE: 9.0}),
    ]
    assert reactions(runs) == [0.125, 0.5]


def test_without_runs_of_one_of_them_there_is_no_ratio() -> None:
    assert "operator to script: -" in table([Run(Who.SCRIPT, {Moment.OPEN: 3.0})])
