from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccf_operator.domain.quorum import (
    Testimony as Witness,
)
from ccf_operator.domain.quorum import (
    agreed_primary,
    cannot_form_again,
    deciding_minority,
    judge_loss,
    majority,
    possible_configurations,
)

A, B, C, D, E = "aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee"


def members(*ids: str) -> frozenset[str]:
    return frozenset(ids)


@pytest.mark.parametrize(("size", "quorum", "deciding"), [(1, 1, 1), (2, 2, 1), (3, 2, 2), (4, 3, 2), (5, 3, 3)])
def test_majority_and_the_least_number_every_majority_meets(size: int, quorum: int, deciding: int) -> None:
    assert (majority(size), deciding_minority(size)) == (quorum, deciding)


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_a_loss_leaves_fewer_than_a_majority(case: tuple[int, int]) -> None:
    size, gone = case
    nodes = frozenset(str(i) for i in range(size))
    ended = frozenset(str(i) for i in range(gone))
    assert cannot_form_again(nodes, ended) == (size - gone < size // 2 + 1)


def loss(
    ended: frozenset[str],
    *testimonies: Witness,
    committed: frozenset[str] = members(A, B, C),
    pending: tuple[frozenset[str], ...] = (),
    maybe_trusted: frozenset[str] = members(),
) -> bool:
    return judge_loss(possible_configurations(committed, pending, maybe_trusted), ended, testimonies).proven


def test_a_majority_of_ends_proves_the_loss() -> None:
    assert loss(members(B, C))


def test_a_minority_of_ends_proves_nothing() -> None:
    assert not loss(members(B))


def test_nothing_is_proven_without_a_committed_configuration() -> None:
    assert not loss(members(B, C), committed=members())


def test_a_joiner_that_may_have_been_trusted_counts_as_possibly_trusted() -> None:
    assert loss(members(A, B))
    assert not loss(members(A), committed=members(A), maybe_trusted=members(B, C))
    assert not loss(members(A, B), maybe_trusted=members(D, E))


def test_a_configuration_under_way_must_be_lost_as_well() -> None:
    assert not loss(members(A, B), pending=(members(A, B, C, D, E),))


def test_a_survivor_with_a_newer_living_configuration_vetoes() -> None:
    survivor = Witness(C, (members(C, D, E),), None, False)
    assert not loss(members(A, B), survivor)


def test_a_survivor_that_sees_a_living_primary_vetoes() -> None:
    assert not loss(members(A, B), Witness(C, (members(A, B, C),), D, False))


def test_a_survivor_that_names_an_ended_primary_does_not_veto() -> None:
    assert loss(members(A, B), Witness(C, (members(A, B, C),), A, False))


def test_a_survivor_that_still_leads_a_lost_configuration_does_not_veto() -> None:
    assert loss(members(A, B), Witness(C, (members(A, B, C),), C, True))


def test_a_primary_needs_a_majority_that_agrees_in_the_same_view() -> None:
    config = [members(A, B, C)]
    assert agreed_primary(config, {A: (A, 2), B: (A, 2)}) == A
    assert agreed_primary(config, {A: (A, 2), B: (None, 3), C: (None, 3)}) is None
    assert agreed_primary(config, {A: (A, 2), B: (B, 4), C: (B, 4)}) == B
    assert agreed_primary(config, {A: (A, 2), B: (A, 3)}) is None
    assert agreed_primary([*config, members(A, D, E)], {A: (A, 2), B: (A, 2)}) is None
