from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ccf_operator.api.spec import Recovery
from ccf_operator.api.status import Candidate, CandidateResult, CandidateStage, Ended, EndEvidence
from ccf_operator.ccf.answers import NodeAnswers
from ccf_operator.domain.candidates import Deadlines, Judgement, follow, judge, read_stage_report
from ccf_operator.domain.ends import STAGE_FAILED
from ccf_operator.domain.observation import ContainerView, PodView, ReadBytes, Terminated
from ccf_operator.domain.pod_progress import note_progress
from ccf_operator.domain.txid import TxID
from unit.domain.given import NEW, OLD, answers, at, attempt, candidate, end, pod, record, stage_message

MINUTES = Deadlines(start=timedelta(minutes=10), progress=timedelta(minutes=10))


def staged(message: str, code: int = 0, **fields: Any) -> PodView:
    return pod("r-a", **{"stage": ContainerView(terminated=Terminated(code, message=message)), **fields})


def recovering(created: str = "4.21", **fields: Any) -> NodeAnswers:
    """What a candidate says once it has recovered the service OLD, created at this TxID."""
    known: dict[str, Any] = {
        "key": NEW,
        "status": "Recovering",
        "state": "PartOfPublicNetwork",
        "recovery_count": 1,
        "previous": OLD,
        "created": created,
    }
    return answers("r-a", **{**known, **fields})


def judged(
    said: NodeAnswers | None = None,
    *,
    survey: str | None = None,
    view: PodView | None = None,
    ended: Ended | None = None,
    of: Candidate | None = None,
    after: float = 0,
) -> Judgement | None:
    return judge(
        of or candidate("a"),
        attempt(),
        ended,
        view or staged(survey if survey is not None else stage_message("2.20")),
        said,
        MINUTES,
        at(after),
    )


def result(found: Judgement | None) -> CandidateResult | None:
    return found.result if found is not None else None


def test_what_was_recovered_is_two_views_and_one_seqno_below_the_create_txid() -> None:
    found = judged(recovering("4.21"))
    assert found is not None
    assert (found.result, found.tx_id, found.create_tx_id) == (
        CandidateResult.RECOVERED,
        TxID(2, 20),
        TxID(4, 21),
    )
    assert (found.service_certificate, found.service_key) == (f"PEM {NEW}", NEW)


@pytest.mark.parametrize("state", ["Uninitialized", "Initialized", "ReadingPublicLedger"])
def test_while_it_reads_it_speaks_of_the_old_service_and_is_not_believed(state: str) -> None:
    # CCF facts §0.4: here /node/network answers 200 with the old service, Open.
    assert judged(recovering(state=state)) is None


def test_a_ledger_of_an_earlier_service_by_its_recovery_count() -> None:
    # CCF facts §8.8: it recovers without complaint; only the count tells.
    assert result(judged(recovering(recovery_count=2))) is CandidateResult.WRONG_SERVICE


def test_a_ledger_of_another_service_by_the_identity_it_names_as_previous() -> None:
    assert result(judged(recovering(previous="2" * 64))) is CandidateResult.WRONG_SERVICE


def test_a_ledger_of_another_service_by_what_the_survey_read() -> None:
    # The previous identity is what the node was told; the ledger itself says whose it is.
    said = recovering()
    assert result(judged(said, survey=stage_message("2.20", serviceKey="2" * 64))) is CandidateResult.WRONG_SERVICE


def test_without_its_previous_identity_it_is_not_judged_yet() -> None:
    assert judged(recovering(previous=None)) is None


def test_flipped_bits_recover_below_what_the_files_claim() -> None:
    # CCF facts §4.6: 82 entries, one flipped bit: PartOfPublicNetwork at 26, as if all were well.
    found = judged(recovering("4.27"), survey=stage_message("2.26", committed_end=82, sound=False, problems=["bits"]))
    assert found is not None
    assert found.result is CandidateResult.DAMAGED
    assert "2.26" in found.detail


@pytest.mark.parametrize("survey", [stage_message("2.82", committed_end=0), stage_message("2.26", committed_end=82)])
def test_less_than_the_survey_saw_is_damage(survey: str) -> None:
    assert result(judged(recovering("4.27"), survey=survey)) is CandidateResult.DAMAGED


def test_more_than_the_survey_saw_is_a_lie() -> None:
    assert result(judged(recovering("9.1000"), survey=stage_message("2.20"))) is CandidateResult.DAMAGED


@pytest.mark.parametrize("survey", ["", "no json", "[]", '{"survey":null}', '{"survey":{"lastSigned":7}}', "[" * 4000])
def test_a_recovery_that_was_not_surveyed_proves_nothing(survey: str) -> None:
    assert result(judged(recovering(), survey=survey)) is CandidateResult.DAMAGED


def test_who_started_from_a_snapshot_has_not_replayed_its_ledger() -> None:
    said = recovering()
    assert said.state is not None
    assert result(judged(replace(said, state=replace(said.state, startup_seqno=12)))) is CandidateResult.DAMAGED


def test_a_service_made_from_nothing_is_no_recovery() -> None:
    assert result(judged(recovering("2.1"))) is CandidateResult.DAMAGED


def ended_with(code: int, evidence: EndEvidence = EndEvidence.CONTAINER_TERMINATED, **fields: Any) -> Ended:
    return end(evidence).model_copy(update={"exit_code": code, **fields})


@pytest.mark.parametrize("code", [134, 1, 139])
def test_a_node_that_gave_up_on_its_ledger_speaks_of_damage(code: int) -> None:
    found = judged(ended=ended_with(code, message="Could not open ledger file"))
    assert found is not None
    assert (found.result, found.again) == (CandidateResult.DAMAGED, False)
    assert "Could not open" in found.detail


def test_of_the_report_of_stage_people_are_told_the_error_alone() -> None:
    report = json.dumps({"version": 1, "outcome": "Missing", "error": "no directory gen-0/ledger", "survey": None})
    ended = ended_with(4, EndEvidence.NEVER_STARTED, reason=STAGE_FAILED, message=report)
    found = judged(ended=ended)
    assert found is not None
    assert found.detail == "a generation of its ledger is missing: no directory gen-0/ledger"


@pytest.mark.parametrize("code", [0, 137, 143, 255])
def test_a_node_that_was_ended_says_nothing_of_its_ledger_and_is_tried_again(code: int) -> None:
    found = judged(ended=ended_with(code))
    assert found is not None
    assert (found.result, found.again) == (CandidateResult.UNREACHABLE, True)


@pytest.mark.parametrize(
    "evidence", [EndEvidence.NEVER_STARTED, EndEvidence.MACHINE_DELETED, EndEvidence.OUT_OF_SERVICE]
)
def test_so_is_one_that_never_started_or_lost_its_machine(evidence: EndEvidence) -> None:
    found = judged(ended=ended_with(0, evidence), view=None)
    assert found is not None
    assert (found.result, found.again) == (CandidateResult.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("code", "expected", "again"),
    [
        (1, CandidateResult.UNREACHABLE, True),
        (2, CandidateResult.UNREACHABLE, True),
        (3, CandidateResult.UNREACHABLE, True),
        (4, CandidateResult.DAMAGED, False),
        (5, CandidateResult.EMPTY, False),
    ],
)
def test_what_stage_ended_with(code: int, expected: CandidateResult, again: bool) -> None:
    found = judged(ended=ended_with(code, EndEvidence.NEVER_STARTED, reason=STAGE_FAILED))
    assert found is not None
    assert (found.result, found.again) == (expected, again)


def test_an_end_stands_whatever_the_node_said() -> None:
    assert result(judged(recovering(), ended=ended_with(134))) is CandidateResult.DAMAGED


# Time


@pytest.mark.parametrize("stage", [stage for stage in CandidateStage if stage is not CandidateStage.DONE])
def test_a_pod_that_is_not_created_or_placed_has_a_limit_of_its_own(stage: CandidateStage) -> None:
    of = candidate("a", stage=stage)
    assert judged(of=of, after=599) is None
    waits = stage in (CandidateStage.NOT_CREATED, CandidateStage.UNSCHEDULED)
    assert result(judged(of=of, after=601)) is (CandidateResult.UNREACHABLE if waits else None)


def test_the_deadline_of_a_node_counts_from_its_container_and_moves_with_progress() -> None:
    started = candidate("a", started_at=at(500), progress_at=at(500))
    assert judged(of=started, after=1099) is None
    assert result(judged(of=started, after=1101)) is CandidateResult.TIMED_OUT
    moved = candidate("a", started_at=at(500), progress_at=at(5000), progress=10**6)
    assert judged(of=moved, after=5599) is None
    assert result(judged(of=moved, after=5601)) is CandidateResult.TIMED_OUT


def followed(
    of: Candidate,
    view: PodView | None,
    said: NodeAnswers | None = None,
    after: float = 0,
    read: ReadBytes | None = None,
) -> Candidate:
    node = record("r-a", pod_uid=view.uid if view is not None else None)
    note_progress(node, view, read, Recovery(), at(after))
    follow(of, node, view, said, at(after))
    return of


NOT_YET = ContainerView()


@pytest.mark.parametrize(
    ("view", "stage"),
    [
        (None, CandidateStage.NOT_CREATED),
        (staged("", machine=None, stage=NOT_YET, ccf=NOT_YET), CandidateStage.UNSCHEDULED),
        (staged("", ip=None, stage=NOT_YET, ccf=NOT_YET), CandidateStage.ATTACHING),
        (staged("", stage=ContainerView(waiting_reason="ErrImagePull"), ccf=NOT_YET), CandidateStage.PULLING),
        (staged("", stage=ContainerView(waiting_reason="CreateContainerError"), ccf=NOT_YET), CandidateStage.CREATING),
        (staged("", stage=ContainerView(running=True), ccf=NOT_YET), CandidateStage.STAGING),
        (staged("", ccf=NOT_YET), CandidateStage.STAGED),
        (staged(""), CandidateStage.READING),
    ],
)
def test_the_stages_of_a_candidate(view: PodView | None, stage: CandidateStage) -> None:
    assert followed(candidate("a"), view).stage is stage


def test_once_ccf_reads_the_ledger_its_survey_and_its_start_are_known() -> None:
    found = followed(candidate("a"), staged(stage_message("2.20")), after=3)
    assert (found.started_at, found.survey and found.survey.last_signed) == (at(0), "2.20")


def test_while_stage_reads_it_is_shown_how_far_it_has_come() -> None:
    staging = staged("", stage=ContainerView(running=True), ccf=NOT_YET)
    found = followed(candidate("a"), staging, read=ReadBytes(12, 48))
    assert found.read is not None
    assert (found.read.done, found.read.total) == (12, 48)
    assert followed(found, staged(""), after=1).read is None


def reading(last_signed: int) -> NodeAnswers:
    return answers("r-a", state="ReadingPublicLedger", last_signed=last_signed, configs=None)


def test_progress_is_the_last_signed_seqno_that_climbs_and_is_not_written_at_every_look() -> None:
    of = followed(candidate("a"), staged(""), reading(10), after=0)
    assert (of.progress, of.progress_at) == (10, at(0))
    assert followed(of, staged(""), reading(20), after=1).progress == 10
    of = followed(of, staged(""), reading(20), after=6)
    assert (of.progress, of.progress_at) == (20, at(6))
    of = followed(of, staged(""), reading(20), after=60)
    assert of.progress_at == at(6)


def test_the_survey_is_kept_with_what_decisions_need() -> None:
    report = read_stage_report(Terminated(0, message=stage_message("2.20", committed_end=15)))
    assert report is not None
    assert (report.committed_end, report.service_key, report.survey.opened) == (15, OLD, True)
    assert report.survey.configuration_seqnos == [10]


@pytest.mark.parametrize(
    "broken",
    [
        {"configurations": 5},
        {"configurations": [5]},
        {"configurationSeqnos": ["x"]},
        {"committedEnd": [1]},
        {"lastSigned": {"view": 2}},
        {"lastSigned": "2"},
        {"problems": 3},
    ],
)
def test_a_report_that_is_not_one_is_none(broken: dict[str, Any]) -> None:
    message = json.loads(stage_message("2.20"))
    message["survey"] |= broken
    assert read_stage_report(Terminated(0, message=json.dumps(message))) is None
