from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccf_operator.domain.node_change import Membership, NodeChange, next_change
from ccf_operator.domain.quorum import majority


def change(
    trusted: str, *, ended: str = "", silent: str = "", joiners: str = "", surplus: str = "", wanted: int = 3
) -> tuple[str, str]:
    """Nodes to remove and to trust. The first of `trusted` leads; whoever neither ended nor is silent follows it."""
    now = Membership(set(trusted), set(ended), set(trusted) - set(ended) - set(silent), trusted[0])
    found = next_change(now, list(joiners), list(surplus), wanted)
    return "".join(found.remove), "".join(found.trust)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (change("abc"), ("", "")),
        (change("abc", ended="c"), ("c", "")),
        (change("abc", ended="c", joiners="d"), ("c", "d")),
        (change("abc", joiners="d"), ("", "")),
        (change("ab", joiners="d"), ("", "d")),
        (change("abcde", ended="de", joiners="fg", wanted=5), ("de", "fg")),
    ],
)
def test_the_dead_go_and_others_come_in_their_place(there: tuple[str, str], expected: tuple[str, str]) -> None:
    assert there == expected


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (change("abc", joiners="de", wanted=5), ("", "de")),
        (change("abc", joiners="defg", wanted=7), ("", "de")),
        (change("abc", silent="c", joiners="de", wanted=5), ("", "")),
        (change("abc", ended="c", joiners="def", wanted=5), ("c", "d")),
    ],
)
def test_no_more_come_than_leave_those_who_are_there_a_quorum(
    there: tuple[str, str], expected: tuple[str, str]
) -> None:
    assert there == expected


@pytest.mark.parametrize(
    ("joiners", "wanted", "expected"), [("d", 3, ""), ("de", 3, "de"), ("defg", 9, "de"), ("d", 2, "d"), ("d", 1, "")]
)
def test_a_node_that_is_alone_is_joined_by_two_at_once(joiners: str, wanted: int, expected: str) -> None:
    assert change("a", joiners=joiners, wanted=wanted) == ("", expected)


def test_surplus_nodes_leave_one_at_a_time_and_never_the_primary() -> None:
    assert change("abcde", surplus="edcba") == ("e", "")
    assert change("abc", surplus="abc", wanted=1) == ("b", "")
    assert change("abcde", ended="e", surplus="dcb") == ("e", ""), "the dead first"
    assert change("abc", surplus="x", wanted=2) == ("", ""), "nobody who is no part of it"


def test_a_node_without_which_no_quorum_is_seen_stays() -> None:
    assert change("abcd", silent="d", surplus="dcb", wanted=3) == ("d", "")
    assert change("abc", silent="c", surplus="b", wanted=2) == ("", "")


NODES = "abcdefghi"
JOINERS = "rstuvwxyz"


@st.composite
def memberships(draw: st.DrawFn) -> tuple[Membership, list[str], list[str], int]:
    """A service with an agreed primary: a majority of its nodes follows."""
    trusted = NODES[: draw(st.integers(1, 9))]
    following = draw(st.sets(st.sampled_from(trusted), min_size=majority(len(trusted)))) | {"a"}
    ended = draw(st.sets(st.sampled_from(trusted))) - following
    joiners = list(JOINERS[: draw(st.integers(0, 9))])
    surplus = draw(st.permutations(trusted))
    return Membership(set(trusted), ended, following, "a"), joiners, list(surplus), draw(st.integers(1, 9))


def after(now: Membership, change: NodeChange) -> set[str]:
    return (set(now.trusted) - set(change.remove)) | set(change.trust)


@given(memberships())
def test_the_quorum_is_safe_on_the_way(seen: tuple[Membership, list[str], list[str], int]) -> None:
    now, joiners, surplus, wanted = seen
    found = next_change(now, joiners, surplus, wanted)
    then = after(now, found)
    if then == now.trusted:
        return
    assert not then & now.ended, "whoever has ended goes before anything else is done"
    assert now.primary in then
    sure = now.following & then
    if len(now.trusted) > 1:
        assert len(sure) >= majority(len(then)), "those who are seen to be there decide, whatever becomes of the new"
    if now.ended:
        assert majority(len(then)) <= max(majority(len(now.trusted)), len(sure))
    assert len(then) <= max(len(now.trusted) - len(now.ended), wanted)
    assert len(set(found.remove) - now.ended) <= 1, "of the living one at a time"
    assert not (found.trust and set(found.remove) - now.ended)


@given(memberships())
def test_where_all_is_well_it_comes_to_what_is_wanted(seen: tuple[Membership, list[str], list[str], int]) -> None:
    now, joiners, _, wanted = seen
    now = Membership(now.trusted, now.ended, now.trusted - now.ended, now.primary)
    for _ in range(20):
        waiting = [node for node in joiners if node not in now.trusted]
        surplus = sorted(now.trusted, reverse=True)
        then = after(now, next_change(now, waiting, surplus, wanted))
        if then == now.trusted:
            break
        now = Membership(then, now.ended, then - now.ended, now.primary)
    assert not now.trusted & now.ended
    possible = len(now.trusted | set(joiners))
    if possible >= 3 or wanted <= 2:
        assert len(now.trusted) == min(wanted, possible) or (len(now.trusted), wanted) == (1, 2)
