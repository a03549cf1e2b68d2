"""Random histories of a network: what must hold does at every moment, and what can recover does.

CCF_HISTORIES is how many of each kind are searched. They are the same each time, but others each time with CCF_SOAK,
which `make soak` sets.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Step
from hypothesis import strategies as st

from ccf_operator.api.status import Phase
from unit.simulation.events import (
    HAPPENS,
    HARMLESS,
    LOSSY,
    MISLED,
    PUT_BACK,
    TAKEN_AWAY,
    UNDECIDED,
    Event,
    events,
    happen,
)
from unit.simulation.history import History
from unit.simulation.platform_events import PLATFORM
from unit.simulation.stories import opened

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
SEARCH = settings(
    max_examples=int(os.environ.get("CCF_HISTORIES", "60")),
    derandomize="CCF_SOAK" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Step.explicit, Step.reuse, Step.generate, Step.shrink],
)


@SEARCH
@given(sequence=events(*HARMLESS), nodes=st.sampled_from([1, 2, 3, 3, 3, 4]))
def test_what_can_recover_does_and_nothing_committed_is_lost(sequence: list[Event], nodes: int) -> None:
    history = opened(nodes, trusted=True)
    happen(history, sequence)
    history.see_to_the_end()
    if history.must_be_asked():
        history.see_to_the_end(decides=True)
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    history.check_nothing_is_lost()
    history.check_is_settled()


@SEARCH
@given(sequence=events(*UNDECIDED), nodes=st.sampled_from([1, 3, 3]))
def test_where_something_may_be_missing_a_person_is_asked(sequence: list[Event], nodes: int) -> None:
    history = opened(nodes)
    happen(history, sequence)
    history.see_to_the_end()
    waits = history.status.phase is Phase.BLOCKED or _forgot_ends(history, sequence)
    if waits:
        powered_off = any(event.kind in ("power", "torn look", "believed gone", "reject", *LOSSY) for event in sequence)
        assert powered_off, (history.status.reason, history.status.message)
        assert history.status.next_step
    else:
        assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
        history.check_nothing_is_lost()
    history.check_is_settled()


@SEARCH
@given(sequence=events(*HAPPENS), nodes=st.sampled_from([1, 3, 3]))
def test_what_a_person_decides_is_done_once_and_no_more_is_lost_than_was_told(
    sequence: list[Event], nodes: int
) -> None:
    history = opened(nodes)
    happen(history, sequence)
    history.see_to_the_end(decides=True)
    nothing_is_left = not history.cluster.claims and bool(history.status.next_step)
    if history.status.reason not in ("NothingRecovered", "StartFailed", "LostBeforeOpen") and not nothing_is_left:
        assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
        history.check_nothing_is_lost()
    history.check_is_settled()


@SEARCH
@given(sequence=events(*PUT_BACK, "look", "looks", "write", "kill", "accept", "shares", "time"))
def test_an_old_or_edited_status_loses_nothing_and_its_door_is_told(sequence: list[Event]) -> None:
    history = opened(3)
    happen(history, sequence)
    history.see_to_the_end(decides=True)
    if history.status.phase is Phase.RUNNING:
        history.check_nothing_is_lost()
    else:
        assert history.status.next_step, (history.status.phase, history.status.reason, history.status.message)


@SEARCH
@given(sequence=events(*TAKEN_AWAY, "look", "looks", "write", "kill", "accept", "shares", "time", "decide"))
def test_claims_deleted_in_use_take_no_ledger_along_and_the_door_is_told(sequence: list[Event]) -> None:
    history = opened(3)
    happen(history, sequence)
    history.see_to_the_end(decides=True)
    assert history.cluster.destroyed == []
    if history.status.phase is Phase.RUNNING:
        history.check_nothing_is_lost()
    else:
        assert history.status.next_step, (history.status.phase, history.status.reason, history.status.message)


@pytest.mark.parametrize(
    ("nodes", "sequence"),
    [
        (
            1,
            [
                ("torn look", 0, 0),
                ("torn look", 0, 0),
                ("edited status", 0, 2),
                ("edited status", 0, 3),
                ("looks", 0, 5),
            ],
        ),
        (1, [("believed gone", 17, 0), ("edited status", 0, 3), ("edited status", 0, 2), ("look", 0, 0)]),
        (3, [("believed gone", 1, 0), ("edited status", 0, 4), ("look", 0, 0)]),
        (1, [("torn look", 0, 0), ("look", 0, 0), ("look", 0, 0), ("edited status", 0, 4)]),
        (1, [("torn look", 0, 0), ("edited status", 0, 7)]),
        (1, [("delete", 0, 0), ("look", 0, 0), ("lose claim", 0, 0), ("old status", 4, 0), ("edited status", 0, 0)]),
        (
            3,
            [
                ("delete", 0, 0),
                ("look", 0, 0),
                ("look", 0, 0),
                ("old status", 4, 0),
                ("torn look", 0, 3),
                ("delete", 0, 0),
                ("looks", 0, 1),
                ("edited status", 0, 4),
            ],
        ),
        (3, [("stuck", 0, 4), ("kill", 0, 0), ("kill", 0, 0), ("looks", 0, 1), ("old status", 0, 0)]),
        (
            1,
            [
                ("kill", 0, 0),
                ("looks", 0, 7),
                ("kill", 0, 0),
                ("torn look", 0, 0),
                ("look", 0, 0),
                ("old status", 0, 0),
            ],
        ),
        (
            1,
            [
                ("nodes", 13, 6),
                ("stuck", 14, 1),
                ("look", 10, 3),
                ("nodes", 20, 0),
                ("looks", 11, 2),
                ("torn look", 0, 2),
            ],
        ),
        (
            1,
            [
                *[("look", 0, 0)] * 5,
                ("delete claim", 0, 0),
                ("look", 0, 0),
                ("look", 0, 0),
                ("torn look", 0, 0),
                ("look", 0, 0),
                ("look", 0, 0),
                ("old status", 3, 0),
            ],
        ),
        (3, [("reject", 0, 0), *[("image", 0, 0)] * 9, ("looks", 0, 2), ("reject", 14, 3)]),
        (3, [*[("look", 0, 0)] * 9, ("believed gone", 3, 0), ("reject", 0, 6), ("look", 1, 0)]),
        (3, [*[("look", 0, 0)] * 8, ("believed gone", 3, 2), ("reject", 0, 6), ("drain", 0, 0), ("look", 1, 0)]),
        (
            3,
            [
                ("power cut", 5, 1),
                ("delete", 27, 2),
                ("torn look", 24, 0),
                ("look", 10, 5),
                ("rot", 30, 4),
                ("stuck", 22, 4),
                ("looks", 21, 2),
            ],
        ),
    ],
    ids=[
        "an attempt of no service",
        "a pod of no record on a machine said to be gone",
        "a node of no record on such a machine",
        "an attempt without its nodes",
        "no configuration",
        "a volume without a first node",
        "too few members",
        "a pod whose end nobody reports",
        "a winner whose end was not seen",
        "nodes to be ended that may have run unseen",
        "a claim made anew for a volume of which an old status knows nothing",
        "an evicted joiner whose end nobody reports",
        "a start by a person beside a pod that is deleted and does not go",
        "a member that was told to stop, and whose end nobody reports",
        "joiners of a winner that may have run unseen",
    ],
)
def test_what_a_search_has_found_has_a_door(nodes: int, sequence: list[tuple[str, int, int]]) -> None:
    history = opened(nodes)
    happen(history, [Event(*it) for it in sequence])
    history.see_to_the_end(decides=True)
    if history.cluster.claims:
        assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
        history.check_nothing_is_lost()
    assert history.is_whole() or history.status.next_step
    history.check_is_settled()


@SEARCH
@given(
    sequence=events(*PLATFORM, "look", "looks", "write", "kill", "accept", "shares", "time", "trust", "cut", "late"),
    nodes=st.sampled_from([1, 3, 3]),
)
def test_what_platforms_do_loses_nothing_and_sticks_nowhere(sequence: list[Event], nodes: int) -> None:
    history = opened(nodes, trusted=True)
    happen(history, sequence)
    history.see_to_the_end()
    if history.must_be_asked():
        history.see_to_the_end(decides=True)
    assert history.is_whole(), (history.status.phase, history.status.reason, history.status.message)
    history.check_nothing_is_lost()
    history.check_is_settled()


def _forgot_ends(history: History, sequence: list[Event]) -> bool:
    """Whether a node's proven end went with a status that was lost: then a person starts the recovery."""
    return history.status.reason == "QuorumSuspected" and any(event.kind in MISLED for event in sequence)
