"""An operator with a member of its own, through whatever happens: the network becomes whole without a person."""

from __future__ import annotations

import copy
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccf_operator.domain import node_change, proposals
from ccf_operator.domain.node_change import Membership, NodeChange
from unit.simulation.events import HARMLESS, Event, events, happen
from unit.simulation.governed import GovernedHistory
from unit.simulation.history import Violation
from unit.simulation.stories import kill, names
from unit.simulation.test_histories import SEARCH

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@cache
def _opened(nodes: int, alone: bool) -> GovernedHistory:
    history = GovernedHistory(nodes, alone=alone, recovery={"trustMachineDisks": True})
    history.settle()
    history.open()
    history.settle()
    assert history.is_whole(), (history.status.phase, history.status.message)
    assert history.consortium.acknowledged
    return history


def opened(nodes: int = 3, *, alone: bool = True) -> GovernedHistory:
    history = copy.deepcopy(_opened(nodes, alone))
    for _ in range(3):
        history.write()
    return history


def ends_whole(history: GovernedHistory) -> None:
    history.see_to_the_end()
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    history.check_nothing_is_lost()
    history.check_is_settled()


def settled_after(history: GovernedHistory, looks: int = 40) -> None:
    """As many looks as a replacement takes, with the pauses between."""
    for _ in range(looks):
        history.look()


def test_a_lost_minority_is_replaced_though_every_operator_dies_of_its_first_effect() -> None:
    history = opened()
    [*_, victim] = names(history)
    kill(history, victim)
    for _ in range(60):
        history.look(stop_after=0)
        history.look()
    assert victim not in names(history)
    assert history.status.recoveries == 0
    ends_whole(history)


def test_two_of_five_are_replaced_at_once() -> None:
    history = opened(5)
    kill(history, *names(history)[-2:])
    settled_after(history)
    assert history.is_whole()
    assert history.status.recoveries == 0
    ends_whole(history)


def test_members_vote_once_for_a_replacement_that_the_constitution_leaves_to_them() -> None:
    history = opened(alone=False)
    kill(history, names(history)[-1])
    settled_after(history)
    assert history.status.next_step.startswith("members: vote for proposal")
    history.trust_and_remove()
    settled_after(history)
    assert history.is_whole()
    assert not history.consortium.open
    ends_whole(history)


@pytest.mark.parametrize("nodes", [1, 2, 4, 5])
def test_the_number_of_nodes_follows_the_spec(nodes: int) -> None:
    history = opened()
    history.spec = history.spec.model_copy(update={"nodes": nodes})
    history.generation += 1
    settled_after(history, 80)
    assert history.is_whole(), (history.status.phase, history.status.message)
    assert len(names(history)) == nodes
    ends_whole(history)


def test_a_recovered_service_is_opened_by_what_the_operator_proposes() -> None:
    history = opened()
    kill(history, *names(history)[:2])
    ends_whole(history)
    assert history.status.recoveries == 1
    assert history.consortium.made == 1


@SEARCH
@given(sequence=events(*HARMLESS), nodes=st.sampled_from([1, 2, 3, 3, 3, 4, 5]), alone=st.booleans())
def test_whatever_happens_it_becomes_whole(sequence: list[Event], nodes: int, alone: bool) -> None:
    history = opened(nodes, alone=alone)
    happen(history, sequence)
    history.see_to_the_end()
    if history.must_be_asked():
        history.see_to_the_end(decides=True)
    ends_whole(history)


def _all_at_once(now: Membership, joiners: list[str], surplus: list[str], wanted: int) -> NodeChange:
    gone = now.trusted & now.ended
    room = wanted - len(now.trusted - gone)
    return NodeChange(tuple(gone), tuple(joiners[: max(0, room)]))


def _the_dead_later(now: Membership, joiners: list[str], surplus: list[str], wanted: int) -> NodeChange:
    return NodeChange((), tuple(joiners)) if joiners else node_change.next_change(now, joiners, surplus, wanted)


@pytest.mark.parametrize("broken", [_all_at_once, _the_dead_later])
def test_the_check_of_the_quorum_bites(broken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    history = opened(3)
    kill(history, names(history)[-1])
    monkeypatch.setattr(proposals, "next_change", broken)
    history.spec = history.spec.model_copy(update={"nodes": 7})
    with pytest.raises(Violation, match="no quorum"):
        settled_after(history, 80)
