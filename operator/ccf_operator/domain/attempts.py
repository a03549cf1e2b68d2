"""The beginning and the three ends of a disaster recovery.

An attempt starts from the service last known to be open and carries all that was known of it then. Nothing that an
attempt made outlives it unless it succeeded: a failed attempt never feeds the next one.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    AttemptResult,
    AttemptSummary,
    Candidate,
    Command,
    Configuration,
    EndEvidence,
    QuorumStatus,
    Start,
    Timeline,
    Unsettled,
    Winner,
)
from ccf_operator.domain.backoff import wait_after
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.tokens import attempt_token
from ccf_operator.domain.transitions import check
from ccf_operator.domain.txid import TxID
from ccf_operator.wording import counted

HISTORY = 10
"""Past attempts kept in the status."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=5)
"""Pause before the attempt after the third in a row that led nowhere; doubled each time, up to the longest."""


def next_may_begin_at(draft: Draft) -> datetime:
    """When the next attempt may begin: at once after one that led nowhere, later after several in a row."""
    failed = _led_nowhere(draft)
    if len(failed) < 3:
        return draft.now
    return failed[0].ended_at + wait_after(len(failed) - 2, FIRST_PAUSE, LONGEST_PAUSE)


def take_number(draft: Draft) -> int:
    """A number for an attempt that was never given to another."""
    number = draft.status.counters.next_attempt
    draft.status.counters.next_attempt = number + 1
    return number


def _led_nowhere(draft: Draft) -> list[AttemptSummary]:
    """The attempts just before that were superseded, the last first."""
    return list(takewhile(lambda past: past.result is AttemptResult.SUPERSEDED, draft.status.history))


def unfinished_start(draft: Draft) -> Start | None:
    """The decision that began the last attempt, where that led nowhere: the next one goes on with it, if no other loss
    has come since."""
    last = draft.status.history[0] if draft.status.history else None
    if last is None or last.result is not AttemptResult.SUPERSEDED:
        return None
    return last.start if (draft.status.quorum.since or last.ended_at) <= last.ended_at else None


def begin(draft: Draft) -> Attempt:
    """Write down a new attempt: what is being recovered, on what proof, from which volumes. It ends a pause."""
    status = draft.status
    number = status.start.attempt if status.start is not None else take_number(draft)
    start, status.start = status.start or unfinished_start(draft), None
    status.paused = None
    what = _from_unsettled(draft, status.unsettled) if status.unsettled is not None else _from_service(draft)
    attempt = Attempt(
        number=number,
        phase=AttemptPhase.FENCING,
        start=start,
        evidence=[e.model_copy() for e in status.quorum.evidence],
        tried=sorted({past.winner_volume for past in _led_nowhere(draft) if past.winner_volume is not None}),
        timeline=Timeline(suspected_at=status.quorum.unseen_since, proven_at=draft.now),
        **what,
    )
    attempt.token = attempt_token(draft.seen.uid, attempt)
    status.attempt = attempt
    status.service.status = None
    draft.report(
        "RecoveryStarted",
        f"attempt {number}: the loss of quorum is proven; recovering from {counted(len(attempt.candidates), 'volume')}",
        warning=True,
    )
    return attempt


def _from_service(draft: Draft) -> dict[str, Any]:
    """What an attempt to recover the last open service starts from."""
    status = draft.status
    service, configuration, mark = status.service, status.configuration, status.high_water_mark
    assert service.public_key is not None
    assert configuration is not None
    relevant = set(configuration.nodes).union(*configuration.pending)
    return {
        "base_service": service.public_key,
        "base_certificate": service.certificate,
        "base_recovery_count": service.recovery_count,
        "base_high_water_mark": mark.tx_id if mark is not None and mark.service == service.public_key else None,
        "configuration": list(configuration.nodes),
        "configuration_seqno": configuration.seqno,
        "pending": [list(p) for p in configuration.pending],
        "members_of": (status.adopted.members_of if status.adopted is not None else {}) | volumes_of(draft, relevant),
        "candidates": [
            Candidate(volume=v.name, claim_uid=v.uid, lineage=list(v.lineage), doubtful=list(v.doubtful))
            for v in status.volumes
            if v.lineage and v.service == service.public_key
        ],
    }


def volumes_of(draft: Draft, node_ids: Set[str]) -> dict[str, str]:
    """The volumes that hold the ledgers of these CCF nodes, by node id, as far as they are known."""
    return {
        record.node_id: record.volume
        for record in draft.status.nodes
        if record.node_id is not None
        and record.node_id in node_ids
        and _wrote_last(draft, record.volume, record.generation)
    }


def _wrote_last(draft: Draft, volume: str, generation: int) -> bool:
    record = draft.status.volume(volume)
    return record is not None and bool(record.lineage) and record.lineage[-1] == generation


def _from_unsettled(draft: Draft, unsettled: Unsettled) -> dict[str, Any]:
    """What an attempt to recover a network starts from of which it is not known whether it had opened."""
    uid_of = {volume.name: volume.uid for volume in draft.status.volumes}
    return {
        "unsettled": unsettled.attempt,
        "base_service": unsettled.public_key,
        "base_certificate": unsettled.certificate,
        "base_recovery_count": unsettled.recovery_count,
        "configuration": list(unsettled.configuration.nodes),
        "configuration_seqno": unsettled.configuration.seqno,
        "pending": [list(p) for p in unsettled.configuration.pending],
        "members_of": dict(unsettled.members_of),
        "candidates": [
            Candidate(volume=volume, claim_uid=uid_of.get(volume), lineage=list(lineage))
            for volume, lineage in sorted(unsettled.lineages.items())
        ],
    }


def leave_unsettled(draft: Draft, attempt: Attempt, winner: Winner, network: Configuration) -> None:
    """Write down a recovered network that is lost and that its members may have opened unseen."""
    draft.status.unsettled = _lost_network(draft, attempt, winner, network)


def leave_doubtful(draft: Draft, attempt: Attempt, winner: Winner) -> None:
    """Have the next attempts look whether a lost network was opened whose members had not been asked to open it."""
    first = draft.status.node(winner.node)
    alone = [first.node_id] if first is not None and first.node_id is not None else []
    known = Configuration(seqno=0, nodes=alone, service=winner.public_key, seen_at=winner.chosen_at)
    draft.status.doubted = _lost_network(draft, attempt, winner, attempt.network or known)
    for record in draft.status.nodes:
        volume = draft.status.volume(record.volume)
        part = record.name == winner.node or record.command is Command.JOIN
        if volume is not None and record.attempt == attempt.number and part and record.pod_uid is not None:
            volume.doubtful = sorted({*volume.doubtful, record.generation})


def _lost_network(draft: Draft, attempt: Attempt, winner: Winner, network: Configuration) -> Unsettled:
    chosen = next(c for c in attempt.candidates if c.volume == winner.volume)
    wrote = {winner.volume: [*chosen.lineage, *([chosen.generation] if chosen.generation is not None else [])]}
    members_of: dict[str, str] = {}
    for record in draft.status.nodes:
        started = record.ended is None or record.ended.evidence is not EndEvidence.NEVER_STARTED
        if record.attempt != attempt.number or not started:
            continue
        if record.command is Command.JOIN:
            wrote[record.volume] = [record.generation]
        if record.node_id is not None and (record.command is Command.JOIN or record.name == winner.node):
            members_of = {node: volume for node, volume in members_of.items() if volume != record.volume}
            members_of[record.node_id] = record.volume
    return Unsettled(
        attempt=attempt.number,
        public_key=winner.public_key,
        certificate=winner.service_certificate,
        recovery_count=winner.recovery_count,
        configuration=network,
        lineages=wrote,
        members_of=members_of,
        base_high_water_mark=max(winner.tx_id, attempt.base_high_water_mark or winner.tx_id, key=TxID.parse),
    )


def was_opened_unseen(draft: Draft, attempt: Attempt) -> bool:
    """Whether a candidate's volume shows that the doubted network had been opened."""
    doubted = draft.status.doubted
    surveys = [c.survey for c in attempt.candidates if c.survey is not None]
    return doubted is not None and any(doubted.public_key in survey.opened_later for survey in surveys)


def turn_to_doubted(draft: Draft, attempt: Attempt) -> None:
    """Give up an attempt for one that recovers the network that had been opened unseen."""
    doubted, draft.status.doubted = draft.status.doubted, None
    draft.status.unsettled = doubted
    which = f"attempt {doubted.attempt}" if doubted is not None else "an attempt"
    supersede(draft, attempt, f"the network of {which} had been opened before it was lost, and is recovered instead")


def adopt_unsettled(draft: Draft) -> None:
    """The unsettled network had been opened, its ledger shows: it is the last open service."""
    status, found = draft.status, draft.status.unsettled
    if found is None:
        return
    _replace_service(draft, found.public_key, found.certificate, found.recovery_count)
    status.configuration = found.configuration
    for name, lineage in found.lineages.items():
        volume = status.volume(name)
        if volume is not None:
            volume.lineage, volume.service = list(lineage), found.public_key
    status.unsettled = None
    status.recoveries += 1
    draft.report("RecoverySettled", f"the members had opened the network of attempt {found.attempt} before it was lost")


def _replace_service(draft: Draft, key: str, certificate: str, recovery_count: int) -> None:
    service = draft.status.service
    service.previous_certificate, service.certificate = service.certificate, certificate
    service.public_key, service.recovery_count = key, recovery_count
    service.create_tx_id, service.status = None, None
    service.opened_at = draft.now
    service.approved_loss = None
    draft.status.high_water_mark = None


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
    _replace_service(draft, winner.public_key, winner.service_certificate, winner.recovery_count)
    status.service.previous_certificate = attempt.base_certificate
    status.service.create_tx_id, status.service.status = winner.create_tx_id, "Open"
    if lost := [*winner.approved_loss, *(one for one in attempt.given_up if one not in winner.approved_loss)]:
        status.service.approved_loss = (
            f"recovered up to {winner.tx_id}, and a person approved that more may have been committed: views and TxIDs "
            f"after that one may be used again, with other content ({'; '.join(lost)})"
        )
    status.configuration = attempt.network
    status.quorum = QuorumStatus()
    status.join_failures = None
    status.adopted = None
    status.recoveries += 1
    candidate = next(c for c in attempt.candidates if c.volume == winner.volume)
    volume = status.volume(winner.volume)
    if volume is not None and candidate.generation is not None:
        volume.lineage = [*candidate.lineage, candidate.generation]
        volume.service = winner.public_key
    status.doubted = None
    for other in status.volumes:
        other.doubtful = []
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
    check(attempt.phase, result)
    winner = attempt.winner
    summary = AttemptSummary(
        number=attempt.number,
        result=result,
        message=message,
        winner_volume=winner.volume if winner is not None else None,
        tx_id=winner.tx_id if winner is not None else None,
        candidates={c.volume: _in_words(c) for c in attempt.candidates},
        approval=attempt.approval,
        start=attempt.start,
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
