"""Parts of statuses, as an operator writes them in a recovery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ccf_operator.api.status import (
    Attempt,
    AttemptPhase,
    Candidate,
    Command,
    Ended,
    EndEvidence,
    NodeRecord,
    QuorumEvidence,
    Winner,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def node(name: str, command: Command = Command.JOIN, **more: Any) -> NodeRecord:
    return NodeRecord(name=name, volume=f"ledger-{name}", generation=0, command=command, planned_at=NOON, **more)


def killed() -> Ended:
    return Ended(evidence=EndEvidence.CONTAINER_TERMINATED, at=NOON, exit_code=137)


def candidate(volume: str, **more: Any) -> Candidate:
    return Candidate(volume=volume, lineage=[0], **more)


def attempt(*candidates: Candidate, **more: Any) -> Attempt:
    return Attempt(
        number=1,
        phase=AttemptPhase.RECOVERING,
        base_service="aa",
        base_certificate="PEM",
        base_recovery_count=0,
        configuration=["n1", "n2"],
        evidence=[QuorumEvidence(node="bank-0", seen="ended", at=NOON)],
        candidates=list(candidates),
        **more,
    )


def winner(volume: str, node: str, tx_id: str) -> Winner:
    return Winner(
        node=node,
        volume=volume,
        tx_id=tx_id,
        create_tx_id="4.32",
        recovery_count=1,
        service_certificate="PEM",
        public_key="bb",
        chosen_at=NOON,
    )
