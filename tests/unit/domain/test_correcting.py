from __future__ import annotations

from typing import Any

import pytest

from ccf_operator.api.status import Candidate, CandidateResult, CandidateStage, EndEvidence, PodState
from ccf_operator.domain.correcting import take_up_corrections
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.made_of import made_of
from ccf_operator.domain.observation import ContainerView
from unit.domain.given import at, attempt, candidate, draft, end, pod, record, recovered, spec, status

BEFORE, NOW = made_of(spec(image="mistyped")), made_of(spec())
STUCK = pod("r-a", ccf=ContainerView(), stage=ContainerView())


def corrected(of: Candidate, view: Any = STUCK, **fields: Any) -> Draft:
    node = record("r-a", **{"volume": "v-a", "node_id": None, "made_of": BEFORE, "attempt": 1, **fields})
    known = status(node, attempt=attempt(of))
    work = draft(known, pods={"r-a": view} if view is not None else {}, after=100)
    assert work.status.attempt is not None
    take_up_corrections(work, work.status.attempt)
    return work


def of_it(work: Draft) -> Candidate:
    assert work.status.attempt is not None
    return work.status.attempt.candidates[0]


def test_a_node_that_never_started_makes_way_for_one_of_the_corrected_spec_and_that_is_no_try() -> None:
    given_up = candidate("a", result=CandidateResult.UNREACHABLE, detail="x", tries=2, unstarted=3, made_of=BEFORE)
    work = corrected(given_up, state=PodState.PULLING)
    assert work.status.nodes[0].stop == "Replaced"
    found = of_it(work)
    assert (found.node, found.generation) == (None, None)
    assert found.result is CandidateResult.UNREACHABLE, "until the next is planned: the attempt does not go back"
    assert (found.tries, found.unstarted, found.retry_at) == (0, 0, at(100))


def test_one_that_runs_or_that_the_spec_would_make_alike_goes_on() -> None:
    for work in (
        corrected(candidate("a", made_of=BEFORE), pod("r-a"), state=PodState.RUNNING),
        corrected(candidate("a", made_of=NOW), made_of=NOW),
    ):
        assert work.status.nodes[0].stop is None
        assert of_it(work).node == "r-a"


@pytest.mark.parametrize(
    ("result", "again"),
    [
        (CandidateResult.UNREACHABLE, True),
        (CandidateResult.TIMED_OUT, True),
        (CandidateResult.EMPTY, False),
        (CandidateResult.WRONG_SERVICE, False),
        (CandidateResult.EXCLUDED, False),
        (None, False),
    ],
)
def test_a_candidate_whose_tries_are_over_is_tried_again_once_the_spec_is_corrected(
    result: CandidateResult | None, again: bool
) -> None:
    of = candidate("a", node=None, result=result, tries=4, made_of=BEFORE, stage=CandidateStage.DONE)
    assert (of_it(corrected(of, None, ended=end())).retry_at is not None) is again
    assert of_it(corrected(of.model_copy(update={"made_of": NOW}), None, ended=end())).retry_at is None
    assert of_it(corrected(of.model_copy(update={"made_of": None}), None, ended=end())).retry_at is None


@pytest.mark.parametrize(
    ("evidence", "code", "again"),
    [
        (EndEvidence.CONTAINER_TERMINATED, 1, True),
        (EndEvidence.CONTAINER_TERMINATED, 137, False),
        (EndEvidence.NEVER_STARTED, 4, False),
    ],
    ids=["it gave up", "it was killed", "stage found damage"],
)
def test_a_process_that_gave_up_may_have_done_so_over_its_image_or_its_command(
    evidence: EndEvidence, code: int, again: bool
) -> None:
    of = candidate("a", result=CandidateResult.DAMAGED, made_of=BEFORE)
    ended = end(evidence).model_copy(update={"exit_code": code})
    assert (of_it(corrected(of, None, ended=ended)).node is None) is again


def test_what_was_recovered_is_kept() -> None:
    of = recovered("a", "2.20", made_of=BEFORE)
    assert of_it(corrected(of, pod("r-a"), node_id="f" * 64)).tx_id == "2.20"
