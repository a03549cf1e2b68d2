"""The beginning and the three ends of a disaster recovery.

An attempt starts from the service last known to be open and carries all that was known of it then. Nothing that an
attempt made outlives it unless it succeeded: a failed attempt never feeds the next one.
"""

from __future__ import annotations

from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    AttemptResult,
    AttemptSummary,
    Candidate,
    QuorumStatus,
    Timeline,
    Winner,
)
from ccf_operator.domain.draft import Draft

HISTORY = 10
"""Past attempts kept in the status."""


def begin(draft: Draft) -> Attempt:
    """Write down a new attempt: what is being recovered, on what proof, from which volumes."""
    status = draft.status
    service, configuration = status.service, status.configuration
    assert service.public_key is not None
    assert service.certificate is not None
    assert configuration is not None
    number = status.counters.next_attempt
    status.counters.next_attempt = number + 1
    relevant = set(configuration.nodes).union(*configuration.pending)
    mark = status.high_water_mark
    attempt = Attempt(
        number=number,
        phase=AttemptPhase.FENCING,
        base_service=service.public_key,
        base_certificate=service.certificate,
        base_recovery_count=service.recovery_count,
        base_high_water_mark=mark.tx_id if mark is not None and mark.service == service.public_key else None,
        configuration=list(configuration.nodes),
        configuration_seqno=configuration.seqno,
        pending=[list(p) for p in configuration.pending],
        members_of={
            record.node_id: record.volume
            for record in status.nodes
            if record.node_id in relevant and _wrote_last(draft, record.volume, record.generation)
        },
        evidence=[e.model_copy() for e in status.quorum.evidence],
        candidates=[
            Candidate(volume=v.name, claim_uid=draft.seen.claims[v.name].uid, lineage=list(v.lineage))
            for v in status.volumes
            if v.lineage and v.service == service.public_key and v.name in draft.seen.claims
        ],
        timeline=Timeline(suspected_at=status.quorum.unseen_since, proven_at=draft.now),
    )
    status.attempt = attempt
    service.status = None
    draft.report(
        "RecoveryStarted",
        f"attempt {number}: the loss of quorum is proven; recovering from {len(attempt.candidates)} volume(s)",
        warning=True,
    )
    return attempt


def _wrote_last(draft: Draft, volume: str, generation: int) -> bool:
    record = draft.status.volume(volume)
    return record is not None and bool(record.lineage) and record.lineage[-1] == generation


def abandon(draft: Draft, attempt: Attempt, why: str) -> None:
    """End an attempt because the quorum is there: everything it made is removed."""
    _end(draft, attempt, AttemptResult.ABANDONED, why)
    draft.report("RecoveryAbandoned", f"attempt {attempt.number}: {why}")


def supersede(draft: Draft, attempt: Attempt, why: str) -> None:
    """End an attempt that can lead nowhere; the next starts anew from the last open service."""
    _end(draft, attempt, AttemptResult.SUPERSEDED, why)
    draft.report("RecoverySuperseded", f"attempt {attempt.number}: {why}; a new attempt follows", warning=True)


def succeed(draft: Draft, attempt: Attempt, winner: Winner) -> None:
    """The recovered service is open: it is the service now, and its volumes' ledgers are the ones that count."""
    status = draft.status
    attempt.timeline.open_at = draft.now
    service = status.service
    service.previous_certificate = attempt.base_certificate
    service.certificate = winner.service_certificate
    service.public_key = winner.public_key
    service.recovery_count = winner.recovery_count
    service.create_tx_id = winner.create_tx_id
    service.status = "Open"
    service.opened_at = draft.now
    status.configuration = attempt.network
    status.quorum = QuorumStatus()
    status.high_water_mark = None
    status.recoveries += 1
    candidate = next(c for c in attempt.candidates if c.volume == winner.volume)
    volume = status.volume(winner.volume)
    if volume is not None and candidate.generation is not None:
        volume.lineage = [*candidate.lineage, candidate.generation]
        volume.service = winner.public_key
    for record in status.nodes:
        if record.attempt == attempt.number and record.stop is None:
            record.attempt = None
    _remember(draft, attempt, AttemptResult.SUCCEEDED, f"recovered {winner.tx_id} from {winner.volume}")
    draft.report("RecoverySucceeded", f"attempt {attempt.number}: open again, recovered {winner.tx_id}")


def _end(draft: Draft, attempt: Attempt, result: AttemptResult, why: str) -> None:
    for record in draft.status.nodes:
        if record.attempt == attempt.number and record.stop is None:
            record.stop, record.fit = result.value, False
    _remember(draft, attempt, result, why)


def _remember(draft: Draft, attempt: Attempt, result: AttemptResult, message: str) -> None:
    winner = attempt.winner
    summary = AttemptSummary(
        number=attempt.number,
        result=result,
        message=message,
        winner_volume=winner.volume if winner is not None else None,
        tx_id=winner.tx_id if winner is not None else None,
        candidates={c.volume: _in_words(c) for c in attempt.candidates},
        timeline=attempt.timeline,
        ended_at=draft.now,
    )
    draft.status.history = [summary, *draft.status.history][:HISTORY]
    draft.status.attempt = None


def _in_words(candidate: Candidate) -> str:
    result = candidate.result.value if candidate.result is not None else "no result"
    if candidate.tx_id is not None:
        return f"{result} {candidate.tx_id}"
    return f"{result}: {candidate.detail}" if candidate.detail else result
