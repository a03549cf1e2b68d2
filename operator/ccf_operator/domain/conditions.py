"""The conditions of a network, derived from what has been decided.

They are written so that whoever waits for them is right in every phase: kstatus (Flux, `kubectl apply --prune`) takes
Reconciling for "in progress" and Stalled for "failed", `kubectl wait` takes Ready, and the health rule for Argo CD that
the chart brings takes all three. At most one of Reconciling and Stalled is True.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ccf_operator.api.status import AttemptPhase, Condition, Phase, Verdict
from ccf_operator.domain.certificates import expiring, in_words
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.nodes import serves
from ccf_operator.domain.obstacles import with_obstacles
from ccf_operator.domain.operator_member import standing
from ccf_operator.domain.reasons import Health, MemberReason, Reason, health_of
from ccf_operator.domain.taken import Taking, what_is_taken

_SECRET = "Secret"
"""How a reason begins that is about the Secret of the operator's member."""

_MEMBERS = ("members:", "recovery members:")
"""How a next step begins that is the members'."""


class ConditionType(StrEnum):
    """The conditions of a network; OperatorMemberUsable is there only where the spec names such a member."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    PROGRESSING = "Progressing"
    QUORUM_HEALTHY = "QuorumHealthy"
    RECOVERABLE = "Recoverable"
    RECOVERY_IN_PROGRESS = "RecoveryInProgress"
    GOVERNANCE_REQUIRED = "GovernanceRequired"
    SERVICE_IDENTITY_CHANGED = "ServiceIdentityChanged"
    CERTIFICATES_EXPIRING = "CertificatesExpiring"
    OPERATOR_MEMBER_USABLE = "OperatorMemberUsable"


@dataclass(frozen=True)
class ConditionMeaning:
    """What a condition says, for the reference page."""

    type: ConditionType
    true_when: str
    reasons: str


def _these(*reasons: str) -> str:
    return ", ".join(f"`{reason}`" for reason in reasons)


CONDITIONS: tuple[ConditionMeaning, ...] = (
    ConditionMeaning(
        ConditionType.READY,
        "the service is open on every node that the spec wants",
        "the reasons above",
    ),
    ConditionMeaning(
        ConditionType.RECONCILING,
        "something is on its way, by the operator or the members (kstatus: in progress)",
        "the reasons above; `None`",
    ),
    ConditionMeaning(
        ConditionType.STALLED,
        "nothing goes on until a person acts (kstatus: failed)",
        "the reasons above; `None`",
    ),
    ConditionMeaning(
        ConditionType.PROGRESSING,
        "something is on its way without the members",
        "the reasons above; `None`",
    ),
    ConditionMeaning(
        ConditionType.QUORUM_HEALTHY,
        "a quorum is seen; False: it is lost for good; Unknown: it is not seen, and no loss is proven",
        _these(*Verdict),
    ),
    ConditionMeaning(
        ConditionType.RECOVERABLE,
        "every member of the committed configuration has its volume. `VolumesDieWithClaims` warns that their reclaim "
        "policy is Delete; the other reasons tell of what [is being taken away](../recovery.md#claims-volumes-and-"
        "namespaces-that-go)",
        _these("VolumesPresent", "VolumesDieWithClaims", *Taking, "NotOpenYet"),
    ),
    ConditionMeaning(
        ConditionType.RECOVERY_IN_PROGRESS,
        "an attempt to recover is under way; the reason is the step it is in ([recovery](../recovery.md))",
        _these(Reason.ENDING_NODES, *AttemptPhase, "None"),
    ),
    ConditionMeaning(
        ConditionType.GOVERNANCE_REQUIRED,
        "the members are asked for something; the message says what",
        "the reasons above; `None`",
    ),
    ConditionMeaning(
        ConditionType.SERVICE_IDENTITY_CHANGED,
        "the service was recovered, so that clients need its new certificate ([where it is](../how-to/gitops.md))",
        _these("Recovered", "Original"),
    ),
    ConditionMeaning(
        ConditionType.CERTIFICATES_EXPIRING,
        "certificates of the service or its nodes have run out or soon will; the message has the renewal's proposal",
        _these("RunOutSoon", "Expired", "Valid"),
    ),
    ConditionMeaning(
        ConditionType.OPERATOR_MEMBER_USABLE,
        "the operator can propose in the name of `spec.governance.operatorMember`; Unknown: it is not known yet. Only "
        "networks with such a member have it; what else it does goes on without",
        _these(*MemberReason),
    ),
)

NONE = "None"
"""The reason of a condition that is False because there is nothing of the kind."""


@dataclass(frozen=True)
class _Wanted:
    type: ConditionType
    status: bool | None
    reason: str
    message: str = ""


def keep_conditions(draft: Draft) -> None:
    """Write the conditions; a transition time moves only when a condition's status changes."""
    before = {condition.type: condition for condition in draft.status.conditions}
    draft.status.conditions = [_condition(draft, before.get(wanted.type), wanted) for wanted in _wanted(draft)]
    if (member := _operator_member(draft, before.get(ConditionType.OPERATOR_MEMBER_USABLE))) is not None:
        draft.status.conditions.append(member)


def _condition(draft: Draft, before: Condition | None, wanted: _Wanted) -> Condition:
    status = {True: "True", False: "False", None: "Unknown"}[wanted.status]
    since = before.last_transition_time if before is not None and before.status == status else draft.now
    return Condition(
        type=wanted.type.value,
        status=status,
        reason=wanted.reason,
        message=wanted.message,
        last_transition_time=since,
        observed_generation=draft.seen.generation,
    )


def _wanted(draft: Draft) -> list[_Wanted]:
    return [*_for_whoever_waits(draft), _quorum(draft), _recoverable(draft), *_for_whoever_acts(draft)]


def _for_whoever_waits(draft: Draft) -> list[_Wanted]:
    status = draft.status
    fit, wanted = sum(serves(draft, record) for record in status.nodes), draft.seen.spec.nodes
    running = status.phase is Phase.RUNNING
    missing = running and fit < wanted
    reason = Reason.NODES_MISSING.value if missing else status.reason or status.phase.value
    told = with_obstacles(f"{fit} of {wanted} nodes serve clients", status.obstacles)
    served = told if running else status.message
    health = _health(draft, missing=missing)
    done = f"{served}; {status.next_step}" if status.next_step else served
    return [
        _Wanted(ConditionType.READY, running and not missing, reason, served),
        _waits_for(ConditionType.RECONCILING, health in (Health.WORKS, Health.MEMBERS), reason, done),
        _waits_for(ConditionType.STALLED, health is Health.PERSON, reason, done),
        _waits_for(ConditionType.PROGRESSING, health is Health.WORKS, reason, done),
    ]


def _waits_for(kind: ConditionType, so: bool, reason: str, message: str) -> _Wanted:
    return _Wanted(kind, True, reason, message) if so else _Wanted(kind, False, NONE)


def _health(draft: Draft, *, missing: bool) -> Health:
    status = draft.status
    health = health_of(status.phase, status.reason)
    if health is Health.PERSON:
        return health
    if _members_are_asked(draft):
        return Health.MEMBERS
    return Health.WORKS if missing else health


def _members_are_asked(draft: Draft) -> bool:
    return draft.status.next_step.startswith(_MEMBERS)


def _for_whoever_acts(draft: Draft) -> list[_Wanted]:
    service = draft.status.service
    return [
        _recovery(draft),
        _waits_for(
            ConditionType.GOVERNANCE_REQUIRED,
            _members_are_asked(draft),
            draft.status.reason or draft.status.phase.value,
            draft.status.next_step,
        ),
        _Wanted(
            ConditionType.SERVICE_IDENTITY_CHANGED,
            True,
            "Recovered",
            "clients need the certificate in the service identity ConfigMap",
        )
        if service.previous_certificate is not None
        else _Wanted(ConditionType.SERVICE_IDENTITY_CHANGED, False, "Original"),
        _certificates(draft),
    ]


def _recovery(draft: Draft) -> _Wanted:
    attempt, start = draft.status.attempt, draft.status.start
    if attempt is not None:
        return _Wanted(ConditionType.RECOVERY_IN_PROGRESS, True, attempt.phase.value, f"attempt {attempt.number}")
    if start is not None:
        return _Wanted(ConditionType.RECOVERY_IN_PROGRESS, True, Reason.ENDING_NODES.value, f"attempt {start.attempt}")
    return _Wanted(ConditionType.RECOVERY_IN_PROGRESS, False, NONE)


def _certificates(draft: Draft) -> _Wanted:
    found = expiring(draft)
    if not found:
        return _Wanted(ConditionType.CERTIFICATES_EXPIRING, False, "Valid", "")
    expired = any(one.at <= draft.now for one in found)
    return _Wanted(
        ConditionType.CERTIFICATES_EXPIRING, True, "Expired" if expired else "RunOutSoon", in_words(draft, found)
    )


def _operator_member(draft: Draft, before: Condition | None) -> Condition | None:
    """Whether the operator's member can be used; what was found out stays while the service is not asked."""
    how = standing(draft)
    if how is None:
        return None
    if how.reason is MemberReason.NOT_ASKED and before is not None and not before.reason.startswith(_SECRET):
        return before
    usable = {MemberReason.USABLE: True, MemberReason.NOT_ASKED: None}.get(how.reason, False)
    wanted = _Wanted(ConditionType.OPERATOR_MEMBER_USABLE, usable, how.reason.value, how.message)
    return _condition(draft, before, wanted)


def _quorum(draft: Draft) -> _Wanted:
    quorum = draft.status.quorum
    status = {Verdict.HEALTHY: True, Verdict.DEGRADED: True, Verdict.LOST: False}.get(quorum.verdict)
    return _Wanted(ConditionType.QUORUM_HEALTHY, status, quorum.verdict.value, quorum.message)


def _recoverable(draft: Draft) -> _Wanted:
    status = draft.status
    if (taken := what_is_taken(draft)) is not None:
        return _Wanted(ConditionType.RECOVERABLE, False, taken.reason.value, taken.message)
    if status.service.opened_at is None:
        return _Wanted(ConditionType.RECOVERABLE, False, "NotOpenYet", "the service has never been open")
    nodes = status.configuration.nodes if status.configuration is not None else []
    volumes = [r.volume for node in nodes if (r := draft.by_node_id(node)) is not None]
    claims = {volume: draft.claim(volume) for volume in volumes}
    lost = sorted(volume for volume, claim in claims.items() if claim is None)
    if lost or len(volumes) < len(nodes):
        return _Wanted(
            ConditionType.RECOVERABLE, False, "VolumesMissing", f"no claim for {', '.join(lost) or 'unknown nodes'}"
        )
    dying = sorted(volume for volume, claim in claims.items() if claim and claim.reclaim_policy == "Delete")
    if dying:
        return _Wanted(
            ConditionType.RECOVERABLE,
            True,
            "VolumesDieWithClaims",
            f"the reclaim policy of {', '.join(dying)} is Delete: a deleted claim takes its ledger along",
        )
    return _Wanted(ConditionType.RECOVERABLE, True, "VolumesPresent", f"{len(volumes)} volumes hold the ledger")
