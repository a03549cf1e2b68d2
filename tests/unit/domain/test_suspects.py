from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Command, NetworkStatus, NodeRecord, Phase, Verdict
from ccf_operator.domain.decide import decide
from ccf_operator.domain.effects import DeletePod, ReleasePod
from ccf_operator.domain.observation import ContainerView, PodView, Terminated
from ccf_operator.domain.suspects import note_on, seen_of_pod, suspects, what_to_do
from unit.domain.given import (
    START,
    answers,
    config,
    configuration,
    draft,
    end,
    ended_container,
    machine,
    node_id,
    observation,
    pod,
    quorum,
    record,
    spec,
    status,
)

NOTHING = ContainerView()


def rejected(name: str, **fields: Any) -> PodView:
    known = {"phase": "Failed", "reason": "NodeAffinity", "message": "Pod was rejected", "stage": NOTHING}
    return pod(name, **{**known, "ccf": NOTHING, **fields})


@pytest.mark.parametrize(
    ("view", "word"),
    [
        (rejected("a"), "Failed (NodeAffinity)"),
        (rejected("a", reason="Evicted"), "Failed (Evicted)"),
        (rejected("a", reason=""), "its pod is Failed,"),
        (pod("a", phase="Pending", ccf=NOTHING), "reports nothing"),
        (pod("a", stage=ContainerView(terminated=Terminated(3)), ccf=NOTHING), "started anew"),
    ],
)
def test_what_was_seen_is_named(view: PodView, word: str) -> None:
    assert word in (seen_of_pod(record("a"), view) or "")


@pytest.mark.parametrize(
    ("of", "view"),
    [
        (record("a"), pod("a")),
        (record("a"), pod("a", phase="Failed", ccf=ended_container())),
        (record("a"), None),
        (record("a", node_id=None), rejected("a")),
    ],
    ids=["runs", "was reported to have ended", "is not there", "was never seen to run"],
)
def test_a_pod_that_leaves_nothing_open_is_none(of: NodeRecord, view: PodView | None) -> None:
    assert seen_of_pod(of, view) is None


def test_a_person_is_told_what_was_seen_and_what_helps() -> None:
    work = draft(status(record("a")), pods={"a": rejected("a")})
    note = note_on(work, work.status.nodes[0]) or ""
    assert "NodeAffinity" in note
    assert "Pod was rejected" in note
    assert "boot" not in note
    todo = what_to_do(work, suspects(work, work.status.nodes))
    assert "m1" in todo
    assert "kubectl -n default delete pod a " in todo
    assert "out-of-service" in todo


def test_another_boot_of_its_machine_is_told_and_proves_nothing() -> None:
    rebooted = {"m1": machine(boot_id="another")}
    work = draft(status(record("a")), pods={"a": rejected("a")}, machines=rebooted)
    assert "another boot id" in (note_on(work, work.status.nodes[0]) or "")


def test_one_that_answers_runs() -> None:
    work = draft(status(record("a")), pods={"a": rejected("a")}, answers={"a": answers("a")})
    assert "still runs" in (note_on(work, work.status.nodes[0]) or "")
    assert not suspects(work, work.status.nodes)


# In a whole decision


ABC = (record("a", command=Command.START), record("b"), record("c"))


def network(**fields: Any) -> NetworkStatus:
    return status(*ABC, configuration=configuration("a", "b", "c"), phase=Phase.RUNNING, **fields)


def pods(*gone: str) -> dict[str, PodView]:
    return {n: rejected(n) if n in gone else pod(n) for n in "abc"}


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_majority_that_was_rejected_is_suspected_and_nothing_is_begun_nor_ended(seconds: float) -> None:
    first = decide(observation(network(), pods=pods("a", "b")))
    plan = decide(observation(first.status, after=seconds, pods=pods("a", "b")))
    assert plan.status.attempt is None
    assert not [e for e in plan.effects if isinstance(e, DeletePod | ReleasePod)]
    assert not any(r.ended for r in plan.status.nodes)
    assert plan.status.quorum.verdict is (Verdict.SUSPECTED if seconds else Verdict.UNKNOWN)
    seen = {evidence.node: evidence.seen for evidence in plan.status.quorum.evidence}
    assert "NodeAffinity" in seen["a"]
    if seconds:
        assert "kubectl -n default delete pod a b " in plan.status.next_step


def test_that_was_rejected_and_still_commits_is_a_service_that_is_well() -> None:
    plan = decide(observation(network(), pods=pods("a", "b"), answers=quorum("a", "b", "c")))
    assert plan.status.quorum.verdict is Verdict.HEALTHY
    assert "still runs" in (plan.status.nodes[0].note or "")
    assert [r.fit for r in plan.status.nodes] == [False, False, True], "no Service leads to a pod that is Failed"


def test_one_that_was_rejected_beside_a_quorum_is_told_of() -> None:
    said = quorum("a", "b", members="abc")
    first = decide(observation(network(), pods=pods("c"), answers=said))
    plan = decide(observation(first.status, after=60, pods=pods("c"), answers=said))
    assert plan.status.phase is Phase.DEGRADED
    assert "delete pod c " in plan.status.next_step
    assert not [e for e in plan.effects if isinstance(e, DeletePod | ReleasePod)]


def test_once_their_kubelets_report_the_ends_the_loss_is_proven() -> None:
    gone = {n: rejected(n, ccf=ended_container()) if n in "ab" else pod(n) for n in "abc"}
    plan = decide(observation(network(), pods=gone))
    assert plan.status.attempt is not None


def test_a_joiner_that_may_have_run_while_nobody_looked_is_no_proof_of_a_loss() -> None:
    # Members trusted d and e, which had b's and c's ends outvoted, while the operator was away; then all was rejected.
    joiners = [record(n, node_id=None) for n in "de"]
    of = status(record("a"), record("b", ended=end()), record("c", ended=end()), *joiners)
    of.configuration = configuration("a", "b", "c")
    there = {"a": pod("a"), "d": rejected("d"), "e": rejected("e")}
    away = decide(observation(of, pods=there, watched_since=None))
    assert away.status.attempt is None
    assert decide(observation(of, pods=there, watched_since=START)).status.attempt is not None


def test_a_joiner_that_its_service_names_has_run_whatever_its_pod_says() -> None:
    new = record("d", node_id=None)
    of = status(*ABC, new, configuration=configuration("a", "b", "c"))
    configs = (config("a", "b", "c", "d"),)
    rows = dict.fromkeys("abcd", "Trusted")
    said = {n: answers(n, configs=configs, primary="a", rows=rows) for n in "abc"}
    plan = decide(observation(of, pods={**pods(), "d": rejected("d")}, answers=said, watched_since=START))
    found = plan.status.node("d")
    assert found is not None
    assert (found.node_id, found.ended) == (node_id("d"), None)


@pytest.mark.parametrize(
    ("members", "primary_last"),
    [("abc", True), ("a", False)],
)
def test_one_that_serves_nobody_for_its_pod_is_over_is_named_with_how_it_is_replaced(
    members: str, primary_last: bool
) -> None:
    known = status(*ABC[: len(members)], configuration=configuration(*members), phase=Phase.RUNNING)
    seen = {n: rejected(n) if n in "ab" else pod(n) for n in members}
    one = spec(nodes=len(members))
    plan = decide(observation(known, pods=seen, answers=quorum(*members), spec=one))
    assert plan.status.phase is Phase.RUNNING
    assert "NodeAffinity" in plan.status.message
    named = "b" if primary_last else "a"
    assert f"kubectl -n default delete pod {named} ;" in plan.status.next_step
    assert ("a recovery follows" in plan.status.next_step) is not primary_last
    well = decide(observation(known, pods={n: pod(n) for n in members}, answers=quorum(*members), spec=one))
    assert "Services leave it out" not in well.status.message
    assert not well.status.next_step
