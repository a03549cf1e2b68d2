"""Candidates whose nodes never started, or gave up, and that a corrected spec makes anew.

The volumes are read as they were: a candidate writes to a generation of its own. A corrected spec counts as no try.
"""

from __future__ import annotations

from ccf_operator.api.status import Attempt, Candidate, CandidateResult, CandidateStage, NodeRecord
from ccf_operator.domain.candidates import gave_up
from ccf_operator.domain.corrections import REPLACED, is_outdated
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.made_of import made_of

ANEW = "its node is made anew from the corrected spec"

_MAY_BE_OF_THE_SPEC = frozenset({CandidateResult.UNREACHABLE, CandidateResult.TIMED_OUT, CandidateResult.DAMAGED})


def take_up_corrections(draft: Draft, attempt: Attempt) -> None:
    """Let go of the nodes of candidates that the spec would make otherwise by now, so that others are planned."""
    for candidate in attempt.candidates:
        record = draft.status.node(candidate.node) if candidate.node is not None else None
        if record is not None and is_outdated(draft, record):
            record.stop = REPLACED
            draft.report("NodeReplaced", f"{record.name} had not started and the spec was corrected: it is made anew")
        elif not _is_over(draft, candidate, record):
            continue
        elif record is not None:
            record.stop = record.stop or REPLACED
        leave_node(candidate)
        candidate.tries = candidate.unstarted = 0
        candidate.retry_at = draft.now
        candidate.made_of = None
        candidate.result, candidate.detail, candidate.stage = CandidateResult.UNREACHABLE, ANEW, CandidateStage.DONE


def _is_over(draft: Draft, candidate: Candidate, record: NodeRecord | None) -> bool:
    """Whether all its nodes so far are over that were made of what has been corrected since, and another may do better:
    none got so far, or the process itself gave up, which it may have done over its image or its command."""
    if candidate.made_of in (None, made_of(draft.seen.spec)) or candidate.result not in _MAY_BE_OF_THE_SPEC:
        return False
    return record is None or (record.ended is not None and gave_up(record.ended) is not None)


def leave_node(candidate: Candidate) -> None:
    """Forget the node of a candidate, for another follows."""
    candidate.node = candidate.generation = None
    candidate.started_at = candidate.progress_at = candidate.silent_since = candidate.read = None
    candidate.progress = 0
