from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ccf_operator.api.status import Command, Configuration, NodeRecord
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.topology import want_nodes
from ccf_operator.domain.untold import untold
from unit.domain.given import answers, config, configuration, draft, end, node_id, pending, quorum, record, status, view

A, B = record("a", command=Command.START), record("b")
GONE = record("c", ended=end())
ROWS = {"a": "Trusted", "b": "Trusted", "j": "Trusted"}


def joiner(**fields: Any) -> NodeRecord:
    return record("j", **{"join_target": "c", **fields})


def heard(**fields: Any) -> dict[str, NodeAnswers]:
    """The members have removed `c` and trusted `j`, which joined through it and waits still."""
    return {**quorum("a", "b", members="abj", **{"rows": ROWS, **fields}), "j": pending("j")}


def look(
    *nodes: NodeRecord, said: Mapping[str, NodeAnswers] | None = None, known: Configuration | None = None, after: float
) -> Draft:
    of = status(A, B, *nodes, configuration=known or configuration("a", "b", "j"))
    return draft(of, answers=heard() if said is None else said, after=after)


def found(*nodes: NodeRecord, after: float = 31, **seen: Any) -> frozenset[str]:
    work = look(*nodes, after=after, **seen)
    return untold(work, view(work))


@pytest.mark.parametrize("target", [[GONE], []], ids=["ended", "forgotten"])
def test_one_that_is_trusted_and_asks_a_node_that_has_ended_never_hears_of_it(target: list[NodeRecord]) -> None:
    assert found(joiner(), *target) == {node_id("j")}


@pytest.mark.parametrize("after", [0, 30])
def test_an_answer_may_have_been_on_its_way(after: float) -> None:
    assert not found(joiner(), GONE, after=after)


def test_so_may_one_to_what_was_decided_or_ended_just_now() -> None:
    assert not found(joiner(), record("c", ended=end(after=5)))
    known = configuration("a", "b", "j")
    assert not found(joiner(), GONE, known=known.model_copy(update={"seen_at": end(after=5).at}))


@pytest.mark.parametrize(
    "nodes",
    [
        [joiner(), record("c")],
        [joiner(join_target=None), GONE],
        [joiner(join_target="a"), GONE],
        [joiner(command=Command.START), GONE],
        [joiner(attempt=1), GONE],
    ],
    ids=["its target may be there", "unknown", "it asks another", "it asks nobody", "of an attempt"],
)
def test_whoever_may_hear_of_it_is_left_alone(nodes: list[NodeRecord]) -> None:
    assert not found(*nodes)


TWO = [config(*"abc"), config(*"abj", seqno=20)]


@pytest.mark.parametrize(
    "said",
    [
        {**heard(), "j": NodeAnswers(problem="timed out")},
        {**heard(), "j": answers("j", configs=None)},
        {**quorum("a", "b", members="abc"), "j": pending("j")},
        {**{n: answers(n, configs=TWO, primary="a", acks={"a": 20}) for n in "abc"}, "j": pending("j")},
        {"a": heard()["a"], "j": pending("j")},
    ],
    ids=["silent", "it was told", "not trusted", "not in force yet", "no majority agrees on the primary"],
)
def test_so_is_who_does_not_say_or_is_not_counted_in_for_sure(said: dict[str, NodeAnswers]) -> None:
    assert not found(joiner(), GONE, said=said)


def test_a_configuration_that_may_be_followed_by_another_is_waited_for() -> None:
    assert not found(joiner(), GONE, known=configuration("a", "b", "j", pending=["abcj"]))


def test_it_is_stopped_then_and_replaced_and_removed_once_it_has_ended() -> None:
    work = look(joiner(), GONE, after=31)
    want_nodes(work, view(work))
    assert {r.name: r.stop for r in work.status.nodes if r.ended is None} == {"a": None, "b": None, "j": "TargetGone"}
    stopped = joiner(stop="TargetGone", ended=end(after=32))
    later = look(stopped, GONE, said={n: s for n, s in heard().items() if n != "j"}, after=33)
    asked = want_nodes(later, view(later))
    assert asked.ended == (node_id("j"),)
    assert [r.command for r in later.status.nodes if r.name.startswith("bank-")] == [Command.JOIN]
