from __future__ import annotations

import pytest

from ccf_operator.api.status import Attempt, CandidateResult
from ccf_operator.domain.choice import Choice, DiskDoubt, choose
from unit.domain.given import attempt, candidate, node_id, recovered, survey


def chosen(of: Attempt, *, unproven: str = "") -> Choice:
    """The choice, where the disks of all nodes but those of these names are known to hold all that was written."""
    doubtful = {node_id(name) for name in unproven}
    return choose(of, of.members_of, lambda node: DiskDoubt.OUT_OF_SERVICE if node in doubtful else None)


def best(of: Attempt) -> str | None:
    found = chosen(of).best
    return found.volume if found is not None else None


def test_a_greater_view_beats_any_seqno() -> None:
    # CCF facts §8.3: 4.60 is the committed branch, 2.99 what an isolated primary went on appending.
    choice = chosen(attempt(recovered("a", "2.99"), recovered("b", "4.60"), recovered("c", "2.41")))
    assert choice.best is not None
    assert choice.best.volume == "v-b"
    assert choice.possible_loss == ()
    assert len(choice.forks) == 1, "v-a goes on beyond where v-b began to differ; v-c does not"
    assert "v-a" in choice.forks[0]


def test_seqnos_are_compared_as_numbers_and_equal_ledgers_by_name() -> None:
    assert best(attempt(recovered("a", "2.9"), recovered("b", "2.100"))) == "v-b"
    assert best(attempt(recovered("b", "2.20"), recovered("a", "2.20"))) == "v-a"


@pytest.mark.parametrize(
    "result",
    [
        CandidateResult.EMPTY,
        CandidateResult.DAMAGED,
        CandidateResult.WRONG_SERVICE,
        CandidateResult.UNREACHABLE,
        CandidateResult.TIMED_OUT,
    ],
)
def test_only_what_was_recovered_is_chosen_or_proves_anything(result: CandidateResult) -> None:
    other = candidate("a", result=result, tx_id="9.99", survey=survey("9.99"))
    choice = chosen(attempt(other, recovered("b", "2.20")))
    assert choice.best is not None
    assert choice.best.volume == "v-b"
    assert choice.possible_loss, "one of three ledgers cannot show what the others had committed"
    assert chosen(attempt(other)).best is None


@pytest.mark.parametrize(("size", "needed"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (9, 5)])
def test_as_many_ledgers_are_needed_as_every_majority_meets(size: int, needed: int) -> None:
    names = "abcdefghi"[:size]

    def loss(ledgers: int) -> bool:
        found = [recovered(name, "2.20", survey=survey(configurations={10: names})) for name in names[:ledgers]]
        return bool(chosen(attempt(*found, members=names)).possible_loss)

    assert not loss(needed)
    assert needed == 1 or loss(needed - 1)


def test_a_ledger_whose_machine_went_down_with_its_node_proves_less() -> None:
    of = attempt(recovered("a", "2.20"), recovered("b", "2.20"), recovered("c", "2.20"))
    assert not chosen(of, unproven="c").possible_loss
    [loss] = chosen(of, unproven="bc").possible_loss
    assert "2 of these may lack what was written last: its machine was said to be out of service (2 nodes)" in loss


@pytest.mark.parametrize("doubt", DiskDoubt)
def test_it_is_told_of_each_ledger_why_it_may_lack_something(doubt: DiskDoubt) -> None:
    of = attempt(recovered("a", "2.20"), recovered("b", "2.20"))
    [loss] = choose(of, of.members_of, lambda _node: doubt).possible_loss
    told = {
        DiskDoubt.END_NOT_SEEN: "the end of its process was not seen",
        DiskDoubt.OUT_OF_SERVICE: "said to be out of service",
        DiskDoubt.MACHINE_DELETED: "Kubernetes Node is gone",
        DiskDoubt.MACHINE_RESTARTED: "boot id",
    }
    assert [other for other, words in told.items() if words in loss] == [doubt]


def test_a_volume_that_the_node_did_not_write_last_proves_nothing_of_it() -> None:
    of = attempt(recovered("a", "2.20"), recovered("b", "2.20"))
    of.members_of = {node_id("a"): "v-a"}
    assert chosen(of).possible_loss


def test_a_later_configuration_found_in_a_ledger_must_be_met_too() -> None:
    # Members had moved on to c, d and e when the operator was not looking: a and b prove nothing of what those did.
    later = survey(configurations={10: "abc", 40: "cde"})
    of = attempt(recovered("a", "2.50", survey=later), recovered("b", "2.20"))
    [loss] = chosen(of).possible_loss
    assert "seqno 40" in loss


def test_a_configuration_that_shrank_must_be_met_too() -> None:
    shrunk = survey(configurations={10: "abc", 30: "bc", 40: "c"})
    assert chosen(attempt(recovered("a", "2.20"), recovered("b", "2.50", survey=shrunk))).possible_loss
    assert not chosen(
        attempt(recovered("a", "2.20"), recovered("b", "2.50", survey=shrunk), recovered("c", "2.50"))
    ).possible_loss


def test_an_earlier_configuration_does_not_matter() -> None:
    grown = survey(configurations={1: "a", 5: "ab", 10: "abc"})
    assert not chosen(attempt(recovered("a", "2.20", survey=grown), recovered("b", "2.20", survey=grown))).possible_loss


def test_a_configuration_under_way_must_be_met_too() -> None:
    of = attempt(recovered("a", "2.20"), recovered("b", "2.20"), pending=[[node_id(n) for n in "cde"]])
    assert chosen(of).possible_loss


def test_more_changes_than_a_survey_can_tell_are_a_doubt() -> None:
    # Only the last few configurations are reported; here they begin after the one that was known.
    untold = survey(configurations={40: "abc", 50: "abd", 60: "abe", 70: "abc"})
    [loss] = chosen(attempt(recovered("a", "2.80", survey=untold), recovered("b", "2.20"))).possible_loss[-1:]
    assert "v-a" in loss


def test_the_best_must_not_be_below_the_high_water_mark() -> None:
    candidates = [recovered("a", "2.20"), recovered("b", "2.20")]
    assert not chosen(attempt(*candidates, base_high_water_mark="2.20")).possible_loss
    [loss] = chosen(attempt(*candidates, base_high_water_mark="2.21")).possible_loss
    assert "2.21" in loss
    assert "2.20" in loss


def test_a_ledger_that_is_too_short_cannot_hold_what_was_committed_in_an_earlier_view() -> None:
    # A committed entry stays in every later view: where 2.99 was committed, a branch that ends at 4.60 lacks it.
    assert chosen(attempt(recovered("a", "4.60"), recovered("b", "4.60"), base_high_water_mark="2.99")).possible_loss


def test_with_no_candidate_at_all_there_is_nothing_to_choose() -> None:
    choice = chosen(attempt())
    assert choice.best is None
    assert choice.possible_loss
