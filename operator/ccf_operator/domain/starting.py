"""A recovery that a person starts: at once where the loss is proven, else by ending all nodes of the service first.

Ending nodes of a service that has its quorum, or may have it, is licensed by that person's one decision and by nothing
else. What follows is the ordinary attempt: it begins when the ends of these nodes have proven the loss.
"""

from __future__ import annotations

from ccf_operator.api.decision import DecisionState
from ccf_operator.api.status import Start
from ccf_operator.domain import attempts
from ccf_operator.domain.draft import Draft
from ccf_operator.domain.interventions import Refused, forget_start
from ccf_operator.domain.network_advice import against_ending, is_behind_service, lives
from ccf_operator.domain.observation import DecisionView
from ccf_operator.domain.quorum import deciding_minority, majority
from ccf_operator.domain.service import ServiceView, raise_high_water_mark, view_own_service
from ccf_operator.domain.tokens import numbered_token, recovery_token
from ccf_operator.domain.verdict import judge_base_loss

STARTED = "RecoveryStarted"
"""Why a node is ended: a person has started a recovery of its service."""


def start(draft: Draft, decision: DecisionView) -> str:
    """Note that a person wants the service recovered now; its nodes, if any run, are ended from the next look on."""
    status = draft.status
    if status.attempt is not None:
        raise Refused(f"attempt {status.attempt.number} is in progress")
    if status.start is not None:
        raise Refused(f"{status.start.decision} has started attempt {status.start.attempt} already")
    token = _token(draft)
    if token is None or status.service.public_key is None:
        raise Refused("the service has never been open: there is nothing to recover")
    if decision.spec.token != token:
        raise Refused(f"this token does not stand for the next recovery of this service; that is {token}")
    lost = judge_base_loss(draft, view_own_service(draft)).proven
    if not lost and (problem := obstacle(draft)):
        raise Refused(f"{problem}; no node was ended")
    number = attempts.take_number(draft)
    status.start = Start(
        token=numbered_token(draft.seen.uid, number, status.service.public_key),
        attempt=number,
        decision=decision.name,
        at=draft.now,
        reason=decision.spec.reason or "",
    )
    if lost:
        return f"attempt {number} begins"
    asks = "" if _disks_will_be_proof(draft) else "; it will ask for approval, for too few disks prove what they hold"
    against = _against(draft)
    return (
        f"all nodes of the service are ended; attempt {number} begins when that has proven the loss of quorum{asks}"
        f"{against}"
    )


def _against(draft: Draft) -> str:
    """What speaks against it where nodes run that the operator does not hear; it is done all the same."""
    unheard = [r for r in draft.own_nodes() if lives(draft, r) and draft.answers(r) is None]
    return f". Against it speaks that {against_ending(draft, unheard)}" if unheard else ""


def obstacle(draft: Draft) -> str | None:
    """Why a service whose nodes were ended could not be recovered for sure, as far as can be known; None: nothing."""
    status, seen = draft.status, draft.seen
    known = status.configuration
    if seen.name_taken:
        return f"objects of its names belong to someone else: {', '.join(seen.name_taken)}"
    if known is None or known.service != status.service.public_key:
        return "the committed configuration of the service is not known"
    unbound = sorted(
        volume.name for volume in status.volumes if (c := draft.claim(volume.name)) is not None and c.phase != "Bound"
    )
    if unbound:
        return f"{', '.join(unbound)} are not bound"
    return next((short for nodes in (known.nodes, *known.pending) if (short := _too_few(draft, nodes))), None)


def _too_few(draft: Draft, nodes: list[str]) -> str | None:
    volumes = attempts.volumes_of(draft, set(nodes)).values()
    there = [name for name in volumes if (claim := draft.claim(name)) is not None and not claim.deleting]
    need = majority(len(nodes))
    if len(there) >= need:
        return None
    return f"{len(there)} of the {len(nodes)} nodes' volumes are there, and {need} are needed"


def _disks_will_be_proof(draft: Draft) -> bool:
    """Whether the ends of the nodes can show that all they wrote is on so many volumes that nothing can be missing."""
    if draft.seen.spec.recovery.trust_machine_disks or draft.status.configuration is None:
        return True
    nodes = draft.status.configuration.nodes
    known = [record for node in nodes if (record := draft.by_node_id(node)) is not None]
    sure = [r for r in known if (r.ended.disk_kept if r.ended else r.machine is not None and r.machine.boot_id)]
    return len(sure) >= deciding_minority(len(nodes))


def end_nodes(draft: Draft, begun: Start, view: ServiceView) -> None:
    """End the nodes of a service that a person wants recovered, gracefully: first they get no new clients.

    Nothing is ended on the look that hears of the start, nor where by now it is not sure that recovery can work.
    """
    for record in draft.own_nodes():
        record.fit = False
    if begun.ending_since is None:
        if draft.seen.status.start is None or _have_clients(draft):
            return
        if (problem := obstacle(draft)) is not None:
            _withdraw(draft, begun, problem)
            return
        begun.ending_since = draft.now
        raise_high_water_mark(draft, view)
        draft.report(
            "EndingNodes", f"attempt {begun.attempt}: ending all nodes, as {begun.decision} says", warning=True
        )
    for record in draft.own_nodes():
        if record.ended is None:
            record.stop = record.stop or STARTED


def keep_token(draft: Draft) -> None:
    """Show what a decision must name that starts a recovery now."""
    idle = draft.status.attempt is None and draft.status.start is None
    draft.status.recovery_token = _token(draft) if idle else None


def _token(draft: Draft) -> str | None:
    service = draft.status.service
    if service.opened_at is None or service.public_key is None or service.certificate is None:
        return None
    return recovery_token(draft.seen.uid, draft.status.counters.next_attempt, service.public_key)


def _have_clients(draft: Draft) -> bool:
    pods = (draft.pod(record) for record in draft.own_nodes() if record.ended is None)
    return any(pod is not None and is_behind_service(pod) for pod in pods)


def _withdraw(draft: Draft, begun: Start, problem: str) -> None:
    forget_start(draft, begun, DecisionState.REFUSED, f"not done: {problem}; no node was ended")
    draft.report("StartWithdrawn", f"{begun.decision} is not done: {problem}; no node was ended", warning=True)
