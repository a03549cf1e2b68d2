from __future__ import annotations

import pytest

from ccf_operator.api.status import (
    Command,
    EndEvidence,
    NetworkStatus,
    QuorumStatus,
    Silence,
    SilenceCause,
    Verdict,
)
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.effects import Report
from ccf_operator.domain.verdict import judge_base_loss, keep_verdict
from unit.domain.given import answers, at, config, configuration, draft, end, node_id, quorum, record, status, view

ABC = configuration("a", "b", "c")
ALIVE = (record("a", command=Command.START), record("b"), record("c"))
TWO_GONE = (record("a", ended=end()), record("b", ended=end(EndEvidence.OUT_OF_SERVICE)), record("c"))


def look(of: NetworkStatus, said: dict[str, NodeAnswers], after: float = 0) -> Draft:
    work = draft(of, answers=said, after=after)
    seen = view(work)
    keep_verdict(work, seen, judge_base_loss(work, seen))
    return work


def verdict(of: NetworkStatus, said: dict[str, NodeAnswers], after: float = 0) -> Verdict:
    return look(of, said, after).status.quorum.verdict


def test_healthy_is_a_leader_with_all() -> None:
    assert verdict(status(*ALIVE, configuration=ABC), quorum("a", "b", "c")) is Verdict.HEALTHY


def test_an_end_degrades_at_once() -> None:
    of = status(*ALIVE[:2], record("c", ended=end()), configuration=ABC)
    assert verdict(of, quorum("a", "b", members="abc")) is Verdict.DEGRADED


def test_one_missed_answer_of_a_minority_degrades_nothing() -> None:
    work = look(status(*ALIVE, configuration=ABC), quorum("a", "b", "c"))
    work = look(work.status, quorum("a", "b", members="abc"), after=5)
    assert work.status.quorum.verdict is Verdict.HEALTHY
    work = look(work.status, quorum("a", "b", members="abc"), after=40)
    assert work.status.quorum.verdict is Verdict.DEGRADED
    work = look(work.status, quorum("a", "b", "c"), after=45)
    assert work.status.quorum.verdict is Verdict.HEALTHY


def test_silence_is_announced_after_the_window_and_proves_nothing() -> None:
    work = look(status(*ALIVE, configuration=ABC, quorum=QuorumStatus(verdict=Verdict.HEALTHY)), {})
    assert work.status.quorum.verdict is Verdict.HEALTHY
    assert work.status.quorum.unseen_since == at(0)
    work = look(work.status, {}, after=29)
    assert work.status.quorum.verdict is Verdict.HEALTHY
    work = look(work.status, {}, after=31)
    assert work.status.quorum.verdict is Verdict.SUSPECTED
    assert look(work.status, {}, after=10**6).status.quorum.verdict is Verdict.SUSPECTED


def test_a_majority_of_proven_ends_is_a_loss_at_once() -> None:
    work = look(status(*TWO_GONE, configuration=ABC), {})
    assert work.status.quorum.verdict is Verdict.LOST
    assert [e.seen for e in work.status.quorum.evidence] == [
        "ended: ContainerTerminated, exit code 137",
        "ended: MachineOutOfService, exit code 137",
        "no answer",
    ]


@pytest.mark.parametrize(
    "survivor",
    [
        answers("c", configs=[config(*"abc"), config("c", "d", "e", seqno=30)]),
        answers("c", configs=[config(*"abc")], primary="d"),
    ],
    ids=["a configuration that can still form a majority", "a living primary"],
)
def test_a_survivor_can_veto(survivor: NodeAnswers) -> None:
    of = status(*TWO_GONE, configuration=ABC, quorum=QuorumStatus(verdict=Verdict.SUSPECTED, unseen_since=at(0)))
    assert verdict(of, {"c": survivor}, after=60) is Verdict.SUSPECTED


def test_a_survivor_that_leads_what_is_lost_is_merely_late() -> None:
    of = status(*TWO_GONE, configuration=ABC)
    assert verdict(of, {"c": answers("c", configs=[config(*"abc")], primary="c")}) is Verdict.LOST


def test_a_survivor_can_never_prove() -> None:
    of = status(*ALIVE[:2], record("c", ended=end()), configuration=ABC)
    assert verdict(of, {"a": answers("a", configs=[config(*"abc")])}, after=60) is not Verdict.LOST


def test_what_was_seen_before_keeps_its_time_and_a_settled_verdict_says_nothing_twice() -> None:
    first = look(status(*TWO_GONE, configuration=ABC), {})
    second = look(first.status, {}, after=100)
    assert second.status.quorum == first.status.quorum
    assert any(isinstance(e, Report) for e in first.effects)
    assert not second.effects


def test_a_joiner_that_has_answered_but_is_not_in_yet_is_no_silent_node() -> None:
    of = status(*ALIVE, configuration=ABC)
    said = quorum("a", "b", members="abc")
    said["c"] = NodeAnswers(reached=True, node_id=node_id("c"))
    evidence = look(of, said).status.quorum.evidence
    assert {e.node: e.seen for e in evidence}["c"] == "answers, takes no part yet"


MUTED = tuple(
    one.model_copy(
        update={
            "silence": Silence(
                since=at(0), cause=SilenceCause.REFUSED, address="10.0.0.1:8443", words="connection refused"
            )
        }
    )
    for one in ALIVE
)


def test_nodes_that_run_and_do_not_answer_are_told_with_the_cause() -> None:
    of = status(*MUTED, configuration=ABC, quorum=QuorumStatus(verdict=Verdict.HEALTHY, unseen_since=at(0)))
    told = look(of, {}, after=31).status.quorum
    assert told.verdict is Verdict.SUSPECTED
    for name in "abc":
        assert f"{name} runs and does not answer at 10.0.0.1:8443 (connection refused)" in told.message
    assert {one.detail for one in told.evidence} == {"runs and does not answer at 10.0.0.1:8443 (connection refused)"}


def test_a_cause_that_is_found_out_later_does_not_make_a_silence_a_new_one() -> None:
    said = quorum("a", "b", members="abc")
    first = look(status(*ALIVE, configuration=ABC), said)
    assert {one.at for one in first.status.quorum.evidence} == {at(0)}
    known = first.status.model_copy(update={"nodes": [*ALIVE[:2], MUTED[2]]})
    told = look(known, said, after=31).status.quorum
    assert told.verdict is Verdict.DEGRADED
    assert "without c; c runs and does not answer" in told.message
    assert {one.at for one in told.evidence} == {at(0)}


def test_nothing_is_lost_while_no_configuration_is_known() -> None:
    assert verdict(status(*TWO_GONE, configuration=None), {}, after=60) is not Verdict.LOST


def test_many_joiners_are_weighed_in_no_time() -> None:
    # Every subset of them may have been trusted: 2^40 configurations, of which the one with all of them decides.
    joiners = [record(f"j{n}") for n in range(40)]
    of = status(*TWO_GONE, *joiners, configuration=ABC)
    assert verdict(of, {}) is not Verdict.LOST
    of = status(*TWO_GONE, *[record(f"j{n}", ended=end()) for n in range(40)], configuration=ABC)
    assert verdict(of, {}) is Verdict.LOST
