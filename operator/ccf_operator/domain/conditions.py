"""The conditions of a network, derived from what has been decided (DESIGN: kstatus-compatible)."""

from __future__ import annotations

from dataclasses import dataclass

from ccf_operator.api.status import Condition, Phase, Verdict
from ccf_operator.domain.certificates import expiring, in_words
from ccf_operator.domain.draft import Draft

_STARTING = frozenset({Phase.CREATING, Phase.RECOVERING, Phase.DELETING})
_MEMBERS = ("members:", "recovery members:")
"""How a next step begins that is the members'."""


@dataclass(frozen=True)
class _Wanted:
    type: str
    status: bool | None
    reason: str
    message: str


def keep_conditions(draft: Draft) -> None:
    """Write the conditions; a transition time moves only when a condition's status changes."""
    before = {condition.type: condition for condition in draft.status.conditions}
    draft.status.conditions = [_condition(draft, before.get(wanted.type), wanted) for wanted in _wanted(draft)]


def _condition(draft: Draft, before: Condition | None, wanted: _Wanted) -> Condition:
    status = {True: "True", False: "False", None: "Unknown"}[wanted.status]
    since = before.last_transition_time if before is not None and before.status == status else draft.now
    return Condition(
        type=wanted.type,
        status=status,
        reason=wanted.reason,
        message=wanted.message,
        last_transition_time=since,
        observed_generation=draft.seen.generation,
    )


def _wanted(draft: Draft) -> list[_Wanted]:
    status = draft.status
    fit = sum(record.fit for record in status.nodes)
    wanted = draft.seen.spec.nodes
    running = status.phase is Phase.RUNNING
    all_serve = running and fit >= wanted
    reason = status.reason or status.phase.value
    asked = status.next_step.startswith(_MEMBERS)
    ready_message = f"{fit} of {wanted} nodes serve clients" if running else status.message
    return [
        _Wanted("Ready", all_serve, reason if not running or all_serve else "NodesMissing", ready_message),
        _Wanted("Progressing", status.phase in _STARTING or (running and fit < wanted), reason, status.message),
        _quorum(draft),
        _recoverable(draft),
        _Wanted(
            "RecoveryInProgress",
            status.attempt is not None,
            status.attempt.phase.value if status.attempt is not None else "None",
            f"attempt {status.attempt.number}" if status.attempt is not None else "",
        ),
        _Wanted(
            "GovernanceRequired",
            asked,
            reason if asked else "None",
            status.next_step if asked else "",
        ),
        _Wanted(
            "ServiceIdentityChanged",
            status.service.previous_certificate is not None,
            "Recovered" if status.service.previous_certificate is not None else "Original",
            "clients need the certificate in the service identity ConfigMap"
            if status.service.previous_certificate is not None
            else "",
        ),
        _certificates(draft),
    ]


def _certificates(draft: Draft) -> _Wanted:
    found = expiring(draft)
    if not found:
        return _Wanted("CertificatesExpiring", False, "Valid", "")
    expired = any(one.at <= draft.now for one in found)
    return _Wanted("CertificatesExpiring", True, "Expired" if expired else "RunOutSoon", in_words(draft, found))


def _quorum(draft: Draft) -> _Wanted:
    quorum = draft.status.quorum
    status = {Verdict.HEALTHY: True, Verdict.DEGRADED: True, Verdict.LOST: False}.get(quorum.verdict)
    return _Wanted("QuorumHealthy", status, quorum.verdict.value, quorum.message)


def _recoverable(draft: Draft) -> _Wanted:
    status = draft.status
    if status.service.opened_at is None:
        return _Wanted("Recoverable", False, "NotOpenYet", "the service has never been open")
    nodes = status.configuration.nodes if status.configuration is not None else []
    volumes = [r.volume for node in nodes if (r := draft.by_node_id(node)) is not None]
    claims = {volume: draft.claim(volume) for volume in volumes}
    lost = sorted(volume for volume, claim in claims.items() if claim is None)
    if lost or len(volumes) < len(nodes):
        return _Wanted("Recoverable", False, "VolumesMissing", f"no claim for {', '.join(lost) or 'unknown nodes'}")
    dying = sorted(volume for volume, claim in claims.items() if claim and claim.reclaim_policy == "Delete")
    if dying:
        return _Wanted(
            "Recoverable",
            True,
            "VolumesDieWithClaims",
            f"the reclaim policy of {', '.join(dying)} is Delete: a deleted claim takes its ledger along",
        )
    return _Wanted("Recoverable", True, "VolumesPresent", f"{len(volumes)} volumes hold the ledger")
