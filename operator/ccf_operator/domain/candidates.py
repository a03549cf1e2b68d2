"""What became of each candidate: the typed results of recovery nodes.

A result counts only if it is what it seems (CCF facts §4.6, §8.8): the recovered service must be the successor of the
service being recovered, and it must have recovered all that a reading of the files beforehand has shown to be there.

A ledger that is damaged in its middle recovers as if nothing were wrong. The number of the new chunk's file tells it,
but no endpoint of a node does (`startup_seqno` is a snapshot's, `/node/commit` counts what was recovered). What stands
for it is that reading: all Merkle roots and signatures hold, and the last signature is what was recovered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ccf_operator.api.status import (
    Attempt,
    Candidate,
    CandidateResult,
    CandidateStage,
    Ended,
    EndEvidence,
    NodeRecord,
    PodState,
    Survey,
)
from ccf_operator.ccf.answers import NodeAnswers, StateAnswer
from ccf_operator.domain.ends import STAGE_FAILED
from ccf_operator.domain.observation import PodView, Refusal, Terminated
from ccf_operator.domain.pod_progress import PROGRESS_INTERVAL
from ccf_operator.domain.txid import TxID, recovered_tx_id

STAGE_MISSING, STAGE_EMPTY = 4, 5
"""Exit codes of `stage` that speak of the ledger: a generation is missing, there is no ledger at all."""

_ENDED_FROM_OUTSIDE = frozenset({0, 130, 137, 143, 255})
"""Exit codes of a node that was asked to end, was killed, or went down with its machine (CCF facts §10)."""
_STAGE_OF = {
    PodState.NOT_CREATED: CandidateStage.NOT_CREATED,
    PodState.UNSCHEDULED: CandidateStage.UNSCHEDULED,
    PodState.ATTACHING: CandidateStage.ATTACHING,
    PodState.PULLING: CandidateStage.PULLING,
    PodState.CREATING: CandidateStage.CREATING,
    PodState.STAGING: CandidateStage.STAGING,
    PodState.STAGED: CandidateStage.STAGED,
    PodState.RUNNING: CandidateStage.READING,
    PodState.ENDED: CandidateStage.READING,
}
"""How far a candidate has come, by the state of its node's pod; one whose pod was rejected stays where it was."""

_RECOVERED_STATES = frozenset({"PartOfPublicNetwork", "ReadingPrivateLedger", "PartOfNetwork"})
_SURVEY_LIMIT = 4


@dataclass(frozen=True)
class Judgement:
    """A candidate's result, and for `Recovered` what it recovered.

    `again`: what happened says nothing about the ledger, so another node may do better.
    """

    result: CandidateResult
    detail: str = ""
    tx_id: TxID | None = None
    create_tx_id: TxID | None = None
    service_certificate: str | None = None
    service_key: str | None = None
    again: bool = False


@dataclass(frozen=True)
class Deadlines:
    """How long a candidate may take: to get its pod and its machine, and to make progress once its container runs.

    Between the two each state of its pod has a deadline of its own (`domain.pod_progress`).
    """

    start: timedelta
    progress: timedelta


@dataclass(frozen=True)
class StageReport:
    """What `stage` said when it ended: the survey, with what is needed to judge the recovery."""

    survey: Survey
    committed_end: int
    service_key: str | None


def read_stage_report(terminated: Terminated | None) -> StageReport | None:
    """The report in the termination message of `stage`; None if there is none or it is not one."""
    if terminated is None or not terminated.message:
        return None
    try:
        found = json.loads(terminated.message)
    except (ValueError, RecursionError):
        return None
    survey = found.get("survey") if isinstance(found, dict) else None
    if not isinstance(survey, dict):
        return None
    try:
        return StageReport(
            survey=_survey(survey),
            committed_end=int(survey.get("committedEnd") or 0),
            service_key=survey.get("serviceKey") or None,
        )
    except (TypeError, ValueError, AttributeError):
        return None


def _survey(found: dict[str, Any]) -> Survey:
    last_signed = found.get("lastSigned")
    return Survey(
        last_signed=str(TxID.parse(last_signed)) if last_signed else None,
        sound=bool(found.get("sound", False)),
        problems=[str(problem)[:200] for problem in found.get("problems") or []][:_SURVEY_LIMIT],
        configurations=[[str(node) for node in nodes] for nodes in found.get("configurations") or []],
        configuration_seqnos=[int(seqno) for seqno in found.get("configurationSeqnos") or []],
        opened=bool(found.get("opened", False)),
        opened_later=[str(key) for key in found.get("openedLater") or []],
        doubts=[str(doubt)[:200] for doubt in found.get("doubts") or []][:_SURVEY_LIMIT],
    )


def follow(
    candidate: Candidate,
    record: NodeRecord,
    pod: PodView | None,
    answers: NodeAnswers | None,
    now: datetime,
    refused: Refusal | None = None,
) -> None:
    """Note how far a candidate has come; `record` is that of its node.

    `refused` says that the API server refuses to make its pod: until it can be made, nothing of it is late.
    """
    if candidate.stage is CandidateStage.REFUSED and refused is None:
        candidate.created_at = now
    candidate.stage = _STAGE_OF.get(record.state or PodState.NOT_CREATED, candidate.stage)
    if pod is None and refused is not None:
        candidate.stage = CandidateStage.REFUSED
    candidate.read = record.staged
    report = read_stage_report(pod.stage.terminated) if pod is not None else None
    if report is not None and candidate.survey is None:
        candidate.survey = report.survey
    if candidate.stage is not CandidateStage.READING:
        return
    if candidate.started_at is None:
        candidate.started_at = (pod.ccf.started_at if pod is not None else None) or now
        candidate.progress_at = now
    state = answers.state if answers is not None else None
    if state is None or state.last_signed_seqno <= candidate.progress:
        return
    if candidate.progress == 0 or now - (candidate.progress_at or now) >= PROGRESS_INTERVAL:
        candidate.progress, candidate.progress_at = state.last_signed_seqno, now


def judge(
    candidate: Candidate,
    attempt: Attempt,
    ended: Ended | None,
    pod: PodView | None,
    answers: NodeAnswers | None,
    deadlines: Deadlines,
    now: datetime,
) -> Judgement | None:
    """The candidate's result, or None while there is none yet. `ended` is the proof of its node's end, if there is."""
    if ended is not None:
        return _judge_end(ended)
    report = read_stage_report(pod.stage.terminated) if pod is not None else None
    if answers is not None and answers.state is not None and answers.state.state in _RECOVERED_STATES:
        recovered = _judge_recovered(attempt, answers, report)
        if recovered is not None:
            return recovered
    return _judge_time(candidate, answers.state if answers is not None else None, deadlines, now)


def judge_recovered_since(
    candidate: Candidate, ended: Ended | None, answers: NodeAnswers | None, deadlines: Deadlines, now: datetime
) -> Judgement | None:
    """What has become of a candidate that had recovered: it must still be there to be chosen."""
    if ended is not None:
        found = _judge_end(ended)
        return _tried(f"it had recovered {candidate.tx_id}, then {found.detail}")
    if answers is not None:
        candidate.silent_since = None
        return None
    candidate.silent_since = candidate.silent_since or now
    if now - candidate.silent_since > deadlines.progress:
        return Judgement(CandidateResult.TIMED_OUT, f"it had recovered {candidate.tx_id}, then fell silent")
    return None


def _last_words(message: str | None) -> str:
    """What a container said of its end: of the report of `stage` the error alone."""
    if not message:
        return ""
    try:
        error = json.loads(message)["error"]
    except (ValueError, KeyError, TypeError):
        return f": {message[-200:]}"
    return f": {error}"


def gave_up(ended: Ended) -> str | None:
    """What a CCF process said that ended by itself; None of one that was ended from outside, or of which no more is
    known than that it has ended."""
    seen = ended.evidence is EndEvidence.CONTAINER_TERMINATED and ended.exit_code is not None
    if not seen or ended.exit_code in _ENDED_FROM_OUTSIDE:
        return None
    return f"CCF gave up with exit code {ended.exit_code}{_last_words(ended.message)}"


def _judge_end(ended: Ended) -> Judgement:
    said = _last_words(ended.message)
    if ended.evidence is EndEvidence.NEVER_STARTED and ended.reason == STAGE_FAILED:
        if ended.exit_code == STAGE_EMPTY:
            return Judgement(CandidateResult.EMPTY, "the volume holds no ledger")
        if ended.exit_code == STAGE_MISSING:
            return Judgement(CandidateResult.DAMAGED, f"a generation of its ledger is missing{said}")
        return _tried(f"stage gave up with exit code {ended.exit_code}{said}")
    if ended.evidence is EndEvidence.CONTAINER_TERMINATED:
        if (why := gave_up(ended)) is not None:
            return Judgement(CandidateResult.DAMAGED, why)
        return _tried(f"CCF was ended from outside (exit code {ended.exit_code})")
    return _tried(f"its node ended: {ended.reason or ended.evidence.value}")


def _tried(detail: str) -> Judgement:
    return Judgement(CandidateResult.UNREACHABLE, detail, again=True)


def _judge_recovered(attempt: Attempt, answers: NodeAnswers, report: StageReport | None) -> Judgement | None:
    network = answers.network
    if network is None or network.create_tx_id is None:
        return None
    expected = attempt.base_recovery_count + 1
    if network.recovery_count != expected:
        return Judgement(
            CandidateResult.WRONG_SERVICE, f"its recovery count is {network.recovery_count}, not {expected}"
        )
    if answers.previous_identity_key is None:
        return None
    if answers.previous_identity_key != attempt.base_service:
        return Judgement(CandidateResult.WRONG_SERVICE, "its ledger belongs to a service with another key")
    if report is not None and report.service_key not in (None, attempt.base_service):
        return Judgement(CandidateResult.WRONG_SERVICE, "its ledger was written by a service with another key")
    try:
        found = recovered_tx_id(network.create_tx_id)
    except ValueError:
        return Judgement(CandidateResult.DAMAGED, f"it made a service at {network.create_tx_id}, as if from nothing")
    if report is None:
        return Judgement(CandidateResult.DAMAGED, "its ledger was not surveyed before it was recovered")
    if answers.state is not None and answers.state.startup_seqno > 0:
        return Judgement(
            CandidateResult.DAMAGED, f"it started from a snapshot at {answers.state.startup_seqno}, and none is offered"
        )
    problem = _shortfall(found, report)
    if problem is not None:
        return Judgement(CandidateResult.DAMAGED, problem)
    return Judgement(
        CandidateResult.RECOVERED,
        tx_id=found,
        create_tx_id=network.create_tx_id,
        service_certificate=network.service_certificate,
        service_key=network.service_key,
    )


def _shortfall(found: TxID, report: StageReport) -> str | None:
    if not report.survey.sound:
        return f"it recovered {found} from a ledger that is not whole: {'; '.join(report.survey.problems) or 'unsound'}"
    if report.survey.last_signed is None or found != TxID.parse(report.survey.last_signed):
        return f"it says that it recovered {found}; its ledger is signed up to {report.survey.last_signed}"
    if found.seqno < report.committed_end:
        return f"it recovered only {found} of a ledger committed up to seqno {report.committed_end}"
    return None


def _judge_time(
    candidate: Candidate, state: StateAnswer | None, deadlines: Deadlines, now: datetime
) -> Judgement | None:
    if candidate.started_at is None:
        waits = candidate.stage in (CandidateStage.NOT_CREATED, CandidateStage.UNSCHEDULED)
        if waits and candidate.created_at is not None and now - candidate.created_at > deadlines.start:
            return Judgement(
                CandidateResult.UNREACHABLE, f"its pod did not start within {deadlines.start} ({candidate.stage})"
            )
        return None
    since = max(candidate.started_at, candidate.progress_at or candidate.started_at)
    if now - since > deadlines.progress:
        where = state.state if state is not None else "no answer"
        return Judgement(CandidateResult.TIMED_OUT, f"no progress for {deadlines.progress} ({where})")
    return None
