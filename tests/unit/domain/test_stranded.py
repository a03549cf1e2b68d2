from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Command, NodeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.stranded import is_stranded_for_good, keep_stranded
from unit.domain.given import answers, at, config, draft, pending, quorum, record, status, view

ABC = [record("a", command=Command.START), record("b"), record("c")]
ROWS = {"a": "Trusted", "b": "Trusted", "c": "Trusted"}


def joiner(**fields: Any) -> NodeRecord:
    return record("j", **{"join_target": "c", **fields})


def led(**fields: Any) -> dict[str, NodeAnswers]:
    """`a` leads with `b`, elected in view 4, where it has committed; `c`, which led before, has trusted `j` in vain."""
    said = quorum("a", "b", members="abc", **{"view": 4, "commit": "4.22", "rows": ROWS, **fields})
    rolled_back = [config(*"abc"), config(*"abcj", seqno=21)]
    return {**said, "j": answers("j", configs=rolled_back, commit="2.20")}


def kept(said: dict[str, NodeAnswers], of: NodeRecord | None = None, *, after: float = 0) -> NodeRecord:
    work = draft(status(*ABC, of or joiner()), answers=said, after=after)
    keep_stranded(work, view(work), work.status.nodes[3:])
    return work.status.nodes[3]


def test_one_that_says_it_has_joined_and_whom_the_primary_does_not_know_is_stranded() -> None:
    found = kept(led(), after=7)
    assert found.stranded_since == at(7)
    assert found.note is not None
    assert "a, which leads the service" in found.note


def test_since_when_is_kept_from_look_to_look() -> None:
    assert kept(led(), joiner(stranded_since=at(7)), after=20).stranded_since == at(7)


def test_it_has_not_joined_whatever_was_seen_before() -> None:
    assert kept(led(), joiner(joined_at=at(1))).joined_at is None


def test_one_that_received_the_keys_and_nothing_else_is_stranded_too() -> None:
    empty = answers("j", configs=None, state="PartOfPublicNetwork")
    assert kept({**led(), "j": empty}).stranded_since is not None


JOINED = led()["j"]


@pytest.mark.parametrize(
    "said",
    [
        {**led(), "j": pending("j")},
        {**led(), "j": NodeAnswers(problem="timed out")},
        {**led(), "j": NodeAnswers(impostor=True)},
        {name: told for name, told in led().items() if name != "j"},
        led(rows={**ROWS, "j": "Pending"}),
        led(rows={**ROWS, "j": "Trusted"}),
        led(rows={**ROWS, "j": "Retired"}),
        led(rows={}),
        {**quorum("a", "b", "j", members="abcj", view=4, commit="4.22", rows=ROWS), "j": JOINED},
        led(commit="2.20"),
        led(commit=None),
        {**led(), "b": answers("b", configs=[config(*"abc")], primary="c")},
        {"j": JOINED},
    ],
    ids=[
        "it still asks to join",
        "it is silent",
        "another answers for it",
        "it was not reached",
        "it waits for the members",
        "it is trusted",
        "it is on its way out",
        "the rows could not be read",
        "a configuration has it",
        "the primary has committed nothing in its view, and may yet be rolled back itself",
        "nothing is known of what it has committed",
        "no majority agrees on the primary",
        "nobody else says anything",
    ],
)
def test_nothing_else_is_and_it_is_forgotten_that_it_looked_so(said: dict[str, NodeAnswers]) -> None:
    found = kept(said, joiner(stranded_since=at(0)), after=100)
    assert found.stranded_since is None
    assert found.note is None


@pytest.mark.parametrize(("seconds", "for_good"), [(0, False), (30, False), (30.1, True)])
def test_it_is_so_for_good_after_more_than_any_election_takes(seconds: float, for_good: bool) -> None:
    work = draft(status(*ABC, joiner()), after=100 + seconds)
    assert not is_stranded_for_good(work, joiner())
    assert is_stranded_for_good(work, joiner(stranded_since=at(100))) is for_good
