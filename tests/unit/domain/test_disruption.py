from __future__ import annotations

import pytest

from ccf_operator.api.status import Command, NetworkStatus
from ccf_operator.domain.disruption import least_available, want_budgets
from ccf_operator.domain.effects import ApplyRecoveryBudget, ApplyTrustedBudget, Effect, RemoveRecoveryBudget
from unit.domain.given import attempt, candidate, configuration, crowned, draft, node_id, record, status


def wanted(of: NetworkStatus) -> list[Effect]:
    work = draft(of)
    want_budgets(work)
    return work.effects


@pytest.mark.parametrize(
    ("nodes", "least"), [("a", 0), ("ab", 1), ("abc", 2), ("abcd", 3), ("abcde", 3), ("abcdefg", 4), ("abcdefghi", 5)]
)
def test_a_majority_stays_and_one_may_always_go(nodes: str, least: int) -> None:
    of = status(*map(record, nodes), configuration=configuration(*nodes))

    assert least_available(draft(of)) == least
    assert wanted(of) == [ApplyTrustedBudget(least), RemoveRecoveryBudget()]


def test_no_budget_is_made_of_a_configuration_that_nobody_knows() -> None:
    assert wanted(status(record("a"))) == [RemoveRecoveryBudget()]


def test_candidates_are_kept_while_their_attempt_lasts() -> None:
    tried = attempt(candidate("a"))
    of = status(record("a"), record("r-a", attempt=1), configuration=configuration("a"), attempt=tried)

    assert wanted(of) == [ApplyTrustedBudget(0), ApplyRecoveryBudget()]
    assert wanted(of.model_copy(update={"attempt": None})) == [ApplyTrustedBudget(0), RemoveRecoveryBudget()]


@pytest.mark.parametrize(("joiners", "least"), [([], 0), (["j1"], 0), (["j1", "j2"], 1), (["j1", "j2", "j3", "j4"], 2)])
def test_the_winner_counts_though_it_is_under_a_budget_of_its_own(joiners: list[str], least: int) -> None:
    recovering = attempt(candidate("a"), winner=crowned("r-a"), network=configuration("r-a", *joiners))
    nodes = [record("r-a", attempt=1, command=Command.RECOVER), *(record(j, attempt=1) for j in joiners)]

    assert least_available(draft(status(*nodes, attempt=recovering))) == least


def test_a_winner_that_is_not_part_of_the_configuration_is_not_counted() -> None:
    recovering = attempt(candidate("a"), winner=crowned("r-a"), network=configuration("j1", "j2", "j3"))
    winner = record("r-a", attempt=1, node_id=node_id("r-a"))

    assert least_available(draft(status(winner, attempt=recovering))) == 2
