"""Nodes that answer the operator, and that their primary does not hear."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ccf_operator.api.status import Command, NetworkStatus, QuorumStatus, Verdict
from ccf_operator.ccf.answers import Ack, NodeAnswers
from ccf_operator.domain.apart import apart
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.story import Story, tell
from ccf_operator.domain.topology import Governance
from ccf_operator.domain.verdict import judge_base_loss, keep_verdict
from unit.domain.given import (
    answers,
    at,
    config,
    configuration,
    draft,
    end,
    node_id,
    quorum,
    record,
    service,
    status,
    view,
)

NODES = tuple(record(n, joined_at=at(0), command=Command.START if n == "a" else Command.JOIN) for n in "abc")
WORDS = "answers the operator, and a has heard nothing of it for half a minute (traffic between nodes, port 8081)"


def heard(after_ms: int, **others: NodeAnswers) -> dict[str, NodeAnswers]:
    """What is said where `a` leads, and has heard of `c` so many milliseconds ago."""
    said = {**quorum("a", "b", members="abc"), "c": answers("c", configs=[config(*"abc")]), **others}
    leader = said["a"]
    assert leader.consensus is not None
    acks = {**leader.consensus.acks, node_id("c"): Ack(20, after_ms)}
    return {**said, "a": replace(leader, consensus=replace(leader.consensus, acks=acks))}


def look(of: NetworkStatus, said: dict[str, NodeAnswers], **seen: Any) -> Draft:
    return draft(of, answers=said, **seen)


@pytest.mark.parametrize(
    ("of", "said", "names"),
    [
        (status(*NODES), heard(45_000), ["c"]),
        (status(*NODES), heard(29_000), []),
        (status(*NODES), heard(45_000, c=NodeAnswers()), []),
        (status(*NODES[:2], record("c", ended=end())), heard(45_000), []),
        (status(*NODES), {"b": answers("b", configs=[config(*"abc")])}, []),
    ],
    ids=["it is", "not for long", "the operator does not hear it either", "it has ended", "no primary"],
)
def test_who_is_apart(of: NetworkStatus, said: dict[str, NodeAnswers], names: list[str]) -> None:
    work = look(of, said)
    assert [one.name for one in apart(work, view(work), work.status.nodes)] == names


def test_one_that_is_no_part_of_the_service_any_more_is_not() -> None:
    said = heard(45_000)
    for name in "ab":
        one = said[name]
        assert one.consensus is not None
        said[name] = replace(one, consensus=replace(one.consensus, configs=(config("a", "b"),)))
    work = look(status(*NODES), said)
    assert apart(work, view(work), work.status.nodes) == []


def test_it_is_in_the_evidence_and_the_next_step() -> None:
    of = status(*NODES, configuration=configuration(*"abc"))
    keep_verdict((first := look(of, heard(0))), view(first), judge_base_loss(first, view(first)))
    work = look(first.status, heard(45_000), after=60)
    seen = view(work)
    keep_verdict(work, seen, judge_base_loss(work, seen))
    assert work.status.quorum.verdict is Verdict.DEGRADED
    assert {one.node: one.detail for one in work.status.quorum.evidence} == {"a": "", "b": "", "c": WORDS}
    story = tell(work, seen, None, Governance())
    assert story.reason == "NodesSilent"
    assert story.next_step.startswith("look at the network between the nodes first, port 8081")


def test_a_joiner_that_was_trusted_and_never_heard_is_not_told_as_starting() -> None:
    joiner = NODES[2].model_copy(update={"joined_at": None})
    unopened = service(opened_at=None, status="Opening")
    of = status(*NODES[:2], joiner, service=unopened, quorum=QuorumStatus(verdict=Verdict.HEALTHY))
    work = look(of, heard(45_000))
    story: Story = tell(work, view(work), None, Governance())
    assert story.message == f"2 of 3 nodes have joined; c {WORDS}"
    assert "port 8081" in story.next_step
