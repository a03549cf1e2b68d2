from __future__ import annotations

import json
from typing import Any

from ccf_operator.api.status import CandidateResult, Command, Ended, EndEvidence, NetworkStatus, NodeRecord
from ccf_operator.domain.decide import decide
from ccf_operator.domain.ends import STAGE_FAILED
from ccf_operator.domain.plan import Plan
from ccf_operator.domain.writers import STAGE_WRITTEN
from ccf_operator.stage.report import ExitCode
from unit.domain.given import (
    START,
    at,
    attempt,
    candidate,
    configuration,
    end,
    ended_container,
    machine,
    observation,
    on,
    pod,
    record,
    status,
)

FOUND = json.dumps({"version": 1, "error": "gen-0/ledger/ledger_9 went from 4 to 9 bytes", "alive": ["a"]})
WORD = {"m1": machine(out_of_service=True), "m2": machine("m2")}


def refused(message: str = FOUND) -> Ended:
    return Ended(
        evidence=EndEvidence.NEVER_STARTED, at=at(5), reason=STAGE_FAILED, exit_code=STAGE_WRITTEN, message=message
    )


def network(former: EndEvidence = EndEvidence.OUT_OF_SERVICE, **fields: Any) -> NetworkStatus:
    """a and b have ended, a as `former` says; the candidate on a's volume has found a writer there."""
    tried = record(
        "r-a", volume="v-a", generation=1, command=Command.RECOVER, attempt=1, node_id=None, ended=refused(**fields)
    )
    trying = candidate("a", node="r-a", generation=1)
    nodes = [
        record("a", ended=end(former), machine=on()),
        record("b", ended=end(), machine=on("m2")),
        record("c", machine=on("m2")),
        tried,
    ]
    known = status(*nodes, attempt=attempt(trying), configuration=configuration("a", "b", "c"))
    assert known.attempt is not None
    known.attempt.timeline.proven_at = START
    return known


def look(of: NetworkStatus, **seen: Any) -> Plan:
    pods = {"a": pod("a", machine="m1"), "c": pod("c", machine="m2")}
    return decide(observation(of, after=9, **{"machines": WORD, "pods": pods, **seen}))


def node(plan: Plan, name: str) -> NodeRecord:
    found = plan.status.node(name)
    assert found is not None
    return found


def test_the_exit_code_is_that_of_stage() -> None:
    assert ExitCode.WRITTEN == STAGE_WRITTEN


def test_who_writes_has_not_ended_and_no_candidate_reads_beside_it() -> None:
    first = look(network())
    assert node(first, "a").ended is None
    assert "ledger_9" in (node(first, "a").lives or "")
    assert first.status.attempt is not None
    [left] = first.status.attempt.candidates
    assert (left.node, left.result, left.tries) == (None, CandidateResult.UNREACHABLE, 0)
    again = look(first.status)
    assert node(again, "a").ended is None, "the same word is not taken once more"
    assert again.status.attempt is not None
    assert again.status.attempt.candidates[0].node is None
    assert "a still runs" in again.status.next_step


def test_word_that_is_given_anew_counts_and_so_does_a_report() -> None:
    taken_back = look(look(network()).status, machines={"m1": machine(), "m2": machine("m2")})
    assert node(taken_back, "a").lives is None
    given_anew = node(look(taken_back.status), "a").ended
    assert given_anew is not None
    assert given_anew.evidence is EndEvidence.OUT_OF_SERVICE
    pods = {"a": pod("a", ccf=ended_container(), machine="m1"), "c": pod("c", machine="m2")}
    reported = look(look(network()).status, pods=pods)
    assert node(reported, "a").ended is not None
    assert reported.status.attempt is not None
    assert reported.status.attempt.candidates[0].node is not None, "its volume is fenced after all"


def test_where_the_end_was_reported_it_stands_and_the_volume_is_tried_again() -> None:
    pods = {"a": pod("a", machine="m1", ccf=ended_container()), "c": pod("c", machine="m2")}
    plan = look(network(EndEvidence.CONTAINER_TERMINATED), pods=pods)
    assert node(plan, "a").ended is not None
    assert plan.status.attempt is not None
    [left] = plan.status.attempt.candidates
    assert (left.tries, left.result) == (1, CandidateResult.UNREACHABLE)
    assert left.retry_at is not None


def test_a_report_that_does_not_read_means_whoever_used_the_volume() -> None:
    plan = look(network(message="no JSON"))
    assert [r.name for r in plan.status.nodes if r.lives] == ["a"]
